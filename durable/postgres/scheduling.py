"""Who works on what: workers and their leases, the claim of what is due, and the return of what was left behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from durable.model import Claim, Entry

UNREADABLE = ""
"""The input of a workflow whose run is missing: no JSON, so the workflow is paused when it is run."""


@dataclass(frozen=True)
class Process:
    """Which process a worker is. `host` names machine, boot and process namespace; `pid_started` is in seconds."""

    host: str
    pid: int
    pid_started: int


_REGISTER = text(
    "INSERT INTO durable.workers (host, pid, pid_started, started_at, lease_until) VALUES (:host, :pid, :pid_started,"
    " clock_timestamp(), clock_timestamp() + make_interval(secs => :lease)) RETURNING id"
)
_BEAT = text(
    "UPDATE durable.workers SET lease_until = clock_timestamp() + make_interval(secs => :lease)"
    " WHERE id = :id AND lease_until > clock_timestamp() RETURNING id"
)
_PEERS = text("SELECT id, host, pid, pid_started FROM durable.workers WHERE host = :host")
_CLAIM = text("""
WITH due AS MATERIALIZED (
    SELECT key FROM durable.workflows
    WHERE state = 'waiting' AND wake_at <= (SELECT durable.now()) AND name = ANY(:names)
    ORDER BY wake_at LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE durable.workflows w SET state = 'running', fence = fence + 1, worker_id = :worker, listening = false,
    wake_real = false, attempts = attempts + 1,
    claimed_until = clock_timestamp() + make_interval(secs => :hold)
FROM due WHERE w.key = due.key
    AND EXISTS (SELECT FROM durable.workers WHERE id = :worker AND lease_until > clock_timestamp())
RETURNING w.key, w.workflow_id, w.name, w.run, w.fence, w.attempts, (SELECT durable.now()) AS now
""")
_RUNS = text(
    "SELECT workflow_key, began_at, input FROM durable.runs"
    " JOIN unnest(CAST(:keys AS bigint[]), CAST(:runs AS integer[])) AS claimed(key, number)"
    " ON workflow_key = claimed.key AND run = claimed.number"
)
_HISTORY = text(
    "SELECT workflow_key, step, kind, name, state, payload, attempt, due_at, at FROM durable.history"
    " JOIN unnest(CAST(:keys AS bigint[]), CAST(:runs AS integer[])) AS claimed(key, number)"
    " ON workflow_key = claimed.key AND run = claimed.number"
)
_NEXT_DUE = text(
    "SELECT extract(epoch FROM wake_at - (SELECT durable.now())) FROM durable.workflows"
    " WHERE state = 'waiting' AND wake_at IS NOT NULL AND name = ANY(:names) ORDER BY wake_at LIMIT 1"
)
_RELEASE = text(
    "UPDATE durable.workflows SET state = 'waiting', wake_at = (SELECT durable.now()), worker_id = NULL,"
    " claimed_until = NULL, attempts = greatest(attempts - 1, 0)"
    " WHERE key = :key AND fence = :fence AND state = 'running'"
)
_RECLAIM = text("""
WITH dead AS (
    SELECT id FROM durable.workers WHERE lease_until <= clock_timestamp() OR id = ANY(:dead)
), stray AS MATERIALIZED (
    SELECT key FROM durable.workflows w WHERE state = 'running' AND (worker_id IN (SELECT id FROM dead)
        OR claimed_until <= clock_timestamp()
        OR NOT EXISTS (SELECT FROM durable.workers WHERE id = w.worker_id))
    ORDER BY key LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE durable.workflows w SET state = 'waiting', wake_at = (SELECT durable.now()), worker_id = NULL,
    claimed_until = NULL
FROM stray WHERE w.key = stray.key RETURNING w.workflow_id
""")
_FORGET = text(
    "DELETE FROM durable.workers w WHERE (lease_until <= clock_timestamp() OR id = ANY(:dead))"
    " AND NOT EXISTS (SELECT FROM durable.workflows WHERE state = 'running' AND worker_id = w.id) RETURNING id"
)
_RETIRE = text("DELETE FROM durable.workers WHERE id = :id")


def register(connection: Connection, process: Process, lease: float) -> int:
    """Give a worker a row and a lease of `lease` seconds; returns its id."""
    worker: int = connection.execute(_REGISTER, vars(process) | {"lease": lease}).scalar_one()
    return worker


def beat(connection: Connection, worker: int, lease: float) -> bool:
    """Renew the lease; False when it had run out: this worker has been written off and needs a new row."""
    return connection.execute(_BEAT, {"id": worker, "lease": lease}).one_or_none() is not None


def peers(connection: Connection, host: str) -> dict[int, Process]:
    """The workers with a row on this host, by id."""
    rows = connection.execute(_PEERS, {"host": host})
    return {row.id: Process(row.host, row.pid, row.pid_started) for row in rows}


def claim(connection: Connection, worker: int, names: Sequence[str], most: int, hold: float) -> list[Claim]:
    """Take up to `most` due workflows of these names, the longest due first, with their whole histories.

    Three statements for any number of workflows. `hold` (seconds, real time) bounds how long a claim may stay silent.
    """
    wanted = {"worker": worker, "names": list(names), "most": most, "hold": hold}
    taken = connection.execute(_CLAIM, wanted).all()
    if not taken:
        return []
    which = {"keys": [row.key for row in taken], "runs": [row.run for row in taken]}
    runs = {row.workflow_key: row for row in connection.execute(_RUNS, which)}
    histories: dict[int, dict[int, Entry]] = {row.key: {} for row in taken}
    for row in connection.execute(_HISTORY, which):
        histories[row.workflow_key][row.step] = entry_of(row)
    return [
        Claim(
            key=row.key,
            workflow_id=row.workflow_id,
            name=row.name,
            run=row.run,
            fence=row.fence,
            attempts=row.attempts,
            now=row.now,
            created_at=runs[row.key].began_at if row.key in runs else row.now,
            input=runs[row.key].input if row.key in runs else UNREADABLE,
            history=histories[row.key],
        )
        for row in taken
    ]


def entry_of(row: Any) -> Entry:
    """A history row as an entry (without its arguments, which no replay needs)."""
    return Entry(
        step=row.step,
        kind=row.kind,
        name=row.name,
        state=row.state,
        at=row.at,
        payload=row.payload,
        due_at=row.due_at,
        attempt=row.attempt,
    )


def next_due(connection: Connection, names: Sequence[str]) -> float | None:
    """Seconds until the earliest timer of these workflows is due (negative: it is), or None without one."""
    seconds = connection.execute(_NEXT_DUE, {"names": list(names)}).scalar_one_or_none()
    return None if seconds is None else float(seconds)


def release(connection: Connection, claimed: Claim) -> bool:
    """Give a workflow back, due at once, for any worker to go on with; False when it is no longer ours."""
    return connection.execute(_RELEASE, {"key": claimed.key, "fence": claimed.fence}).rowcount == 1


def reclaim(connection: Connection, dead: Sequence[int] = (), *, most: int = 1000) -> list[str]:
    """Return what dead workers left: those whose lease ran out, those in `dead`, and claims past their deadline.

    Gives the ids of up to `most` workflows that are now due again, then forgets dead workers that hold nothing.
    """
    returned = [row.workflow_id for row in connection.execute(_RECLAIM, {"dead": list(dead), "most": most})]
    connection.execute(_FORGET, {"dead": list(dead)})
    return returned


def retire(connection: Connection, worker: int) -> list[str]:
    """End a worker: what it still holds goes back, and its row goes."""
    returned = reclaim(connection, (worker,))
    connection.execute(_RETIRE, {"id": worker})
    return returned


def engine_now(connection: Connection) -> datetime:
    """The engine's time."""
    now: datetime = connection.execute(text("SELECT durable.now()")).scalar_one()
    return now
