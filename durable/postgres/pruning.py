"""What may be forgotten, in bounded batches: applied deliveries, read signals, ended runs."""

from datetime import timedelta

from sqlalchemy import Connection, text

_STATEMENTS = {
    "deliveries": text(
        "DELETE FROM durable.deliveries WHERE id IN (SELECT id FROM durable.deliveries WHERE state = 'applied'"
        " AND received_at < clock_timestamp() - :age LIMIT :most)"
    ),
    "signals": text(
        "DELETE FROM durable.inbox WHERE id IN (SELECT id FROM durable.inbox WHERE read_at IS NOT NULL"
        " AND read_at < (SELECT durable.now()) - :age LIMIT :most)"
    ),
    "runs": text("""
WITH old AS (
    SELECT workflow_key, run FROM durable.runs WHERE outcome IS NOT NULL
        AND updated_at < (SELECT durable.now()) - :age LIMIT :most
), emptied AS (
    DELETE FROM durable.history h USING old WHERE h.workflow_key = old.workflow_key AND h.run = old.run
), superseded AS (
    DELETE FROM durable.runs r USING old, durable.workflows w
    WHERE r.workflow_key = old.workflow_key AND r.run = old.run AND w.key = old.workflow_key AND w.run > old.run
)
DELETE FROM durable.workflows w USING old
WHERE w.key = old.workflow_key AND w.run = old.run AND w.state = 'closed'
"""),
}


def prune(connection: Connection, what: str, age: timedelta, *, most: int = 1000) -> int:
    """Forget up to `most` rows of `what` ("deliveries", "signals", "runs") older than `age`; returns how many."""
    return connection.execute(_STATEMENTS[what], {"age": age, "most": most}).rowcount
