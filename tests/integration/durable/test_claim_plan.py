"""What a claim reads: in proportion to what it takes, whatever else is in the table."""

from typing import Any

import pytest
from sqlalchemy import Connection, text

from durable.postgres import Database, scheduling
from durable.postgres.scheduling import Process, Serves

SLEEPERS = 50_000
CLOSED = 50_000
PROBES = 200
A_CLAIM = 60
_FILL = text("""
INSERT INTO durable.workflows (workflow_id, name, run, state, wake_at, queue, priority)
SELECT :prefix || number, 'kind' || number % 5, 1, :state, durable.now() + make_interval(secs => :due), 'default',
    number % 2
FROM generate_series(1, :many) AS number
""")


def fill(connection: Connection, prefix: str, state: str, many: int, due: float | None) -> None:
    connection.execute(_FILL, {"prefix": prefix, "state": state, "many": many, "due": due})


def buffers(connection: Connection, statement: Any, asked: dict[str, Any]) -> tuple[int, int]:
    """How many rows the statement really gives, and how many buffers it touches for them."""
    explained = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement.text}")
    (plan,) = connection.execute(explained, asked).scalar_one()
    top = plan["Plan"]
    return top["Actual Rows"], sum(top[f"Shared {kind} Blocks"] for kind in ("Hit", "Read"))


def claiming(connection: Connection, most: int) -> dict[str, Any]:
    worker = scheduling.register(connection, Process("here", 1, 0), 600)
    names = [f"kind{number}" for number in range(5)]
    return scheduling.asked_of_claim(worker, Serves(names), most, A_CLAIM, {})


@pytest.fixture
def crowded(database: Database) -> Database:
    with database.transaction("fill") as connection:
        fill(connection, "sleeper", "waiting", SLEEPERS, 3600)
        fill(connection, "listener", "waiting", 1000, None)
        fill(connection, "closed", "closed", CLOSED, None)
    return database


@pytest.fixture(params=["with statistics", "without statistics"])
def table(request: pytest.FixtureRequest, crowded: Database) -> Database:
    if request.param == "with statistics":
        with crowded.statement("analyze") as connection:
            connection.execute(text("ANALYZE durable.workflows"))
    return crowded


def test_a_claim_of_nothing_reads_a_few_pages_per_lane_and_no_sleepers(table: Database) -> None:
    with table.transaction("test") as connection:
        rows, touched = buffers(connection, scheduling.CLAIM, claiming(connection, 8))
    assert rows == 0
    assert touched < PROBES


def test_looking_ahead_reads_a_few_pages_per_lane_and_no_sleepers(table: Database) -> None:
    with table.transaction("test") as connection:
        rows, touched = buffers(connection, scheduling.OUTLOOK, claiming(connection, 8))
    assert rows == 1
    assert touched < PROBES


def test_a_claim_of_ten_reads_in_proportion_to_ten(table: Database) -> None:
    with table.transaction("test") as connection:
        fill(connection, "due", "waiting", 10, -1)
        rows, touched = buffers(connection, scheduling.CLAIM, claiming(connection, 10))
    assert rows == 10
    assert touched < PROBES + 10 * A_CLAIM


def test_a_claim_of_one_from_a_large_backlog_does_not_read_the_backlog(table: Database) -> None:
    with table.transaction("test") as connection:
        fill(connection, "due", "waiting", 10_000, -1)
        rows, touched = buffers(connection, scheduling.CLAIM, claiming(connection, 1))
    assert rows == 1
    assert touched < 3 * PROBES


def test_a_limited_queue_with_a_large_backlog_and_no_room_costs_the_others_nothing(table: Database) -> None:
    with table.transaction("test") as connection:
        connection.execute(text("INSERT INTO durable.queues (name, rate) VALUES ('default', 0.001)"))
        fill(connection, "due", "waiting", 10_000, -1)
        rows, touched = buffers(connection, scheduling.CLAIM, claiming(connection, 8))
    assert rows == 0
    assert touched < PROBES
