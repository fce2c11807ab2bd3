"""The aggregator: every reading is counted once, in batches, for ever, and its history does not grow."""

from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import text

from docs.examples.aggregator import MOST, QUIET, add, aggregate
from durable.client import Client
from durable.postgres import Database
from durable.testing import InlineWorker
from tests.support.chaos import EVERY
from tests.support.mortal import killed_everywhere, mortal

_SUMS = text("SELECT readings, CAST(sum AS float) FROM sums WHERE sensor = :sensor")


def stored(database: Database, sensor: str) -> tuple[int, float] | None:
    """How many readings of a sensor are stored, and their sum; None before the first batch."""
    with database.reading() as connection:
        row = connection.execute(_SUMS, {"sensor": sensor}).one_or_none()
    return None if row is None else (row[0], row[1])


def add_many(client: Client, sensor: str, first: int, last: int) -> None:
    for number in range(first, last + 1):
        add(client, sensor, number, key=f"{sensor}-{number}")


def test_readings_are_stored_by_the_hundred_or_when_it_has_been_quiet(
    inline: Callable[..., InlineWorker], database: Database
) -> None:
    worker = inline(aggregate)
    add_many(worker.client, "roof", 1, 2 * MOST + 50)
    worker.run_until_idle()
    assert stored(database, "roof") == (2 * MOST, sum(range(1, 2 * MOST + 1)))
    worker.run_for(QUIET)
    assert stored(database, "roof") == (2 * MOST + 50, sum(range(1, 2 * MOST + 51)))
    described = worker.client.describe("aggregate:roof")
    assert (described.state, described.status) == ("waiting", {"stored": 2 * MOST + 50})


def test_each_sensor_has_its_own_workflow_and_each_key_counts_once(
    inline: Callable[..., InlineWorker], database: Database
) -> None:
    worker = inline(aggregate)
    assert [add(worker.client, "roof", 20.5, key="1"), add(worker.client, "roof", 20.5, key="1")] == [True, False]
    assert add(worker.client, "cellar", 9, key="1") is True
    worker.run_for(QUIET)
    assert add(worker.client, "roof", 20.5, key="1") is False
    worker.run_for(QUIET)
    assert (stored(database, "roof"), stored(database, "cellar")) == ((1, 20.5), (1, 9.0))


def test_what_is_no_number_is_passed_over(inline: Callable[..., InlineWorker], database: Database) -> None:
    worker = inline(aggregate)
    worker.client.start(aggregate, "roof", workflow_id="aggregate:roof")
    worker.client.signal("aggregate:roof", "reading", "broken", key="1")
    worker.client.signal("aggregate:roof", "reading", 3, key="2")
    worker.run_for(QUIET)
    assert stored(database, "roof") == (1, 3.0)
    assert worker.client.describe("aggregate:roof").state == "waiting"


def test_the_history_stays_as_short_as_a_batch_however_many_there_were(
    inline: Callable[..., InlineWorker], database: Database
) -> None:
    worker = inline(aggregate)
    for batch in range(20):
        add_many(worker.client, "roof", 5 * batch + 1, 5 * batch + 5)
        worker.run_for(QUIET)
        assert worker.client.describe("aggregate:roof").history_length < 12
    assert stored(database, "roof") == (100, 5050.0)
    assert worker.client.describe("aggregate:roof").run == 1


def lived(database: Database, nth: int) -> int:
    """Two batches with a quiet time after each, and a death at the n-th point; returns how many points were passed."""
    sensor = f"sensor-{nth}"
    with mortal(database, nth, aggregate) as life:
        for first, last in ((1, 3), (4, 5)):
            add_many(life.worker.client, sensor, first, last)
            life.live_for(QUIET * 2)
        assert stored(database, sensor) == (5, 15.0), nth
        assert life.worker.client.describe(f"aggregate:{sensor}").status == {"stored": 5}, nth
    return life.passed


@pytest.mark.chaos
def test_an_aggregator_killed_anywhere_counts_each_reading_once(database: Database) -> None:
    assert killed_everywhere(partial(lived, database), every=EVERY) > 20
