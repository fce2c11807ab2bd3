"""Many claims' writes in one statement and one commit. It waits for no lock: what it cannot have at once it leaves out."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from durable.postgres.journal import ALONE, WRITTEN, Close, Hold, Wait, Write, rows_of

_FORGOTTEN = """
, forgotten AS (
    DELETE FROM durable.history h USING held
    WHERE h.workflow_key = held.key AND h.run = held.run AND h.step > held.after AND h.step < held.before
)
"""
_WRITE = f"""
WITH asked AS MATERIALIZED (
    SELECT * FROM json_to_recordset(CAST(:writes AS json)) AS a(key bigint, fence bigint, state text, status text,
        shows boolean, progress boolean, seconds double precision, wake_at timestamptz, real boolean, listening boolean,
        outcome text, result text, error text, reason text, after integer, before integer)
), free AS MATERIALIZED (
    SELECT asked.* FROM asked JOIN durable.workflows w USING (key)
    WHERE w.fence = asked.fence AND w.state = 'running' AND (asked.outcome IS NULL OR ({ALONE}))
    FOR NO KEY UPDATE OF w SKIP LOCKED
), held AS (
    UPDATE durable.workflows w SET attempts = CASE WHEN free.progress THEN 0 ELSE w.attempts END, state = free.state,
        claimed_until = clock_timestamp() + make_interval(secs => free.seconds),
        worker_id = CASE WHEN free.state = 'running' THEN w.worker_id END,
        wake_at = CASE WHEN free.state = 'running' THEN w.wake_at
            WHEN w.cancelling AND free.state = 'waiting' THEN durable.now() ELSE free.wake_at END,
        wake_real = coalesce(free.real, w.wake_real), listening = coalesce(free.listening, w.listening)
    FROM free WHERE w.key = free.key
    RETURNING w.key, w.run, free.status, free.shows, free.outcome, free.result, free.error, free.reason,
        free.after, free.before
), shown AS (
    UPDATE durable.runs r SET status = coalesce(held.status, r.status), outcome = held.outcome, result = held.result,
        error = held.error, reason = held.reason, updated_at = clock.now
    FROM held, (SELECT durable.now() AS now) AS clock
    WHERE held.shows AND r.workflow_key = held.key AND r.run = held.run
), {WRITTEN.format(join="JOIN", keyed="key bigint, ", using="USING (key)")}
"""  # noqa: S608 - put together of our own text
_WRITTEN = "SELECT key FROM held"
_WRITE_ON, _WRITE_AND_FORGET = text(_WRITE + _WRITTEN), text(_WRITE + _FORGOTTEN + _WRITTEN)


def is_fit(order: Write) -> bool:
    """Whether a write may share its statement with others."""
    return isinstance(order.disposition, Hold | Wait | Close)


def write_all(connection: Connection, orders: Sequence[Write]) -> set[int]:
    """Carry out as many of these writes as can be at once; returns the keys of the workflows whose write was. One that
    was left out has lost its fence, or somebody holds its row at the moment, or it is an end that concerns others."""
    rows = [_asked(order) for order in orders]
    entries = ",".join(rows_of(order.entries, key=order.claim.key)[1:-1] for order in orders if order.entries)
    given = {"writes": json.dumps(rows), "entries": f"[{entries}]"}
    statement = _WRITE_AND_FORGET if any(order.forget for order in orders) else _WRITE_ON
    return set(connection.execute(statement, given).scalars())


def _asked(order: Write) -> dict[str, Any]:
    asked = {
        "key": order.claim.key,
        "fence": order.claim.fence,
        "status": order.status,
        "shows": order.shows,
        "progress": order.is_progress,
    }
    if order.forget is not None:
        asked |= vars(order.forget)
    match order.disposition:
        case Hold(seconds):
            return asked | {"state": "running", "seconds": seconds}
        case Wait(wake_at, listening, real):
            due = None if wake_at is None else wake_at.isoformat()
            return asked | {"state": "waiting", "wake_at": due, "listening": listening, "real": real}
        case Close():
            return asked | {"state": "closed", "listening": False} | vars(order.disposition)
    raise TypeError(f"{order.disposition!r} is written by itself")
