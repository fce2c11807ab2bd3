"""Races: both sides are let go in the same moment, many at a time, with real workers on real connections."""

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, NamedTuple, TypeVar

import psycopg2
from sqlalchemy import TextClause, text

from bot.demo.waiting import eventually
from durable import DurableError, injection
from durable.client import Client
from durable.operator import Operator
from durable.postgres import Database
from durable.serde import decode
from durable.testing import advance
from durable.worker import Worker

HEAT = 16
SLOTS = 8
WITHIN_S = 60.0
HOUR = timedelta(hours=1)
FEW, MOST, STEP = 0.4, 0.6, 1.2
T = TypeVar("T")
CLAIM = "commit.before claim"

_ENDS = text(
    "SELECT w.workflow_id, CASE WHEN w.state = 'closed' THEN r.outcome ELSE w.state END AS state, r.result, w.run"
    " FROM durable.workflows w JOIN durable.runs r ON r.workflow_key = w.key AND r.run = w.run"
    " WHERE w.workflow_id = ANY(:ids)"
)
_UNSETTLED = text("SELECT count(*) FROM durable.workflows WHERE state = 'running' OR wake_at <= (SELECT durable.now())")
_OUT_OF_ORDER = text(
    "SELECT count(*) FROM durable.inbox one JOIN durable.inbox other ON other.workflow_key = one.workflow_key"
    " AND other.id > one.id AND other.read_step < one.read_step"
)
_BEGUN = text(
    "SELECT w.workflow_id, r.created_at > i.sent_at AS by_the_end FROM durable.workflows w"
    " JOIN durable.runs r ON r.workflow_key = w.key AND r.run = w.run"
    " JOIN durable.inbox i ON i.workflow_key = w.key AND i.read_run = w.run WHERE w.workflow_id = ANY(:ids)"
)
_OPEN = text("SELECT count(*) FROM durable.workflows WHERE state <> 'closed'")
_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
_OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class Gun:
    """Holds back whoever comes to the line, and every claim of every worker, until it is fired."""

    def __init__(self) -> None:
        self._fired = threading.Event()
        self._fired.set()
        self._arrived = threading.Semaphore(0)

    def load(self) -> None:
        """From now on all wait."""
        self._arrived = threading.Semaphore(0)
        self._fired.clear()

    def wait(self) -> None:
        """Stand at the line."""
        self._arrived.release()
        assert self._fired.wait(WITHIN_S)

    def fire(self, starters: int) -> None:
        """Let all go as soon as so many stand at the line."""
        for _ in range(starters):
            assert self._arrived.acquire(timeout=WITHIN_S)
        self._fired.set()

    def reached(self, point: str) -> None:
        """The hook: a worker that is about to claim stands at the line, too."""
        if point == CLAIM and not self._fired.is_set():
            self.wait()


@dataclass
class Delay:
    """How long a rival waits after the shot, in seconds: at random, up to twice a mean that is tuned so that neither
    side wins all."""

    mean: float = 0.005
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - no secret

    def __call__(self) -> float:
        return self.chance.uniform(0, 2 * self.mean)

    def tuned(self, outcomes: Iterable[T], early: T) -> list[T]:
        """The outcomes of a heat, after which rivals wait longer when most were `early`, and shorter when few were."""
        ended = list(outcomes)
        share = ended.count(early) / len(ended)
        if share > MOST:
            self.mean = min(self.mean * STEP, 0.5)
        elif share < FEW:
            self.mean = max(self.mean / STEP, 0.0002)
        return ended


class End(NamedTuple):
    """How a workflow stands after its race."""

    state: str
    result: Any
    run: int


class Course:
    """Where the races are run: two workers with databases of their own, and rivals enough for two to a workflow."""

    def __init__(self, database: Database, workers: Sequence[Worker], rivals: ThreadPoolExecutor, gun: Gun) -> None:
        self.database, self.workers, self._rivals, self._gun = database, workers, rivals, gun
        self._tests = count()
        self.client, self.operator = Client(database, hint=self.wake), Operator(database, hint=self.wake)

    def wake(self) -> None:
        for worker in self.workers:
            worker.wake()

    def begin(self, races: int, start: Callable[[str, int], object]) -> Iterator[Sequence[str]]:
        """Start all, let them come to their first wait, and hand out their ids heat by heat. `start` is told the hour
        in which its workflow is to race."""
        test = next(self._tests)
        ids = [f"{test}-{number:05d}" for number in range(races)]
        heats = [ids[first : first + HEAT] for first in range(0, len(ids), HEAT)]
        jobs = [self._rivals.submit(start, id_, hour) for hour, heat in enumerate(heats, start=1) for id_ in heat]
        for job in jobs:
            job.result(WITHIN_S)
        self.until_settled()
        yield from heats

    def race(self, deeds: Sequence[Callable[[], Any]], delay: Callable[[], float], *, timers: bool = True) -> list[Any]:
        """Let all deeds go at once, and with `timers` the hour that makes a heat due and the claim that takes it.
        Returns their answers, or the names of the engine's errors, when all is quiet again."""
        self._gun.load()
        jobs = [self._rivals.submit(self._act, deed, delay()) for deed in deeds]
        if timers:
            advance(self.database, HOUR)
            self.wake()
        self._gun.fire(len(deeds) + timers)
        answers = [job.result(WITHIN_S) for job in jobs]
        self.until_settled()
        return answers

    def _act(self, deed: Callable[[], Any], delay: float) -> Any:
        self._gun.wait()
        threading.Event().wait(delay)
        try:
            return deed()
        except DurableError as error:
            return type(error).__name__

    def until_settled(self) -> None:
        """Wait until nothing is due and no worker has anything in its hands."""

        def is_settled() -> bool:
            return self._asked(_UNSETTLED) == 0 and all(worker._runner._busy == 0 for worker in self.workers)

        eventually(is_settled, within=WITHIN_S, every=0.003)

    def ends(self, ids: Sequence[str]) -> list[End]:
        """How these workflows stand, in their order."""
        with self.database.reading() as connection:
            rows = connection.execute(_ENDS, {"ids": list(ids)}).all()
        found = {row.workflow_id: End(row.state, decode(row.result or "null"), row.run) for row in rows}
        return [found[id_] for id_ in ids]

    def begun_by(self, ids: Sequence[str]) -> list[str]:
        """What began the present run of each: the end of the one before, or the signal that it read."""
        with self.database.reading() as connection:
            rows = {row.workflow_id: row.by_the_end for row in connection.execute(_BEGUN, {"ids": list(ids)})}
        return ["by the end" if rows[id_] else "by the signal" for id_ in ids]

    def read_out_of_order(self) -> int:
        """How many signals were read after one that had arrived later."""
        return self._asked(_OUT_OF_ORDER)

    def until_all_ended(self) -> None:
        """Wait for the end of every workflow, also of those that wait on the real clock."""
        eventually(lambda: self._asked(_OPEN) == 0, within=WITHIN_S)

    def _asked(self, question: TextClause) -> int:
        with self.database.reading() as connection:
            answer: int = connection.execute(question).scalar_one()
        return answer


@contextmanager
def course(url: str, **workers: Any) -> Iterator[Course]:
    """Two workers at work, given `workers`; afterwards it is made sure that PostgreSQL has seen no deadlock."""
    gun = Gun()
    injection.install(gun.reached)
    with ExitStack() as stack:
        stack.callback(injection.install, None)
        rivals = stack.enter_context(ThreadPoolExecutor(2 * HEAT, thread_name_prefix="rival"))
        database = _database(url, stack)
        both = [Worker(_database(url, stack), slots=SLOTS, lease=60, **workers) for _ in range(2)]
        for worker in both:
            worker.start()
            stack.callback(worker.stop)
        yield Course(database, both, rivals, gun)
    assert _deadlocks(url) == 0


def _database(url: str, stack: ExitStack) -> Database:
    database = Database(url, pool_size=2 * HEAT + 6)
    stack.callback(database.close)
    return database


def _deadlocks(url: str) -> int:
    """PostgreSQL's own count: a connection hands in what it has counted when it ends."""
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:

            def asked(question: str) -> int:
                cursor.execute(question)
                [answer] = cursor.fetchone() or [0]
                return int(answer)

            eventually(lambda: asked(_OTHERS) == 0, within=WITHIN_S)
            return asked(_DEADLOCKS)
    finally:
        connection.close()
