"""What a run writes: its history, its status, its waits and its end. Every statement carries the fence.

A write of a worker whose fence is old changes nothing and raises `FenceLost`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, TextClause, text

from durable.model import Claim, Entry, Receive, Signal


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


@dataclass(frozen=True)
class Close:
    """End the run, if that concerns its own row alone: `FenceLost` else, and `endings.end` sees to it.

    `result` is encoded; `error` is a traceback, `reason` says it in a line.
    """

    outcome: str
    result: str | None = None
    error: str | None = None
    reason: str | None = None


Disposition = Hold | Wait | ParkAt | Pause | Close
CLOSED = "state = 'closed', wake_at = NULL, listening = false, gate = NULL, worker_id = NULL, claimed_until = NULL"
ALONE = """NOT w.awaited AND NOT w.recalled
    AND NOT EXISTS (SELECT FROM durable.children WHERE parent_key = w.key)"""
"""That nobody's parent or child is concerned by the end of the workflow `w`, and no signal would begin its next run."""

_RELEASED = "worker_id = NULL, claimed_until = NULL"
_SETS: dict[type, str] = {
    Hold: "claimed_until = clock_timestamp() + make_interval(secs => :seconds)",
    Wait: "state = 'waiting', wake_at = CASE WHEN cancelling THEN durable.now() ELSE :wake_at END, "
    f"wake_real = :real, listening = :listening, {_RELEASED}",
    ParkAt: f"state = 'parked', gate = :gate, wake_at = NULL, listening = false, {_RELEASED}",
    Pause: f"state = 'paused', wake_at = NULL, listening = false, {_RELEASED}",
    Close: CLOSED,
}
WRITTEN = """written AS (
    INSERT INTO durable.history
        (workflow_key, run, step, kind, name, state, arguments, payload, attempt, due_at, at)
    SELECT key, held.run, step, kind, name, entry.state, arguments, payload, attempt, due_at, at
    FROM held {join} json_to_recordset(CAST(:entries AS json)) AS entry({keyed}step integer, kind text, name text,
        state text, arguments text, payload text, attempt integer, due_at timestamptz, at timestamptz) {using}
    ON CONFLICT (workflow_key, run, step) DO UPDATE SET state = excluded.state, payload = excluded.payload,
        attempt = excluded.attempt, due_at = excluded.due_at, at = excluded.at
)"""
ONE_WRITTEN = WRITTEN.format(join="CROSS JOIN", keyed="", using="")
_HELD = """held AS (
    UPDATE durable.workflows w SET {sets}, attempts = CASE WHEN :progress THEN 0 ELSE attempts END
    WHERE key = :key AND fence = :fence AND state = 'running'{only} RETURNING key, run
)"""
_SHOWN = """shown AS (
    UPDATE durable.runs SET status = coalesce(:status, status), reason = :reason, updated_at = (SELECT durable.now()),
        outcome = :outcome, result = :result, error = :error
    WHERE workflow_key = :key AND run = :run AND EXISTS (SELECT FROM held)
)"""
FORGOTTEN = """forgotten AS (
    DELETE FROM durable.history
    WHERE workflow_key = :key AND run = :run AND step > :after AND step < :before AND EXISTS (SELECT FROM held)
)"""


def _statement(disposition: type, *parts: str) -> TextClause:
    held = _HELD.format(sets=_SETS[disposition], only=f" AND {ALONE}" if disposition is Close else "")
    return text("WITH " + ", ".join((held, *parts)) + " SELECT count(*) FROM held")  # noqa: S608 - our own text


# Most writes go on with the run and show nothing new: they leave the row of the run alone.
_WRITE_ON = _statement(Hold, ONE_WRITTEN)
_WRITES = {kind: _statement(kind, _SHOWN, ONE_WRITTEN) for kind in _SETS}
_FORGETTING_WRITES = {kind: _statement(kind, _SHOWN, ONE_WRITTEN, FORGOTTEN) for kind in _SETS}
_LOCK = text(
    "SELECT (SELECT durable.now()) FROM durable.workflows"
    " WHERE key = :key AND fence = :fence AND state = 'running' FOR NO KEY UPDATE"
)
# Two statements in one trip: only one that begins after the lock was got sees what its holder before has committed.
_LOOK = text(f"""{_LOCK.text};
SELECT clock.now, signal.* FROM (SELECT durable.now() AS now) AS clock LEFT JOIN LATERAL (
    SELECT id, name, payload, key, sent_at FROM durable.inbox
    WHERE workflow_key = :key AND read_at IS NULL AND (:any OR name = ANY(:names)) ORDER BY id LIMIT 1
) AS signal ON true
WHERE EXISTS (SELECT FROM durable.workflows WHERE key = :key AND fence = :fence AND state = 'running')
""")  # noqa: S608 - put together of our own text
_READ = text(
    "UPDATE durable.inbox SET read_run = :run, read_step = :step, read_at = (SELECT durable.now()) WHERE id = :id"
)
_CANCEL_SEEN = text("UPDATE durable.workflows SET cancelling = false WHERE key = :key")


@dataclass(frozen=True)
class Forget:
    """The entries between two steps, neither of them included: those of a loop's round before."""

    after: int = 0
    before: int = 0


@dataclass(frozen=True)
class Write:
    """What one claim has to store: entries, a status to show (None: the one it shows), what becomes of it, and what is
    forgotten."""

    claim: Claim
    entries: Sequence[Entry]
    disposition: Disposition
    status: str | None = None
    forget: Forget | None = None

    @property
    def is_progress(self) -> bool:
        """Whether a worker that dies after this has not died of the same thing as before."""
        settled = any(entry.state in ("done", "failed") for entry in self.entries)
        return settled or not isinstance(self.disposition, Hold)

    @property
    def shows(self) -> bool:
        """Whether what is seen of the run from outside changes."""
        return self.status is not None or not isinstance(self.disposition, Hold)


def write(connection: Connection, order: Write) -> None:
    """Carry out one write in one statement. Raises `FenceLost`."""
    if order.forget is not None:
        statement = _FORGETTING_WRITES[type(order.disposition)]
    else:
        statement = _WRITES[type(order.disposition)] if order.shows else _WRITE_ON
    if not connection.execute(statement, values_of(order)).scalar_one():
        raise lost(order.claim)


_NOTHING = Forget()
_STILL_OPEN = {"outcome": None, "result": None, "error": None, "reason": None}


def values_of(order: Write) -> dict[str, Any]:
    """A write as parameters of a statement, a value for each that any disposition has."""
    given = {
        "key": order.claim.key,
        "run": order.claim.run,
        "fence": order.claim.fence,
        "status": order.status,
        "progress": order.is_progress,
        "entries": rows_of(order.entries),
    }
    return _STILL_OPEN | given | vars(order.disposition) | vars(order.forget or _NOTHING)


def lost(claim: Claim) -> FenceLost:
    """The error for a claim whose fence is old."""
    return FenceLost(f"{claim.workflow_id}: fence {claim.fence} is no longer the one in force")


def rows_of(entries: Sequence[Entry], **more: Any) -> str:
    """Entries as the JSON that `WRITTEN` takes; `more` goes into each."""
    return json.dumps([_row(entry) | more for entry in entries])


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
        raise lost(claim)
    return now


def look_for_signal(
    connection: Connection, claim: Claim, command: Receive
) -> tuple[datetime, tuple[int, Signal, str] | None]:
    """Hold the workflow's row, and look for the oldest unread signal that `command` waits for.

    Returns the engine's time and the signal, if there is one: its number for `read`, itself without its payload, and its
    payload still encoded. Raises `FenceLost`.
    """
    wanted = {"key": claim.key, "fence": claim.fence, "any": not command.names, "names": list(command.names)}
    row = connection.execute(_LOOK, wanted).one_or_none()
    if row is None:
        raise lost(claim)
    return row.now, None if row.id is None else (row.id, Signal(row.name, None, row.key, row.sent_at), row.payload)


def read(connection: Connection, claim: Claim, number: int, step: int) -> None:
    """Consume a signal for a step, in the transaction that found it."""
    connection.execute(_READ, {"run": claim.run, "step": step, "id": number})


def cancel_seen(connection: Connection, claim: Claim) -> None:
    """Note that the code has seen its cancellation. The row has to be locked."""
    connection.execute(_CANCEL_SEEN, {"key": claim.key})
