"""What a claim and the look before it read: in proportion to what is due, whatever else is in the tables."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from durable.postgres import Database, scheduling
from durable.postgres.scheduling import Process, Serves
from tests.support import crowd
from tests.support.chaos import Figure, sized
from tests.support.database import Databases
from tests.support.explained import Touched, touching_at_most, undone

SLEEPERS = ENDED = sized(10_000, 300_000)
KINDS = [f"kind{number}" for number in range(5)]
PROBES = 200
A_CLAIM = 60
"""Of one workflow: found, locked, updated in its indexes, and its input and history read."""
NOBODY = 0
OVERDUE = -timedelta(minutes=1)

pytestmark = pytest.mark.chaos


@pytest.fixture(scope="module")
def crowded(databases: Databases) -> Iterator[Database]:
    with databases.migrated() as url:
        database = Database(url)
        with database.transaction("crowd") as connection:
            for kind in KINDS:
                crowd.put_asleep(connection, SLEEPERS // len(KINDS), name=kind, priorities=2)
            crowd.put_listening(connection, 1000, name=KINDS[0])
            crowd.put_ended(connection, ENDED, name=KINDS[0])
        crowd.settle(database)
        yield database
        database.close()


@pytest.fixture(params=["with statistics", "without statistics"])
def connection(request: pytest.FixtureRequest, crowded: Database) -> Iterator[Connection]:
    with undone(crowded) as connection:
        if request.param == "without statistics":
            crowd.forget_statistics(connection)
        yield connection


@pytest.fixture
def swept(crowded: Database) -> Iterator[None]:
    """The many dead rows that a test leaves are vacuumed away, else the next one would walk over them."""
    yield
    crowd.settle(crowded)


def put_due(connection: Connection, many: int) -> None:
    crowd.put_asleep(connection, many, name=KINDS[1], prefix="due", due=OVERDUE)


def claimed(connection: Connection, most: int) -> int:
    worker = scheduling.register(connection, Process("here", 1, 0), 600)
    return len(scheduling.claim(connection, worker, Serves(KINDS), most, 60))


def total(noted: Sequence[Touched]) -> int:
    return sum(touched.buffers for touched in noted)


@pytest.mark.parametrize("due", [0, 1, 10, 100])
def test_a_claim_touches_buffers_in_proportion_to_what_is_due(
    crowded: Database, connection: Connection, due: int, record_property: Figure
) -> None:
    put_due(connection, due)
    with touching_at_most(PROBES + due * A_CLAIM, crowded) as noted:
        assert claimed(connection, 100) == due
    record_property("buffers touched by a claim", total(noted))
    record_property("milliseconds of the claim's statements", sum(touched.milliseconds for touched in noted))


@pytest.mark.parametrize("due", [0, 1, 10, 100])
def test_looking_ahead_touches_a_few_buffers_per_lane_whatever_is_due(
    crowded: Database, connection: Connection, due: int, record_property: Figure
) -> None:
    put_due(connection, due)
    with touching_at_most(PROBES, crowded) as noted:
        due_in = scheduling.outlook(connection, NOBODY, Serves(KINDS)).due_in
    assert due_in is not None
    assert (due_in <= 0) == (due > 0)
    record_property("buffers touched by a look", total(noted))
    record_property("milliseconds of a look", sum(touched.milliseconds for touched in noted))


@pytest.mark.usefixtures("swept")
def test_a_claim_of_one_from_a_large_backlog_does_not_read_the_backlog(
    crowded: Database, connection: Connection
) -> None:
    put_due(connection, 10_000)
    with touching_at_most(3 * PROBES, crowded):
        assert claimed(connection, 1) == 1


@pytest.mark.usefixtures("swept")
def test_a_limited_queue_with_a_large_backlog_and_no_room_costs_the_others_nothing(
    crowded: Database, connection: Connection
) -> None:
    connection.execute(text("INSERT INTO durable.queues (name, rate) VALUES ('default', 0.001)"))
    put_due(connection, 10_000)
    with touching_at_most(PROBES, crowded):
        assert claimed(connection, 8) == 0


def test_this_notices_when_the_claim_and_the_look_lose_their_index(crowded: Database, connection: Connection) -> None:
    connection.execute(text("DROP INDEX durable.workflows_due"))
    put_due(connection, 10)
    with (
        pytest.raises(AssertionError, match="of them by: WITH RECURSIVE"),
        touching_at_most(PROBES + 10 * A_CLAIM, crowded),
    ):
        claimed(connection, 10)
    with pytest.raises(AssertionError, match="of them by: WITH RECURSIVE"), touching_at_most(PROBES, crowded):
        scheduling.outlook(connection, NOBODY, Serves(KINDS))
