"""What may be forgotten, in bounded batches: applied deliveries, read signals, ended runs, occurrences of schedules."""

from datetime import timedelta

from sqlalchemy import Connection, text

from durable.postgres.steering import NOT_AWAITED

_STATEMENTS = {
    "deliveries": text(
        "DELETE FROM durable.deliveries WHERE id IN (SELECT id FROM durable.deliveries WHERE state = 'applied'"
        " AND received_at < (SELECT clock_timestamp()) - :age ORDER BY received_at LIMIT :most)"
    ),
    "signals": text(
        "DELETE FROM durable.inbox WHERE id IN (SELECT id FROM durable.inbox WHERE read_at IS NOT NULL"
        " AND read_at < (SELECT durable.now()) - :age ORDER BY read_at LIMIT :most)"
    ),
    # Locked, so that nobody rewinds a run while its history goes; locked ones are left for the next time.
    "runs": text(f"""
WITH old AS MATERIALIZED (
    SELECT workflow_key, r.run FROM durable.runs r JOIN durable.workflows w ON w.key = r.workflow_key
    WHERE outcome IS NOT NULL AND updated_at < (SELECT durable.now()) - coalesce(keep_for, :age)
        AND (w.run > r.run OR (w.state = 'closed' AND {NOT_AWAITED}))
    LIMIT :most FOR UPDATE OF w SKIP LOCKED
), emptied AS (
    DELETE FROM durable.history h USING old WHERE h.workflow_key = old.workflow_key AND h.run = old.run
), superseded AS (
    DELETE FROM durable.runs r USING old, durable.workflows w
    WHERE r.workflow_key = old.workflow_key AND r.run = old.run AND w.key = old.workflow_key AND w.run > old.run
)
DELETE FROM durable.workflows w USING old
WHERE w.key = old.workflow_key AND w.run = old.run AND w.state = 'closed'
"""),  # noqa: S608 - our own text
    "occurrences": text("""
DELETE FROM durable.occurrences o USING (
    SELECT old.schedule, old.due_at FROM durable.schedules s CROSS JOIN LATERAL (
        SELECT schedule, due_at FROM durable.occurrences WHERE schedule = s.name
            AND due_at < least(s.last_at, (SELECT durable.now()) - :age) ORDER BY due_at LIMIT :most
    ) AS old LIMIT :most
) AS gone WHERE o.schedule = gone.schedule AND o.due_at = gone.due_at
"""),
}


def prune(connection: Connection, what: str, age: timedelta, *, most: int = 1000) -> int:
    """Forget up to `most` rows of `what` older than `age`; returns how many. `what` is "deliveries",
    "signals", "runs" or "occurrences".

    A workflow declared with a retention of its own goes by that instead of `age`, and one whose living parent still has
    to read its result stays.
    """
    return connection.execute(_STATEMENTS[what], {"age": age, "most": most}).rowcount
