"""Limits of queues: how many may run at one time and how many may be claimed a second, counted over all workers; and
how many may run at one time on each worker.

The row of a limited queue is locked before its running workflows are counted, and stays locked until the claim is
committed: of two workers the second counts what the first has taken, and of two claims of one worker, the answer to the
first of which was lost, the second does. Rates are by the database's real clock, because what they protect is outside
of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

UNBOUNDED = 1_000_000

_TOKENS = """least(queues.burst, queues.tokens + queues.rate * greatest(0,
    CAST(extract(epoch FROM clock_timestamp() - queues.filled_at) AS double precision)))"""
_RUNNING = "(SELECT count(*) FROM durable.workflows WHERE state = 'running' AND queue = queues.name)"
_RUNNING_HERE = (
    "(SELECT count(*) FROM durable.workflows WHERE state = 'running' AND queue = queues.name AND worker_id = :worker)"
)
# Each in a CASE, so that nothing is counted for a limit that is not set.
_LEFT = f"CASE WHEN most_running IS NOT NULL THEN most_running - {_RUNNING} END"
_LEFT_HERE = f"CASE WHEN most_per_worker IS NOT NULL THEN most_per_worker - {_RUNNING_HERE} END"
OPENS_IN = f"""CASE WHEN {_LEFT} <= 0 OR {_LEFT_HERE} <= 0 THEN NULL WHEN rate IS NULL THEN 0
    ELSE greatest(0, (1 - {_TOKENS}) / rate) END"""
"""Seconds until a queue admits one more to `:worker`; NULL while it is full, or that worker has its share of it."""

# Two statements: only one that begins after the lock was got sees what the holder before has committed.
_LOCK = text("SELECT 1 FROM durable.queues WHERE name = ANY(:names) ORDER BY name FOR UPDATE")
_ROOM = text(f"""
UPDATE durable.queues SET filled_at = clock_timestamp(), tokens = CASE WHEN rate IS NULL THEN burst ELSE {_TOKENS} END
WHERE name = ANY(:names) RETURNING name, greatest(0, least({UNBOUNDED}, {_LEFT}, {_LEFT_HERE},
    CASE WHEN rate IS NOT NULL THEN CAST(floor(tokens) AS integer) END)) AS room
""")  # noqa: S608 - put together of our own text
_SPEND = text(
    "UPDATE durable.queues SET tokens = tokens - taken.many"
    " FROM unnest(CAST(:names AS text[]), CAST(:taken AS integer[])) AS taken(name, many)"
    " WHERE queues.name = taken.name AND rate IS NOT NULL"
)
_LIMIT = text(f"""
INSERT INTO durable.queues (name, most_running, most_per_worker, rate, burst, tokens)
VALUES (:name, :most_running, :most_per_worker, :rate, :burst, :burst)
ON CONFLICT (name) DO UPDATE SET most_running = excluded.most_running, most_per_worker = excluded.most_per_worker,
    rate = excluded.rate, burst = excluded.burst, filled_at = clock_timestamp(), tokens = CASE WHEN queues.rate IS NULL THEN excluded.burst
        ELSE least(excluded.burst, {_TOKENS}) END
""")  # noqa: S608 - put together of our own text
_UNLIMITED = text("DELETE FROM durable.queues WHERE name = :name")
_LIST = text("""
SELECT name, most_running, most_per_worker, rate, burst, coalesce(running, 0) AS running
FROM durable.queues FULL JOIN (
    SELECT queue AS name, count(*) AS running FROM durable.workflows WHERE state = 'running' GROUP BY queue
) AS busy USING (name) ORDER BY name
""")


@dataclass(frozen=True)
class Queue:
    """A queue that has a limit or runs something. `most_running` holds over all workers, `most_per_worker` on each;
    `rate` is in claims a second, `burst` what may be claimed at once; all four are None without a limit. `running`
    counts over all workers."""

    name: str
    most_running: int | None
    most_per_worker: int | None
    rate: float | None
    burst: int | None
    running: int


def admit(connection: Connection, names: Sequence[str], worker: int) -> dict[str, int]:
    """Lock these limited queues for the transaction; returns how many more this worker may claim from each now."""
    asked = {"names": list(names)}
    connection.execute(_LOCK, asked)
    return {row.name: row.room for row in connection.execute(_ROOM, asked | {"worker": worker})}


def spend(connection: Connection, taken: Mapping[str, int]) -> None:
    """Take from the locked queues the tokens for what was claimed from each."""
    connection.execute(_SPEND, {"names": list(taken), "taken": list(taken.values())})


def limit(
    connection: Connection,
    name: str,
    *,
    most_running: int | None,
    most_per_worker: int | None,
    rate: float | None,
    burst: int,
) -> None:
    """Give a queue a limit in place of the one it has. To say the same again gives it no fresh tokens."""
    limits = {"most_running": most_running, "most_per_worker": most_per_worker, "rate": rate, "burst": burst}
    connection.execute(_LIMIT, {"name": name} | limits)


def unlimited(connection: Connection, name: str) -> bool:
    """Take a queue's limit away; False when it had none."""
    return connection.execute(_UNLIMITED, {"name": name}).rowcount == 1


def list_queues(connection: Connection) -> list[Queue]:
    """The queues that have a limit or run something, by name."""
    rows = connection.execute(_LIST)
    return [Queue(**row._asdict()) for row in rows]
