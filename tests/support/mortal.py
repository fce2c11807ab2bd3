"""A worker that dies once, at a given point of its life, and has a successor."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from threading import Event
from typing import Any

from sqlalchemy import text

from durable import injection
from durable.definitions import Workflow
from durable.postgres import Database
from durable.postgres.scheduling import engine_now
from durable.testing import InlineWorker

_REAL_WAITS = text("SELECT EXISTS (SELECT FROM durable.workflows WHERE state = 'waiting' AND wake_real)")


class Killed(BaseException):
    """The end of a worker, in the middle of whatever it did."""


class Mortal:
    """Dies at the `nth` point it comes to, counted from 1; with 0 it lives on. `passed` counts the points."""

    def __init__(
        self,
        database: Database,
        nth: int,
        *workflows: Workflow[..., Any],
        resources: Mapping[type, Any] | None = None,
    ) -> None:
        self.passed = 0
        self._database = database
        self._nth = nth
        self._hire = partial(InlineWorker, database, workflows=workflows, resources=resources)
        self.worker = self._hire()

    def live_for(self, duration: timedelta) -> None:
        """Let engine time pass; whoever dies has a successor."""
        then = self._time() + duration
        while (left := then - self._time()) > timedelta(0):
            injection.install(self._count)
            try:
                self._settle()
                self.worker.run_for(left)
                self._settle()
            except Killed:
                self.worker.close()
                self.worker = self._hire()
            finally:
                injection.install(None)

    def _count(self, point: str) -> None:
        if point.endswith(" advance"):  # moving the clock is the test's act
            return
        self.passed += 1
        if self.passed == self._nth:
            injection.install(None)
            raise Killed

    def _settle(self) -> None:
        """Do what is due, and wait for what waits on the real clock: a call in doubt is looked into after a while."""
        moment = Event()
        self.worker.run_until_idle()
        while self._waits_for_real():
            moment.wait(0.1)
            self.worker.run_until_idle()

    def _waits_for_real(self) -> bool:
        with self._database.reading() as connection:
            return bool(connection.execute(_REAL_WAITS).scalar_one())

    def _time(self) -> datetime:
        with self._database.reading() as connection:
            return engine_now(connection)


@contextmanager
def mortal(
    database: Database, nth: int, *workflows: Workflow[..., Any], resources: Mapping[type, Any] | None = None
) -> Iterator[Mortal]:
    """A life with a death at the `nth` point, within this block."""
    life = Mortal(database, nth, *workflows, resources=resources)
    try:
        yield life
    finally:
        injection.install(None)
        life.worker.close()


def killed_everywhere(life: Callable[[int], int], *, every: int) -> int:
    """Live without a death, then die at each `every`-th point in turn. `life` takes the point and returns how many it
    passed; returns how many a life without a death passes."""
    points = life(0)
    for nth in range(1, points + 1, every):
        life(nth)
    return points
