"""One run with all it holds, read in one statement, so that run and history are of one moment."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from durable.errors import WorkflowNotFound
from durable.model import Entry
from durable.postgres.payloads import whole, whole_entries
from durable.postgres.scheduling import entry_of
from durable.replay import seed_of

_RUN = text(
    "SELECT w.workflow_id, w.name AS workflow, w.run, r.input, r.began_at, r.outcome, r.result, r.seed,"
    " h.step, h.kind, h.name, h.state, h.arguments, h.payload, h.attempt, h.due_at, h.at"
    " FROM durable.workflows w JOIN durable.runs r ON r.workflow_key = w.key AND r.run = w.run"
    " LEFT JOIN durable.history h ON h.workflow_key = w.key AND h.run = w.run"
    " WHERE w.workflow_id = :workflow_id ORDER BY h.step"
)


@dataclass(frozen=True)
class StoredRun:
    """A workflow's present run as it is stored; `input`, `result` and the history's values are encoded."""

    workflow_id: str
    name: str
    run: int
    input: str
    began_at: datetime
    outcome: str | None
    result: str | None
    seed: str
    history: list[Entry]


def run_of(connection: Connection, workflow_id: str) -> StoredRun:
    """The present run. Raises `WorkflowNotFound`."""
    rows = connection.execute(_RUN, {"workflow_id": workflow_id}).all()
    if not rows:
        raise WorkflowNotFound(f"no workflow has the id {workflow_id!r}")
    first = rows[0]
    entries = [Entry(**vars(entry_of(row)) | {"arguments": row.arguments}) for row in rows if row.step is not None]
    return StoredRun(
        workflow_id=first.workflow_id,
        name=first.workflow,
        run=first.run,
        input=whole(connection, first.input),
        began_at=first.began_at,
        outcome=first.outcome,
        result=whole(connection, first.result),
        seed=first.seed or seed_of(first.workflow_id, first.run, first.began_at),
        history=whole_entries(connection, entries),
    )
