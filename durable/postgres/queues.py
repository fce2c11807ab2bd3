"""Limits of queues: how many may run at one time and how many may be claimed a second, counted over all workers.

The row of a limited queue is locked before its running workflows are counted, and stays locked until the claim is
committed: of two workers the second counts what the first has taken. Rates are by the database's real clock, because
what they protect is outside of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

UNBOUNDED = 1_000_000

_TOKENS = """least(queues.burst, queues.tokens + queues.rate * greatest(0,
    CAST(extract(epoch FROM clock_timestamp() - queues.filled_at) AS double precision)))"""
_RUNNING = "(SELECT count(*) FROM durable.workflows WHERE state = 'running' AND queue = queues.name)"
OPENS_IN = f"""CASE WHEN most_running <= {_RUNNING} THEN NULL WHEN rate IS NULL THEN 0
    ELSE greatest(0, (1 - {_TOKENS}) / rate) END"""
"""Seconds until a queue admits one more; NULL while it is full."""

# Two statements: only one that begins after the lock was got sees what the holder before has committed.
_LOCK = text("SELECT 1 FROM durable.queues WHERE name = ANY(:names) ORDER BY name FOR UPDATE")
_ROOM = text(f"""
UPDATE durable.queues SET filled_at = clock_timestamp(), tokens = CASE WHEN rate IS NULL THEN burst ELSE {_TOKENS} END
WHERE name = ANY(:names) RETURNING name, greatest(0, least({UNBOUNDED}, most_running - {_RUNNING},
    CASE WHEN rate IS NOT NULL THEN CAST(floor(tokens) AS integer) END)) AS room
""")  # noqa: S608 - put together of our own text
_SPEND = text(
    "UPDATE durable.queues SET tokens = tokens - taken.many"
    " FROM unnest(CAST(:names AS text[]), CAST(:taken AS integer[])) AS taken(name, many)"
    " WHERE queues.name = taken.name AND rate IS NOT NULL"
)
_LIMIT = text(f"""
INSERT INTO durable.queues (name, most_running, rate, burst, tokens) VALUES (:name, :most_running, :rate, :burst, :burst)
ON CONFLICT (name) DO UPDATE SET most_running = excluded.most_running, rate = excluded.rate, burst = excluded.burst,
    filled_at = clock_timestamp(), tokens = CASE WHEN queues.rate IS NULL THEN excluded.burst
        ELSE least(excluded.burst, {_TOKENS}) END
""")  # noqa: S608 - put together of our own text
_UNLIMITED = text("DELETE FROM durable.queues WHERE name = :name")
_LIST = text("""
SELECT name, most_running, rate, burst, coalesce(running, 0) AS running
FROM durable.queues FULL JOIN (
    SELECT queue AS name, count(*) AS running FROM durable.workflows WHERE state = 'running' GROUP BY queue
) AS busy USING (name) ORDER BY name
""")


@dataclass(frozen=True)
class Queue:
    """A queue that has a limit or runs something. `rate` is in claims a second, `burst` what may be claimed at once;
    all three are None without a limit. `running` counts over all workers."""

    name: str
    most_running: int | None
    rate: float | None
    burst: int | None
    running: int


def admit(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """Lock these limited queues for the transaction; returns how many more each may have claimed from it now."""
    asked = {"names": list(names)}
    connection.execute(_LOCK, asked)
    return {row.name: row.room for row in connection.execute(_ROOM, asked)}


def spend(connection: Connection, taken: Mapping[str, int]) -> None:
    """Take from the locked queues the tokens for what was claimed from each."""
    connection.execute(_SPEND, {"names": list(taken), "taken": list(taken.values())})


def limit(connection: Connection, name: str, most_running: int | None, rate: float | None, burst: int) -> None:
    """Give a queue a limit in place of the one it has. To say the same again gives it no fresh tokens."""
    connection.execute(_LIMIT, {"name": name, "most_running": most_running, "rate": rate, "burst": burst})


def unlimited(connection: Connection, name: str) -> bool:
    """Take a queue's limit away; False when it had none."""
    return connection.execute(_UNLIMITED, {"name": name}).rowcount == 1


def list_queues(connection: Connection) -> list[Queue]:
    """The queues that have a limit or run something, by name."""
    rows = connection.execute(_LIST)
    return [Queue(row.name, row.most_running, row.rate, row.burst, row.running) for row in rows]
