"""What becomes of children whose parent has ended or gone on without them: asked to end, ended, or left alone, as their
start said."""

from contextlib import suppress

from durable.errors import WorkflowClosed, WorkflowNotFound
from durable.model import ParentClose
from durable.postgres import cancelling, commands, kin
from durable.postgres.database import Database

BATCH = 1000


def settle_orphans(database: Database, parent: int | None = None) -> int:
    """Deal with the orphans of `parent` (a key), or of any, each in a transaction of its own; returns how many there
    were."""
    settled = 0
    while True:
        with database.reading() as connection:
            found = kin.orphans(connection, parent, most=BATCH)
        for workflow_id, policy in found:
            with suppress(WorkflowClosed, WorkflowNotFound):
                _settle(database, workflow_id, policy)
        settled += len(found)
        if len(found) < BATCH:
            return settled


def _settle(database: Database, workflow_id: str, policy: ParentClose) -> None:
    with database.transaction("orphan") as connection:
        key = kin.lock_child(connection, workflow_id)
        if key is None or not kin.is_orphan(connection, key):
            return
        if policy == "cancel":
            cancelling.request(connection, workflow_id, kin.LEFT)
        else:
            commands.terminate(connection, workflow_id, kin.LEFT)
