"""What becomes of children whose parent has ended: asked to end, ended, or left alone, as their start said."""

from contextlib import suppress

from durable.errors import WorkflowClosed, WorkflowNotFound
from durable.postgres import cancelling, commands, kin
from durable.postgres.database import Database

REASON = "its parent has ended"


def settle_orphans(database: Database, parent: int | None = None) -> int:
    """Deal with the children of `parent` (a key), or of every parent that has ended, each in a transaction of its own;
    returns how many there were."""
    with database.reading() as connection:
        found = kin.orphans(connection, parent)
    for workflow_id, policy in found:
        with suppress(WorkflowClosed, WorkflowNotFound), database.transaction("orphan") as connection:
            if policy == "cancel":
                cancelling.request(connection, workflow_id, REASON)
            else:
                commands.terminate(connection, workflow_id, REASON)
    return len(found)
