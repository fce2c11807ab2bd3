"""Where programs are played, with crashes at given points and a successor after each; and what is left in the end."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import text

from durable import injection
from durable.client import Client
from durable.postgres import Database
from durable.queues import Queues
from durable.testing import InlineWorker
from durable.worker.orphans import settle_orphans
from tests.integration.durable.crash_programs import ATTEMPTS, NARROW, WORKFLOWS, Program, World, route

BETWEEN_ACTS = timedelta(seconds=30)
IN_THE_END = timedelta(minutes=20)
OF_THE_TEST = (" advance", " test")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[^\"]+")
_RECORDS = text("SELECT key, what FROM records ORDER BY key, what")
_SIGNALS = text("SELECT key, name, read_run, read_step FROM durable.inbox ORDER BY id")
_DUE = text("UPDATE durable.workflows SET wake_at = durable.now() WHERE state = 'waiting' AND wake_real RETURNING key")
_SETTLED = text(
    "UPDATE durable.history SET due_at = durable.now()"
    " WHERE workflow_key = ANY(:keys) AND state IN ('started', 'retrying') AND kind = 'activity'"
)
_DEAD = text("UPDATE durable.workers SET lease_until = clock_timestamp() WHERE lease_until > clock_timestamp()")


class Crash(BaseException):
    """The process dies here: nothing catches this."""


class Fate:
    """Counts the points that each life comes to, and ends life n at the n-th of the points it was given, counted from 1.

    `lives` are the points that were passed, life by life.
    """

    def __init__(self, deaths: tuple[int, ...]) -> None:
        self.lives: list[list[str]] = [[]]
        self._deaths = deaths

    def __call__(self, point: str) -> None:
        """The hook for `injection`."""
        if point.endswith(OF_THE_TEST):
            return
        life, number = self.lives[-1], len(self.lives)
        life.append(point)
        if number <= len(self._deaths) and len(life) == self._deaths[number - 1]:
            self.lives.append([])
            raise Crash(point)


@dataclass(frozen=True)
class Story:
    """What is left in the end, with the name of the program's workflow and all times taken out."""

    workflows: dict[str, tuple[Any, ...]]
    signals: list[tuple[Any, ...]]
    effects: dict[str, list[Any]]
    records: list[tuple[str, str]]
    called: set[str]


class Stage:
    """A database, a world outside, and one worker at a time, which lives until it crashes."""

    def __init__(self, database: Database) -> None:
        self.client = Client(database)
        self.world = World()
        self._database = database
        with database.transaction("test") as connection:
            connection.execute(text("CREATE TABLE records (key text, what text)"))
        Queues(database).limit(NARROW, most_running=1, most_per_worker=1)
        self._worker = self._employ()

    def close(self) -> None:
        """Let the last worker go."""
        self._worker.close()

    def play(self, program: Program, name: str, *deaths: int) -> list[list[str]]:
        """Live a program to its end as the workflow `name`, dying at these points; returns the points of each life."""
        self._clear()
        fate = Fate(deaths)
        injection.install(fate)
        try:
            for number, act in enumerate(program.acts, start=1):
                duration = IN_THE_END if number == len(program.acts) else BETWEEN_ACTS
                self._survive(partial(act, self.client, self._database, self.world, name))
                self._survive(partial(self._live, duration))
        finally:
            injection.install(None)
        return fate.lives

    def story(self, name: str) -> Story:
        """What is left of what was played last, as the workflow `name`. Raises AssertionError for what must never be."""

        def stripped(value: str) -> str:
            return _TIME.sub("TIME", value.replace(name, "NAME"))

        family = self.client.list()
        with self._database.reading() as connection:
            records = [(stripped(row.key), row.what) for row in connection.execute(_RECORDS)]
            signals = [(stripped(row.key), *row[1:]) for row in connection.execute(_SIGNALS)]
        assert all(1 <= times <= ATTEMPTS for times in self.world.calls.values()), self.world.calls
        return Story(
            workflows={stripped(one.workflow_id): self._life_of(one.workflow_id, stripped) for one in family},
            signals=signals,
            effects={stripped(key): what for key, what in self.world.effects.items()},
            records=records,
            called=set(map(stripped, self.world.calls)),
        )

    def _clear(self) -> None:
        """Forget what was played before, so that each life costs the same."""
        self.world.clear()
        with self._database.transaction("test") as connection:
            connection.execute(text("DELETE FROM durable.workflows"))
            connection.execute(text("DELETE FROM durable.deliveries"))
            connection.execute(text("DELETE FROM records"))

    def _life_of(self, workflow_id: str, stripped: Callable[[str], str]) -> tuple[Any, ...]:
        """State, run, result and whole history. Who was ended from outside stopped wherever that found him."""
        described = self.client.describe(workflow_id)
        if described.state == "terminated":
            return described.name, described.run, described.state
        history = [
            (entry.step, entry.kind, entry.name, entry.state, stripped(entry.payload or ""))
            for entry in self.client.history(workflow_id)
        ]
        told = (described.name, described.run, described.state, described.status, described.result, described.reason)
        return (*told, described.unread_signals, history)

    def _survive(self, deed: Callable[[], object]) -> None:
        """Do it; after a crash a successor comes and does it again, and who crashes on the way has a successor, too."""
        is_dead = False
        while True:
            try:
                if is_dead:
                    self._succeed()
                deed()
            except Crash:
                is_dead = True
            else:
                return

    def _succeed(self) -> None:
        """What a successor does: register, take over from the dead, and see to what the dead did not see to any more."""
        self._worker._lease.stop()
        with self._database.transaction("test") as connection:
            connection.execute(_DEAD)
        self._worker = self._employ()
        self._worker.take_over()
        settle_orphans(self._database)

    def _employ(self) -> InlineWorker:
        return InlineWorker(
            self._database, workflows=WORKFLOWS, resources={World: self.world}, routes={"post": route}, guard=False
        )

    def _live(self, duration: timedelta) -> None:
        """Let this time pass. What waits on the real clock, e.g. for an answer to settle, is due at once: halfway, too, as
        what was put off by deaths may come to such a wait late, and go on from it."""
        self._worker.run_until_idle()
        for _ in range(2):
            self._hurry()
            self._worker.run_for(duration / 2)
        self._hurry()

    def _hurry(self) -> None:
        while True:
            with self._database.transaction("test") as connection:
                keys = list(connection.execute(_DUE).scalars())
                if not keys:
                    return
                connection.execute(_SETTLED, {"keys": keys})
            self._worker.run_until_idle()
