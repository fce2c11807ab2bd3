"""Gates: when a dependency refuses us until somebody mends it, its gate is closed and workflows are parked there."""

from sqlalchemy import Connection, text

from durable.model import Gate

_CLOSE = text("INSERT INTO durable.gates (name, reason) VALUES (:name, :reason) ON CONFLICT (name) DO NOTHING")
_OPEN = text("DELETE FROM durable.gates WHERE name = :name")
_WAKE = text("""
WITH parked AS MATERIALIZED (
    SELECT key FROM durable.workflows WHERE state = 'parked' AND gate = :name LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE durable.workflows w SET state = 'waiting', gate = NULL, wake_at = (SELECT durable.now()), attempts = 0
FROM parked WHERE w.key = parked.key
""")
_ALL = text(
    "SELECT name, reason, since,"
    " (SELECT count(*) FROM durable.workflows WHERE state = 'parked' AND gate = gates.name) AS parked"
    " FROM durable.gates ORDER BY name"
)
# From gate to gate by the index: there are few, however many workflows are parked at each.
_STRAYED = text("""
WITH RECURSIVE parked(gate) AS (
    SELECT min(gate) FROM durable.workflows WHERE state = 'parked'
    UNION ALL
    SELECT (SELECT min(gate) FROM durable.workflows WHERE state = 'parked' AND gate > parked.gate) FROM parked
    WHERE parked.gate IS NOT NULL
)
SELECT gate FROM parked WHERE gate IS NOT NULL AND NOT EXISTS (SELECT FROM durable.gates WHERE name = parked.gate)
""")


def close(connection: Connection, name: str, reason: str) -> None:
    """Close a gate; one that is closed keeps its first reason."""
    connection.execute(_CLOSE, {"name": name, "reason": reason[:500]})


def open_gate(connection: Connection, name: str) -> None:
    """Open a gate. Wake who is parked there with `wake`."""
    connection.execute(_OPEN, {"name": name})


def wake(connection: Connection, name: str, *, most: int = 500) -> int:
    """Make up to `most` workflows parked at this gate due; returns how many. Repeat until it is 0."""
    return connection.execute(_WAKE, {"name": name, "most": most}).rowcount


def closed(connection: Connection) -> list[Gate]:
    """Every closed gate."""
    return [Gate(row.name, row.reason, row.since, row.parked) for row in connection.execute(_ALL)]


def strayed(connection: Connection) -> list[str]:
    """Gates that are open although workflows are still parked there: parked in the moment of the opening."""
    return list(connection.execute(_STRAYED).scalars())
