"""Workflows in hundreds of thousands, put down as rows the way the engine leaves them: asleep, or ended."""

import zlib
from datetime import timedelta

from sqlalchemy import Connection, text

from durable.postgres import Database, gates

NAP = "nap"
"""What they are where nothing else is said: `tests.support.worker_process` knows the workflow of this name."""
A_MOMENT = timedelta(milliseconds=1)
BODY = zlib.compress(bytes(range(256)))

_SLEEPERS = text("""
WITH clock AS MATERIALIZED (SELECT durable.now() AS now), begun AS (
    INSERT INTO durable.workflows (workflow_id, name, run, state, wake_at, fence, priority)
    SELECT :name || '-' || :prefix || '-' || number, :name, 1, 'waiting', now + :due + number * CAST(:apart AS interval),
        1, number % :priorities
    FROM clock, generate_series(1, :many) AS number
    RETURNING key, wake_at
), given AS (
    INSERT INTO durable.runs (workflow_key, run, name, input, created_at, began_at, updated_at)
    SELECT key, 1, :name, '[[3600],{}]', now, now, now FROM begun, clock
)
INSERT INTO durable.history (workflow_key, run, step, kind, name, state, arguments, payload, attempt, due_at, at)
SELECT key, 1, 1, 'sleep', '', 'started', NULL, 'null', 0, wake_at, now FROM begun, clock
""")
# Ended over the last three weeks, the oldest first, and every third one as a child of the one before it.
_ENDED = text("""
WITH clock AS MATERIALIZED (SELECT durable.now() AS now), closed AS (
    INSERT INTO durable.workflows (workflow_id, name, run, state, fence)
    SELECT :name || '-' || :prefix || '-' || number, :name, 1, 'closed', 2 FROM generate_series(1, :many) AS number
    RETURNING key
), placed AS (
    SELECT key, now - interval '21 days' * (1 - row_number() OVER (ORDER BY key) / CAST(:many + 1 AS float)) AS ended
    FROM closed, clock
), outcomes AS (
    INSERT INTO durable.runs (workflow_key, run, name, input, outcome, result, created_at, began_at, updated_at)
    SELECT key, 1, :name, '[[3600],{}]', 'completed', 'null', ended, ended, ended FROM placed
), kin AS (
    INSERT INTO durable.children (child_key, parent_key, on_parent_close)
    SELECT key, key - 1, 'terminate' FROM placed WHERE key % 3 = 0 AND key > (SELECT min(key) FROM placed)
), signals AS (
    INSERT INTO durable.inbox (workflow_key, key, name, payload, sent_at, read_run, read_step, read_at)
    SELECT key, 'delivery-' || key, 'pushed', '"payload"', ended, 1, 1, ended FROM placed
), deliveries AS (
    INSERT INTO durable.deliveries (source, delivery_id, headers, body, state, attempts, received_at, next_at)
    SELECT 'web', :prefix || '-' || key, '{}', :body, 'applied', 1, recent, recent
    FROM (SELECT key, now - (now - ended) / 4 AS recent FROM placed, clock) AS arrived
)
INSERT INTO durable.history (workflow_key, run, step, kind, name, state, arguments, payload, attempt, due_at, at)
SELECT key, 1, step, 'activity', 'post', 'done', '[[],{}]', '"posted"', 1, NULL, ended
FROM placed, generate_series(1, 2) AS step
""")
_DEADLINES = text(
    "UPDATE durable.workflows SET deadline_at = wake_at + interval '30 days' WHERE state = 'waiting' AND key % 4 = 0"
)
_PARKED = text(
    "UPDATE durable.workflows SET state = 'parked', gate = :gate, wake_at = NULL"
    " WHERE state = 'waiting' AND workflow_id LIKE '%-parked-%'"
)
_BACKLOG = text("""
INSERT INTO durable.deliveries (source, delivery_id, headers, body)
SELECT 'web', 'waiting-' || number, '{}', :body FROM generate_series(1, :many) AS number
""")
_SCHEDULES = text("""
INSERT INTO durable.schedules (name, workflow, input, spec, next_at, last_at, created_at)
SELECT 'yearly-' || number, :name, '[[3600],{}]', '{}', now + interval '300 days', now, now
FROM durable.now(), generate_series(1, :many) AS number
""")
_LISTENING = text(
    "UPDATE durable.workflows SET wake_at = NULL, listening = true WHERE name = :name AND workflow_id LIKE '%-listener-%'"
)
_NO_COLUMN_STATISTICS = text(
    "DELETE FROM pg_statistic USING pg_class WHERE starelid = oid AND relnamespace = 'durable'::regnamespace"
)
_NO_TABLE_STATISTICS = text(
    "UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relnamespace = 'durable'::regnamespace AND relkind IN ('r', 'i')"
)


def put_asleep(
    connection: Connection,
    many: int,
    *,
    name: str = NAP,
    prefix: str = "sleeper",
    due: timedelta = timedelta(days=30),
    apart: timedelta = A_MOMENT,
    priorities: int = 1,
) -> None:
    """`many` workflows asleep, the first due in `due`, each next one `apart` later, in turn of each priority."""
    asked = {"name": name, "prefix": prefix, "due": due, "apart": apart, "priorities": priorities}
    connection.execute(_SLEEPERS, asked | {"many": many})


def give_deadlines(connection: Connection) -> None:
    """Every fourth sleeper gets a deadline, a month after it is due."""
    connection.execute(_DEADLINES)


def put_parked(connection: Connection, many: int, gate: str) -> None:
    """`many` workflows parked at a closed gate."""
    put_asleep(connection, many, prefix="parked")
    connection.execute(_PARKED, {"gate": gate})
    gates.close(connection, gate, "refused")


def put_undispatched(connection: Connection, many: int) -> None:
    """`many` deliveries from "web" that were taken in and wait for the dispatcher."""
    connection.execute(_BACKLOG, {"many": many, "body": BODY})


def put_listening(connection: Connection, many: int, *, name: str = NAP) -> None:
    """`many` workflows that wait for a signal, for ever."""
    put_asleep(connection, many, name=name, prefix="listener")
    connection.execute(_LISTENING, {"name": name})


def put_ended(connection: Connection, many: int, *, name: str = NAP) -> None:
    """`many` workflows that completed in the last three weeks, each with its history, a read signal and a delivery from
    "web". Every third was a child."""
    connection.execute(_ENDED, {"many": many, "name": name, "prefix": "ended", "body": BODY})


def put_schedules(connection: Connection, many: int) -> None:
    """`many` schedules of which none is due for months."""
    connection.execute(_SCHEDULES, {"many": many, "name": NAP})


def forget_statistics(connection: Connection) -> None:
    """Leave the planner as it is right after a restore, before anybody analysed. Takes a superuser."""
    connection.execute(_NO_COLUMN_STATISTICS)
    connection.execute(_NO_TABLE_STATISTICS)


def settle(database: Database) -> None:
    """Vacuum and analyse, as autovacuum would in a minute, so that it does not do so in the middle of a measurement."""
    with database.statement("settle") as connection:
        connection.execute(text("VACUUM (ANALYZE, INDEX_CLEANUP ON)"))
