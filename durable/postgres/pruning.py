"""What may be forgotten, in bounded batches: applied deliveries, read signals, ended runs, occurrences of schedules.

What is old is read in the order of its age, by an index: with nothing old it costs a few pages. The order is not there
for its own sake. Without it the planner, which guesses that a third is old, walks over the whole table.
"""

from datetime import timedelta

from sqlalchemy import Connection, text

from durable.postgres.steering import NOT_AWAITED

# Locked, so that nobody rewinds a run while its history goes; locked ones are left for the next time.
_OLD_RUNS = f"""
SELECT workflow_key, r.run FROM durable.runs r JOIN durable.workflows w ON w.key = r.workflow_key
WHERE outcome IS NOT NULL AND {{is_old}} AND (w.run > r.run OR (w.state = 'closed' AND {NOT_AWAITED}))
ORDER BY {{age}} LIMIT :most FOR UPDATE OF w SKIP LOCKED
"""  # noqa: S608 - our own text
_KEPT_UNTIL = "((updated_at AT TIME ZONE 'UTC') + keep_for)"
_FIND_RUNS = {
    "runs": text(
        _OLD_RUNS.format(is_old="keep_for IS NULL AND updated_at < (SELECT durable.now()) - :age", age="updated_at")
    ),
    "kept runs": text(
        _OLD_RUNS.format(
            is_old=f"keep_for IS NOT NULL AND {_KEPT_UNTIL} < (SELECT durable.now()) AT TIME ZONE 'UTC' - :age",
            age=_KEPT_UNTIL,
        )
    ),
}
_FORGET_RUNS = text("""
WITH old AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:keys AS bigint[]), CAST(:runs AS integer[])) AS old(workflow_key, run)
), emptied AS (
    DELETE FROM durable.history h USING old WHERE h.workflow_key = old.workflow_key AND h.run = old.run
), superseded AS (
    DELETE FROM durable.runs r USING old, durable.workflows w
    WHERE r.workflow_key = old.workflow_key AND r.run = old.run AND w.key = old.workflow_key AND w.run > old.run
)
DELETE FROM durable.workflows w USING old
WHERE w.key = old.workflow_key AND w.run = old.run AND w.state = 'closed'
""")
_FORGET = {
    "deliveries": text(
        "DELETE FROM durable.deliveries WHERE id IN (SELECT id FROM durable.deliveries WHERE state = 'applied'"
        " AND received_at < (SELECT clock_timestamp()) - :age ORDER BY received_at LIMIT :most)"
    ),
    "signals": text(
        "DELETE FROM durable.inbox WHERE id IN (SELECT id FROM durable.inbox WHERE read_at IS NOT NULL"
        " AND read_at < (SELECT durable.now()) - :age ORDER BY read_at LIMIT :most)"
    ),
    "occurrences": text("""
DELETE FROM durable.occurrences o USING (
    SELECT old.schedule, old.due_at FROM durable.occurrences old JOIN durable.schedules s ON s.name = old.schedule
    WHERE old.due_at < (SELECT durable.now()) - :age AND (s.last_at IS NULL OR old.due_at < s.last_at)
    ORDER BY old.due_at LIMIT :most
) AS gone WHERE o.schedule = gone.schedule AND o.due_at = gone.due_at
"""),
}


def prune(connection: Connection, what: str, age: timedelta, *, most: int = 1000) -> int:
    """Forget up to `most` rows of `what` older than `age`; returns how many. `what` is "deliveries", "signals", "runs",
    "kept runs" or "occurrences".

    Of a workflow declared with a retention of its own the runs are "kept runs", and `age` counts from the end of that. A
    workflow whose living parent still has to read its result stays.
    """
    asked = {"age": age, "most": most}
    if what not in _FIND_RUNS:
        return connection.execute(_FORGET[what], asked).rowcount
    old = connection.execute(_FIND_RUNS[what], asked).all()
    if old:
        connection.execute(_FORGET_RUNS, {"keys": [row.workflow_key for row in old], "runs": [row.run for row in old]})
    return len(old)
