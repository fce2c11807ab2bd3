"""A commit whose answer is lost, at every commit in turn: it happened and nobody knows, and all ends as ever."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from durable import WorkflowClosed, WorkflowIdTaken
from durable.client import Client
from durable.errors import IntakeUnavailable, ScheduleNotFound
from durable.intake import Delivery, Instruction, Intake, SignalWithStart
from durable.model import Started
from durable.postgres import Database
from durable.postgres.scheduling import engine_now
from durable.scheduler import Schedules
from durable.schedules import Every
from durable.testing import InlineWorker
from durable.worker.orphans import settle_orphans
from tests.support.chaos import Figure, sized
from tests.support.postgres_proxy import Moment, PostgresProxy
from tests.support.programs import (
    ENDED,
    PROGRAMS,
    WORKFLOWS,
    Deeds,
    Remains,
    left_now,
    letters,
    occurrence,
    prepare,
    race,
    steps,
)

A_LIFE = timedelta(minutes=20)
AGAIN = timedelta(minutes=1)
POST = "post"


def carry(delivery: Delivery, _connection: Connection) -> Sequence[Instruction]:
    """A letter that comes as a delivery and begins the workflow that it is for."""
    return [SignalWithStart(letters, (), delivery.body.decode(), "letter", delivery.headers["number"])]


@dataclass
class Lives:
    """Lives of workflows through a proxy, in which one connection may break; what is left is seen past the proxy.
    `commits` are those of the last life, the ones that put it right afterwards left out."""

    proxy: PostgresProxy
    direct: Database
    through: Database
    deeds: Deeds = field(default_factory=Deeds)
    commits: int = 0

    def __post_init__(self) -> None:
        self.client = Client(self.through)
        self.intake = Intake(self.through)
        self.worker = InlineWorker(
            self.through, workflows=WORKFLOWS, resources={Deeds: self.deeds}, routes={POST: carry}, guard=False
        )

    def live(self, begin: "Begin", number: int) -> Remains:
        """One life from its begin to its end; returns what is left."""
        over = self.now() + A_LIFE
        name = self.once_more(lambda: begin(self, number))
        self.once_more(lambda: self.worker.run_for(max(over - self.now(), timedelta(0))))
        self.commits = len(self.proxy.commits)
        self.proxy.mend()
        while any(each.state not in ENDED for each in Client(self.direct).list(prefix=name)):
            self.come_back()
        with suppress(ScheduleNotFound):
            Schedules(self.direct).delete(f"occurrence.{number}")
        return left_now(self.direct, self.deeds, of=name)

    def once_more(self, action: Callable[[], Any]) -> Any:
        """What a careful caller does: the same again, when the answer was lost."""
        try:
            return action()
        except (SQLAlchemyError, IntakeUnavailable):
            self.come_back()
            return action()

    def come_back(self) -> None:
        """What time and the upkeep do: what nobody runs is due again, and what waits for a settled answer is due."""
        with self.direct.transaction("test") as connection:
            for due in (
                "UPDATE durable.workflows SET state = 'waiting', wake_at = durable.now() WHERE state = 'running'",
                "UPDATE durable.workflows SET wake_at = durable.now() WHERE wake_real",
                "UPDATE durable.history SET due_at = durable.now() WHERE state = 'started' AND kind = 'activity'",
            ):
                connection.execute(text(due))
        settle_orphans(self.direct)
        self.worker.run_for(AGAIN)

    def now(self) -> datetime:
        with self.direct.reading() as connection:
            return engine_now(connection)


Begin = Callable[[Lives, int], str]


def started(program: Any) -> Begin:
    def begin(lives: Lives, number: int) -> str:
        name = f"{program.name}.{number}"
        with suppress(WorkflowIdTaken):  # begun by a start whose answer was lost, and over since
            lives.client.start(program, workflow_id=name, reuse="reject")
        return name

    begin.__name__ = program.name
    return begin


def written(lives: Lives, number: int) -> str:
    name = started(letters)(lives, number)
    for letter in ("1", "2"):
        lives.client.signal(name, "letter", letter, key=letter)
    return name


def delivered(lives: Lives, number: int) -> str:
    name = f"letters.{number}"
    for letter in ("1", "2"):
        lives.intake.put(Delivery(POST, f"{name}/{letter}", {"number": letter}, name.encode()))
    return name


def scheduled(lives: Lives, number: int) -> str:
    name = f"occurrence.{number}"
    since = lives.now().replace(microsecond=0) + timedelta(minutes=7)
    Schedules(lives.through).put(name, occurrence, spec=Every(timedelta(minutes=10), since=since))
    return f"sched:{name}"


BEGINS = (*(started(program) for program in PROGRAMS if program is not letters), written, delivered, scheduled)


def is_the_engines(statements: str) -> bool:
    """Whether this commits more than the passing of the tests' time."""
    return "durable.clock" not in statements


@contextmanager
def living(database_url: str, counted: Callable[[str], bool]) -> Iterator[Lives]:
    direct = Database(database_url, pool_size=4)
    prepare(direct)
    with PostgresProxy(database_url, counted=counted) as proxy:
        through = Database(proxy.url, pool_size=4)
        lives = Lives(proxy, direct, through)
        yield lives
        lives.worker.close()
        through.close()
    direct.close()


@pytest.fixture
def lives(database_url: str) -> Iterator[Lives]:
    with living(database_url, is_the_engines) as lives:
        yield lives


@pytest.mark.chaos
@pytest.mark.parametrize("begin", BEGINS, ids=lambda begin: begin.__name__)
def test_wherever_the_connection_of_a_commit_breaks_the_end_is_the_same(
    lives: Lives, begin: Begin, record_property: Figure
) -> None:
    untroubled = lives.live(begin, 0)
    assert untroubled.ends
    breaks: list[tuple[int, Moment]] = [(nth, "answer") for nth in range(1, lives.commits + 1, sized(5, 1))]
    breaks += [(nth, "before") for nth in range(1, lives.commits + 1, sized(20, 1))]
    for number, (nth, moment) in enumerate(breaks, 1):
        lives.proxy.cut_at(nth, moment=moment)
        assert lives.live(begin, number) == untroubled, (nth, moment, lives.proxy.broken[-1:])
    assert len(lives.proxy.broken) > len(breaks) // 2  # how many commits a life has varies with the load
    record_property("commits whose answer was lost or that never arrived, one life each", len(lives.proxy.broken))


@pytest.mark.parametrize("moment", ["answer", "before"])
def test_a_race_goes_on_although_the_connection_breaks_while_its_losers_are_ended(
    database_url: str, moment: Moment
) -> None:
    with living(database_url, lambda statements: "SET cancel_reason" in statements) as lives:
        untroubled = lives.live(started(race), 0)
        lives.proxy.cut_at(1, moment=moment)
        assert lives.live(started(race), 1) == untroubled
        assert lives.proxy.broken


def test_a_command_whose_answer_was_lost_is_repeated_and_counts_once(lives: Lives) -> None:
    client, schedules = lives.client, Schedules(lives.through)

    def insist(command: Callable[..., Any], *args: Any, **options: Any) -> Any:
        lives.proxy.cut_at(1, moment="answer")
        with pytest.raises((SQLAlchemyError, IntakeUnavailable)):
            command(*args, **options)
        return command(*args, **options)

    letter = Delivery(POST, "delivery", {"number": "3"}, b"letters.0")
    every = Every(timedelta(hours=1))
    assert insist(client.start, letters, workflow_id="letters.0") == Started("letters.0", 1, is_new=False)
    assert insist(client.signal, "letters.0", "other", 1, key="1") is False
    assert insist(client.signal_with_start, letters, workflow_id="letters.0", signal="other", key="2") is False
    assert insist(lives.intake.put, letter) is False
    assert insist(schedules.put, "hourly", occurrence, spec=every) is False
    assert insist(schedules.pause, "hourly") is False
    assert client.describe("letters.0").unread_signals == 2
    assert len(schedules.list()) == 1
    lives.worker.run_until_idle()
    assert insist(client.cancel, "letters.0", "enough") is False
    with pytest.raises(WorkflowClosed):
        insist(client.terminate, "letters.0", "enough")


def test_a_start_whose_answer_was_lost_begins_nothing_twice_with_reject_although_all_is_over(lives: Lives) -> None:
    lives.proxy.cut_at(1, moment="answer")
    with pytest.raises(SQLAlchemyError):
        lives.client.start(steps, workflow_id="steps.0", reuse="reject")
    lives.worker.run_until_idle()
    with pytest.raises(WorkflowIdTaken):
        lives.client.start(steps, workflow_id="steps.0", reuse="reject")
    described = lives.client.describe("steps.0")
    assert (described.state, described.run) == ("completed", 1)
