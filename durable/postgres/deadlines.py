"""Workflows past their deadline: asked to end, as by an operator, each once."""

from sqlalchemy import Connection, text

from durable.postgres import cancelling

_OVERDUE = text(
    "SELECT key, workflow_id, deadline_at FROM durable.workflows WHERE deadline_at <= (SELECT durable.now())"
    " AND state <> 'closed' ORDER BY deadline_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED"
)
# The earliest in order, and not whether any exists: of that the planner guesses that a third is overdue, and walks over
# the whole table to meet one soon.
_EARLIEST_IS_OVERDUE = text(
    "SELECT deadline_at <= (SELECT durable.now()) FROM durable.workflows"
    " WHERE deadline_at IS NOT NULL AND state <> 'closed' ORDER BY deadline_at LIMIT 1"
)
_ENFORCED = text("UPDATE durable.workflows SET deadline_at = NULL WHERE key = ANY(:keys)")


def any_overdue(connection: Connection) -> bool:
    """Whether a deadline has passed."""
    return bool(connection.execute(_EARLIEST_IS_OVERDUE).scalar_one_or_none())


def enforce(connection: Connection, *, most: int = 1000) -> list[str]:
    """Cancel up to `most` runs whose deadline, in engine time, has passed; returns their workflows' ids."""
    overdue = connection.execute(_OVERDUE, {"most": most}).all()
    for row in overdue:
        cancelling.request(connection, row.workflow_id, f"its deadline, {row.deadline_at.isoformat()}, has passed")
    if overdue:
        connection.execute(_ENFORCED, {"keys": [row.key for row in overdue]})
    return [row.workflow_id for row in overdue]
