"""What is measured without a counterpart: the floor that PostgreSQL sets, and parts of ours that DBOS has not."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg2
from sqlalchemy import text

from durable.intake import Delivery, Intake
from durable.postgres import Database
from durable.testing import InlineWorker
from tests.benchmarks.vigil_side import sleeper

ROWS = 2000
SLEEPERS = 20_000
LOOKS = 200


def commits_of_bare_psycopg2(database: Database) -> float:
    """Single-row inserts a second, each committed, from one thread: the floor that one writer cannot go below."""
    connection = psycopg2.connect(database.url.set(drivername="postgresql").render_as_string(hide_password=False))
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE IF NOT EXISTS floor (id bigserial PRIMARY KEY, payload text)")

    def insert_many() -> None:
        for number in range(ROWS):
            cursor.execute("INSERT INTO floor (payload) VALUES (%s)", (str(number),))

    rate = ROWS / _seconds(insert_many)
    connection.close()
    return rate


def milliseconds_of_a_look_for_due_work(database: Database) -> float:
    """One look ahead and one claim while many workflows sleep and none is due."""
    with database.transaction("sleepers") as connection:
        connection.execute(
            text(
                "INSERT INTO durable.workflows (workflow_id, name, run, state, wake_at)"
                " SELECT 'sleeper-' || clock_timestamp() || n, :name, 1, 'waiting', durable.now() + interval '1 day'"
                " FROM generate_series(1, :many) AS n"
            ),
            {"many": SLEEPERS, "name": sleeper.name},
        )
    with database.statement("analyze") as connection:
        connection.execute(text("ANALYZE durable.workflows"))
    worker = InlineWorker(database, workflows=[sleeper])

    def look() -> None:
        for _ in range(LOOKS):
            worker._taking.take(8, worker._taking.outlook())

    took = _seconds(look) / LOOKS * 1000
    worker.close()
    return took


def deliveries(database: Database) -> float:
    """Deliveries of 25 KB a second, committed by sixteen callers at once through the group commit."""
    intake = Intake(database)
    prefix = f"bench-{time.monotonic_ns()}"
    body = b'{"pull_request": "' + b"payload " * 3200 + b'"}'

    def put_many() -> None:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda number: intake.put(Delivery("bench", f"{prefix}-{number}", {}, body)), range(ROWS)))

    return ROWS / _seconds(put_many)


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
