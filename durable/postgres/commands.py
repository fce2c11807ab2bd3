"""What is asked of workflows from outside: start, signal, terminate. The lock order is workflow row, then the rest."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from durable.errors import WorkflowClosed, WorkflowIdTaken, WorkflowNotFound
from durable.model import Reuse, Started, WorkflowOptions
from durable.payloads import is_reference
from durable.postgres import kin, payloads
from durable.postgres.endings import begin_run
from durable.serde import encode

_BEGIN = text("""
WITH begun AS (
    INSERT INTO durable.workflows (workflow_id, name, run, state, wake_at, queue, priority, version, deadline_at)
    SELECT :workflow_id, :name, 1, 'waiting', now, :queue, :priority, :version, now + :deadline
    FROM (SELECT durable.now() AS now) AS clock
    ON CONFLICT (workflow_id) DO NOTHING RETURNING key, wake_at AS now
), first_run AS (
    INSERT INTO durable.runs (workflow_key, run, name, input, created_at, began_at, updated_at, keep_for)
    SELECT key, 1, :name, :input, now, now, now, :retention FROM begun
)
SELECT now FROM begun
""")
_LOCK = text(
    "SELECT key, run, state, (SELECT durable.now()) AS now FROM durable.workflows"
    " WHERE workflow_id = :workflow_id FOR NO KEY UPDATE"
)
_KNOWN_KEY = text("SELECT 1 FROM durable.inbox WHERE workflow_key = :workflow AND key = :key")
_SEND = text(
    "INSERT INTO durable.inbox (workflow_key, key, name, payload, start_name, start_input, start_options, sent_at)"
    " VALUES (:workflow, :key, :name, :payload, :start_name, :start_input, :start_options, :now)"
    " ON CONFLICT (workflow_key, key) DO NOTHING"
)
_WAKE = text(
    "UPDATE durable.workflows SET wake_at = :now, wake_real = false, listening = false"
    " WHERE key = :workflow AND state = 'waiting' AND listening"
)
_RECALL = text("UPDATE durable.workflows SET recalled = true WHERE key = :workflow")
_TERMINATE = text(
    "UPDATE durable.workflows SET state = 'closed', wake_at = NULL, listening = false, gate = NULL, worker_id = NULL,"
    " claimed_until = NULL, fence = fence + 1 WHERE key = :workflow"
)
_TERMINATED = text(
    "UPDATE durable.runs SET outcome = 'terminated', reason = :reason, updated_at = :now"
    " WHERE workflow_key = :workflow AND run = :run"
)


@dataclass(frozen=True)
class Beginning:
    """What begins a workflow: its id, its name, its encoded input and what it was declared with."""

    workflow_id: str
    name: str
    input: str
    options: WorkflowOptions = field(default_factory=WorkflowOptions)


@dataclass(frozen=True)
class Outgoing:
    """A signal on its way: its name, its encoded payload and the key under which it counts once."""

    name: str
    payload: str
    key: str


def begin(connection: Connection, beginning: Beginning) -> datetime | None:
    """Begin a workflow that is not there, in one statement (two when its input is a reference); returns
    when, or None when one of this id is there."""
    given = vars(beginning) | vars(beginning.options)
    began: datetime | None = connection.execute(_BEGIN, given).scalar_one_or_none()
    if began and is_reference(beginning.input):
        payloads.use_of_new(connection, {beginning.workflow_id: beginning.input})
    return began


def start(connection: Connection, beginning: Beginning, reuse: Reuse = "allow_closed") -> Started:
    """Begin a workflow unless one with this id is there; a closed one is begun again as its next run, by `reuse` (not by
    what it was declared with, which is for the caller to hand on)."""
    if begin(connection, beginning):
        return Started(beginning.workflow_id, 1, is_new=True)
    row = _locked(connection, beginning.workflow_id)
    if row.state != "closed" and reuse != "terminate":
        return Started(beginning.workflow_id, row.run, is_new=False)
    if row.state != "closed":
        terminate(connection, beginning.workflow_id, "replaced by a new start")
    elif reuse == "reject":
        raise _taken(beginning.workflow_id)
    begin_run(connection, row.key, row.run + 1, beginning.name, beginning.input, row.now, beginning.options)
    return Started(beginning.workflow_id, row.run + 1, is_new=True)


def signal(connection: Connection, workflow_id: str, outgoing: Outgoing) -> bool:
    """Put a signal into the inbox and wake who listens; False when its key was counted before."""
    row = _locked(connection, workflow_id)
    if _counted(connection, row.key, outgoing.key):
        return False
    if row.state == "closed":
        raise WorkflowClosed(f"workflow {workflow_id} has ended; it takes no signal {outgoing.name!r}")
    _send(connection, row.key, outgoing, row.now)
    return True


def signal_with_start(connection: Connection, beginning: Beginning, outgoing: Outgoing) -> bool:
    """Signal the workflow, beginning it (or, when closed, its next run) first; False when the key was counted before.
    One that must have no next run takes the signal as any other, and when closed raises `WorkflowIdTaken`."""
    runs_once = beginning.options.reuse == "reject"
    started = begin(connection, beginning)
    row = _locked(connection, beginning.workflow_id)
    if _counted(connection, row.key, outgoing.key):
        return False
    if row.state == "closed" and runs_once:
        raise _taken(beginning.workflow_id)
    if row.state == "closed":
        begin_run(connection, row.key, row.run + 1, beginning.name, beginning.input, row.now, beginning.options)
    elif not started and not runs_once:
        connection.execute(_RECALL, {"workflow": row.key})
    # What starts a run is as old as the run, not younger: at its end `endings.end` tells the two apart by that.
    _send(connection, row.key, outgoing, started or row.now, start=None if runs_once else beginning)
    return True


def terminate(connection: Connection, workflow_id: str, reason: str) -> None:
    """End a workflow at once; whoever runs it can no longer write. Raises `WorkflowClosed` when it has ended."""
    row = _locked(connection, workflow_id)
    if row.state == "closed":
        raise WorkflowClosed(f"workflow {workflow_id} has already ended; there is nothing to terminate")
    connection.execute(_TERMINATE, {"workflow": row.key})
    connection.execute(_TERMINATED, {"workflow": row.key, "run": row.run, "reason": reason, "now": row.now})
    kin.ended(connection, row.key, failed=True)


def _locked(connection: Connection, workflow_id: str) -> Any:
    row = connection.execute(_LOCK, {"workflow_id": workflow_id}).one_or_none()
    if row is None:
        raise WorkflowNotFound(f"no workflow has the id {workflow_id!r}")
    return row


def _taken(workflow_id: str) -> WorkflowIdTaken:
    return WorkflowIdTaken(f"workflow id {workflow_id!r} is taken by one that has ended; purge it first")


def _counted(connection: Connection, workflow: int, key: str) -> bool:
    return connection.execute(_KNOWN_KEY, {"workflow": workflow, "key": key}).one_or_none() is not None


def _send(
    connection: Connection, workflow: int, outgoing: Outgoing, now: datetime, start: Beginning | None = None
) -> None:
    sent = vars(outgoing) | {"workflow": workflow, "now": now} | _kept_of(start)
    payloads.use(connection, workflow, outgoing.payload, sent["start_input"])
    connection.execute(_SEND, sent)
    connection.execute(_WAKE, {"workflow": workflow, "now": now})


def _kept_of(start: Beginning | None) -> dict[str, str | None]:
    """What a signal keeps of the start that came with it."""
    if start is None:
        return {"start_name": None, "start_input": None, "start_options": None}
    return {"start_name": start.name, "start_input": start.input, "start_options": encode(start.options)}
