"""What a run writes: its history, its status, its waits and its end. Every statement carries the fence.

A write of a worker whose fence is old changes nothing and raises `FenceLost`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from durable.model import Claim, Entry, Receive, Signal, WorkflowOptions
from durable.postgres import kin


class FenceLost(Exception):
    """Somebody else holds the workflow now, or it was ended: this worker may not write."""


@dataclass(frozen=True)
class Hold:
    """Keep running; the claim is good for `seconds` more (real time)."""

    seconds: float


@dataclass(frozen=True)
class Wait:
    """Give the thread back until `wake_at` (None: until a signal). `listening`: a signal wakes it. `real`: the wait
    goes by the real clock, whatever tests do to the engine's time."""

    wake_at: datetime | None
    listening: bool = False
    real: bool = False


@dataclass(frozen=True)
class ParkAt:
    """Wait at a closed gate until it is opened."""

    gate: str


@dataclass(frozen=True)
class Pause:
    """Stop until an operator resumes it; `reason` says why."""

    reason: str


Disposition = Hold | Wait | ParkAt | Pause

_RELEASED = "worker_id = NULL, claimed_until = NULL"
_SETS: dict[type, str] = {
    Hold: "claimed_until = clock_timestamp() + make_interval(secs => :seconds)",
    Wait: "state = 'waiting', wake_at = CASE WHEN cancelling THEN durable.now() ELSE :wake_at END, "
    f"wake_real = :real, listening = :listening, {_RELEASED}",
    ParkAt: f"state = 'parked', gate = :gate, wake_at = NULL, listening = false, {_RELEASED}",
    Pause: f"state = 'paused', wake_at = NULL, listening = false, {_RELEASED}",
}
_WRITE = """
WITH held AS (
    UPDATE durable.workflows SET {sets}, attempts = CASE WHEN :progress THEN 0 ELSE attempts END
    WHERE key = :key AND fence = :fence AND state = 'running' RETURNING key
), shown AS (
    UPDATE durable.runs SET status = coalesce(:status, status), reason = :reason, updated_at = (SELECT durable.now())
    WHERE workflow_key IN (SELECT key FROM held) AND run = :run
      AND (CAST(:status AS text) IS NOT NULL OR reason IS DISTINCT FROM :reason OR :touch)
), written AS (
    INSERT INTO durable.history
        (workflow_key, run, step, kind, name, state, arguments, payload, attempt, due_at, at)
    SELECT :key, :run, step, kind, name, state, arguments, payload, attempt, due_at, at
    FROM json_to_recordset(CAST(:entries AS json)) AS entry(step integer, kind text, name text, state text,
        arguments text, payload text, attempt integer, due_at timestamptz, at timestamptz)
    WHERE EXISTS (SELECT FROM held)
    ON CONFLICT (workflow_key, run, step) DO UPDATE SET state = excluded.state, payload = excluded.payload,
        attempt = excluded.attempt, due_at = excluded.due_at, at = excluded.at
)
SELECT count(*) FROM held
"""
_WRITES = {kind: text(_WRITE.format(sets=sets)) for kind, sets in _SETS.items()}
_LOCK = text(
    "SELECT (SELECT durable.now()) FROM durable.workflows"
    " WHERE key = :key AND fence = :fence AND state = 'running' FOR NO KEY UPDATE"
)
_OLDEST_UNREAD = text(
    "SELECT id, name, payload, key, sent_at FROM durable.inbox WHERE workflow_key = :key AND read_at IS NULL"
    " AND (:any OR name = ANY(:names)) ORDER BY id LIMIT 1"
)
_READ = text(
    "UPDATE durable.inbox SET read_run = :run, read_step = :step, read_at = (SELECT durable.now()) WHERE id = :id"
)
_UNREAD_START = text(
    "SELECT start_name, start_input FROM durable.inbox WHERE workflow_key = :key AND read_at IS NULL"
    " AND start_input IS NOT NULL AND sent_at > (SELECT created_at FROM durable.runs"
    " WHERE workflow_key = :key AND run = :run) ORDER BY id LIMIT 1"
)
_END_RUN = text(
    "UPDATE durable.runs SET outcome = :outcome, result = :result, error = :error, reason = :reason,"
    " status = coalesce(:status, status), updated_at = :now WHERE workflow_key = :key AND run = :run"
)
_CLOSE = text(
    "UPDATE durable.workflows SET state = 'closed', wake_at = NULL, listening = false, gate = NULL, worker_id = NULL,"
    " claimed_until = NULL WHERE key = :key"
)
_LEAVE_CHILDREN = text("UPDATE durable.children SET left_behind = true WHERE parent_key = :key AND NOT left_behind")
_BEGIN_RUN = text(
    "INSERT INTO durable.runs (workflow_key, run, input, created_at, began_at, updated_at, keep_for)"
    " VALUES (:key, :run, :input, :now, :now, :now, :retention)"
)
_SCHEDULE_RUN = text(
    "UPDATE durable.workflows SET name = :name, run = :run, state = 'waiting', wake_at = :now, wake_real = false,"
    " listening = false, attempts = 0, gate = NULL, worker_id = NULL, claimed_until = NULL, cancelling = false,"
    " deadline_at = :now + :deadline,"
    " queue = CASE WHEN :chosen THEN :queue ELSE queue END,"
    " priority = CASE WHEN :chosen THEN :priority ELSE priority END,"
    " version = CASE WHEN :chosen THEN :version ELSE version END WHERE key = :key"
)
_FORGET_HISTORY = text("DELETE FROM durable.history WHERE workflow_key = :key AND run = :run")
_FORGET_STEPS = text(
    "DELETE FROM durable.history WHERE workflow_key = :key AND run = :run AND step > :after AND step < :before"
)
_CANCEL_SEEN = text("UPDATE durable.workflows SET cancelling = false WHERE key = :key")
_NEXT_RUN = text(
    "UPDATE durable.runs SET run = run + 1, input = :input, status = coalesce(:status, status), began_at = :now,"
    " updated_at = :now WHERE workflow_key = :key AND run = :run"
)
_COUNT_RUN = text(
    "UPDATE durable.workflows SET run = run + 1, attempts = 0,"
    " claimed_until = clock_timestamp() + make_interval(secs => :seconds) WHERE key = :key"
)


def write(
    connection: Connection,
    claim: Claim,
    entries: Sequence[Entry],
    disposition: Disposition,
    *,
    status: str | None = None,
) -> None:
    """Store entries and status and say what becomes of the claim, in one statement. Raises `FenceLost`."""
    values: dict[str, Any] = {
        "key": claim.key,
        "run": claim.run,
        "fence": claim.fence,
        "status": status,
        "reason": disposition.reason if isinstance(disposition, Pause) else None,
        "progress": not isinstance(disposition, Hold) or any(entry.state in ("done", "failed") for entry in entries),
        "touch": not isinstance(disposition, Hold),
        "entries": json.dumps([_row(entry) for entry in entries]),
    }
    held = connection.execute(_WRITES[type(disposition)], values | vars(disposition)).scalar_one()
    if not held:
        raise FenceLost(f"{claim.workflow_id}: fence {claim.fence} is no longer the one in force")


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "step": entry.step,
        "kind": entry.kind,
        "name": entry.name,
        "state": entry.state,
        "arguments": entry.arguments,
        "payload": entry.payload,
        "attempt": entry.attempt,
        "due_at": entry.due_at.isoformat() if entry.due_at else None,
        "at": entry.at.isoformat(),
    }


def lock(connection: Connection, claim: Claim) -> datetime:
    """Hold the workflow's row for this transaction; returns the engine's time. Raises `FenceLost`."""
    now: datetime | None = connection.execute(_LOCK, {"key": claim.key, "fence": claim.fence}).scalar_one_or_none()
    if now is None:
        raise FenceLost(f"{claim.workflow_id}: fence {claim.fence} is no longer the one in force")
    return now


def take_signal(connection: Connection, claim: Claim, command: Receive, step: int) -> tuple[Signal, str] | None:
    """Consume the oldest unread signal that `command` waits for: the signal with its payload still encoded, or None.

    Call it with the row locked, in the transaction that stores the entry.
    """
    wanted = {"key": claim.key, "any": not command.names, "names": list(command.names)}
    row = connection.execute(_OLDEST_UNREAD, wanted).one_or_none()
    if row is None:
        return None
    connection.execute(_READ, {"run": claim.run, "step": step, "id": row.id})
    return Signal(row.name, None, row.key, row.sent_at), row.payload


def end(
    connection: Connection,
    claim: Claim,
    now: datetime,
    *,
    outcome: str,
    result: str | None = None,
    error: str | None = None,
    reason: str | None = None,
    status: str | None = None,
) -> bool:
    """End the run, with the row locked. A signal-with-start that came while it was on and that nobody read begins the
    next run at once, as if it had come a moment later; returns whether it did. One that came before has had its run:
    code that ends without reading what started it must not go round for ever."""
    ended = {"outcome": outcome, "result": result, "error": error, "reason": reason, "status": status}
    connection.execute(_END_RUN, ended | {"now": now, "key": claim.key, "run": claim.run})
    waiting = connection.execute(_UNREAD_START, {"key": claim.key, "run": claim.run}).one_or_none()
    if waiting is None:
        connection.execute(_CLOSE, {"key": claim.key})
        kin.ended(connection, claim.key, now, failed=outcome != "completed")
        return False
    begin_run(connection, claim.key, claim.run + 1, waiting.start_name, waiting.start_input, now)
    return True


def begin_run(
    connection: Connection,
    key: int,
    run: int,
    name: str,
    input_: str,
    now: datetime,
    options: WorkflowOptions | None = None,
) -> None:
    """Begin a further run of a workflow id, due at once. The row has to be locked. Without `options` the queue and the
    priority of the run before stay, and there is no deadline."""
    chosen = vars(options or WorkflowOptions()) | {"chosen": options is not None}
    given = chosen | {"key": key, "run": run, "name": name, "input": input_, "now": now}
    connection.execute(_LEAVE_CHILDREN, {"key": key})
    connection.execute(_BEGIN_RUN, given)
    connection.execute(_SCHEDULE_RUN, given)


def cancel_seen(connection: Connection, claim: Claim) -> None:
    """Note that the code has seen its cancellation. The row has to be locked."""
    connection.execute(_CANCEL_SEEN, {"key": claim.key})


def forget_steps(connection: Connection, claim: Claim, *, after: int, before: int) -> None:
    """Forget the entries between two steps. The row has to be locked."""
    which = {"key": claim.key, "run": claim.run, "after": after, "before": before}
    connection.execute(_FORGET_STEPS, which)


def continue_as_new(
    connection: Connection, claim: Claim, now: datetime, input_: str, *, status: str | None, hold: float
) -> None:
    """Begin the next run under the same claim, with the row locked: history forgotten, inbox kept."""
    connection.execute(_FORGET_HISTORY, {"key": claim.key, "run": claim.run})
    connection.execute(_NEXT_RUN, {"key": claim.key, "run": claim.run, "input": input_, "status": status, "now": now})
    connection.execute(_COUNT_RUN, {"key": claim.key, "seconds": hold})
