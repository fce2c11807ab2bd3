"""The monitor: it looks ever less often, until the build is done or a day has passed, and a death changes nothing."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest

from docs.examples.monitor import monitor
from durable.postgres import Database
from durable.postgres.scheduling import engine_now
from durable.testing import InlineWorker
from tests.support.chaos import EVERY
from tests.support.mortal import killed_everywhere, mortal
from tests.support.scripted_server import Answer, Request, ScriptedServer

RUNNING = Answer({"status": "in_progress", "conclusion": None})
SUCCEEDED = Answer({"status": "completed", "conclusion": "success"})
PAUSES_S = [10, 20, 40, 80, 160, 320, 600, 600]


class Build:
    """What its address answers, and when that was asked, by the engine's time."""

    def __init__(self, database: Database) -> None:
        self.answer = RUNNING
        self.looks: list[datetime] = []
        self._database = database

    def __call__(self, _: Request) -> Answer:
        with self._database.reading() as connection:
            self.looks.append(engine_now(connection))
        return self.answer

    @property
    def pauses_s(self) -> list[int]:
        return [round((later - earlier).total_seconds()) for earlier, later in pairwise(self.looks)]


@pytest.fixture
def build(database: Database) -> Build:
    return Build(database)


@pytest.fixture
def url(build: Build) -> Iterator[str]:
    with ScriptedServer(build) as server:
        yield server.url


def test_a_build_is_looked_at_ever_less_often_until_it_is_done(
    inline: Callable[..., InlineWorker], build: Build, url: str
) -> None:
    worker = inline(monitor)
    worker.client.start(monitor, url, workflow_id="monitor")
    worker.run_for(timedelta(seconds=sum(PAUSES_S) - 1))
    assert build.pauses_s == pytest.approx(PAUSES_S[:-1], abs=2)
    build.answer = SUCCEEDED
    worker.run_for(timedelta(seconds=5))
    described = worker.client.describe("monitor")
    assert (described.result, len(build.looks)) == ("success", len(PAUSES_S) + 1)
    assert described.history_length < 5


def test_a_build_that_is_not_done_within_a_day_is_given_up(
    inline: Callable[..., InlineWorker], build: Build, url: str
) -> None:
    worker = inline(monitor)
    worker.client.start(monitor, url, workflow_id="monitor")
    worker.run_for(timedelta(hours=23, minutes=59))
    assert worker.client.describe("monitor").state == "waiting"
    worker.run_for(timedelta(minutes=1, seconds=10))
    assert worker.client.describe("monitor").result == "too late"
    assert (build.looks[-1] - build.looks[0]).total_seconds() == pytest.approx(
        timedelta(days=1).total_seconds(), abs=10
    )


def test_a_build_that_cannot_be_asked_for_a_while_is_asked_again(
    inline: Callable[..., InlineWorker], build: Build, url: str
) -> None:
    worker = inline(monitor)
    build.answer = Answer(status=503)
    worker.client.start(monitor, url, workflow_id="monitor")
    worker.run_for(timedelta(minutes=10))
    status = worker.client.describe("monitor").status
    assert isinstance(status, dict)
    assert "503" in status["trouble"]
    build.answer = SUCCEEDED
    worker.run_for(timedelta(minutes=10))
    assert worker.client.describe("monitor").result == "success"


def lived(database: Database, build: Build, url: str, nth: int) -> int:
    """One build that takes three minutes, with a death at the n-th point; returns how many points were passed."""
    workflow_id, build.answer = f"monitor-{nth}", RUNNING
    with mortal(database, nth, monitor) as life:
        life.worker.client.start(monitor, url, workflow_id=workflow_id)
        life.live_for(timedelta(minutes=3))
        assert life.worker.client.describe(workflow_id).status == {"looks": 5, "trouble": None}, nth
        build.answer = SUCCEEDED
        life.live_for(timedelta(minutes=3))
        assert life.worker.client.describe(workflow_id).result == "success", nth
    return life.passed


@pytest.mark.chaos
def test_a_monitor_killed_anywhere_neither_forgets_nor_hurries(database: Database, build: Build, url: str) -> None:
    assert killed_everywhere(partial(lived, database, build, url), every=EVERY) > 20
