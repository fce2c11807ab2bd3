"""The naive loop, killed at every commit and every outward call in turn: each message once, and the loop goes on."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from threading import Event

import pytest
from sqlalchemy import text

from docs.examples.naive_pull_request import World, nag_about
from durable import injection
from durable.postgres import Database
from durable.postgres.scheduling import engine_now
from durable.testing import InlineWorker
from tests.support.chaos import EVERY

HOURS_OPEN = timedelta(hours=2, minutes=30)
TOLD = ["#7 waits for your review"] * 3 + ["#7 is closed, thank you"]
REAL_WAITS = text("SELECT EXISTS (SELECT FROM durable.workflows WHERE state = 'waiting' AND wake_real)")


class Killed(BaseException):
    """The end of a worker, in the middle of whatever it did."""


class Memory:
    """A pull request and a chat that remembers by key."""

    def __init__(self) -> None:
        self.open = {7}
        self.told: list[tuple[str, str]] = []

    def is_open(self, number: int) -> bool:
        return number in self.open

    def post(self, text: str, key: str) -> None:
        self.told.append((text, key))

    def was_posted(self, text: str, key: str) -> bool:
        return (text, key) in self.told


class Mortal:
    """Dies at the n-th point it comes to; only once."""

    def __init__(self, database: Database, memory: Memory, nth: int) -> None:
        self.database = database
        self.memory = memory
        self.nth = nth
        self.passed = 0
        self.worker = self.hire()

    def hire(self) -> InlineWorker:
        return InlineWorker(self.database, workflows=[nag_about], resources={World: self.memory})

    def live_until(self, then: datetime) -> None:
        """Let engine time pass up to `then`; whoever dies has a successor."""
        while (left := then - self.time()) > timedelta(0):
            injection.install(self.count)
            try:
                self.settle()
                self.worker.run_for(left)
                self.settle()
            except Killed:
                self.worker.close()
                self.worker = self.hire()
            finally:
                injection.install(None)

    def count(self, point: str) -> None:
        if point.endswith(" advance"):  # moving the clock is the test's act
            return
        self.passed += 1
        if self.passed == self.nth:
            injection.install(None)
            raise Killed

    def settle(self) -> None:
        """Do what is due, and wait for what waits on the real clock: a call in doubt is looked into after a while."""
        moment = Event()
        self.worker.run_until_idle()
        while self.waits_for_real():
            moment.wait(0.1)
            self.worker.run_until_idle()

    def waits_for_real(self) -> bool:
        with self.database.reading() as connection:
            return bool(connection.execute(REAL_WAITS).scalar_one())

    def time(self) -> datetime:
        with self.database.reading() as connection:
            return engine_now(connection)


@pytest.fixture(autouse=True)
def _no_hook_is_left() -> Iterator[None]:
    yield
    injection.install(None)


def lived(database: Database, nth: int) -> int:
    """One pull request, with a death at the n-th point; returns how many points were passed."""
    memory, workflow_id = Memory(), f"pr-{nth}"
    mortal = Mortal(database, memory, nth)
    mortal.worker.client.start(nag_about, 7, workflow_id=workflow_id)
    mortal.live_until(mortal.time() + HOURS_OPEN)
    memory.open.clear()
    mortal.live_until(mortal.time() + timedelta(hours=1))
    assert [text for text, _ in memory.told] == TOLD, nth
    assert mortal.worker.client.describe(workflow_id).result == "closed"
    mortal.worker.close()
    return mortal.passed


@pytest.mark.chaos
def test_the_naive_loop_killed_at_every_step_says_everything_once(database: Database) -> None:
    points = lived(database, 0)
    assert points > 30
    for nth in range(1, points + 1, EVERY):
        lived(database, nth)
