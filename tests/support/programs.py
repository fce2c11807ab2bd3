"""A workflow for each construct of the engine, what the outside asks of them, and all they leave behind to be compared.

Whatever happens to connections, processes or the database meanwhile, what they leave behind is the same.
"""

import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from bot.demo.waiting import eventually
from durable import (
    Found,
    WorkflowIdTaken,
    activity,
    call,
    continue_as_new,
    first_of,
    gather,
    info,
    receive,
    resource,
    rounds,
    sleep,
    start_child,
    transaction,
    workflow,
)
from durable.client import Client
from durable.postgres import Database
from durable.postgres.scheduling import engine_now
from durable.queues import Queues
from durable.scheduler import Schedules
from durable.schedules import CatchUp, Every
from durable.testing import advance

P = ParamSpec("P")
T = TypeVar("T")
A_WHILE = 0.05
FOR_EVER = 600.0
OCCURRENCES = 3
ENDED = ("completed", "failed", "terminated", "cancelled")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:\+00:00|Z)|\d{8}T\d{6}Z")


class Deeds:
    """What took effect in the outside world, by key."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._done: Counter[str] = Counter()

    def happen(self, key: str) -> None:
        """Take effect once more."""
        with self._lock:
            self._done[key] += 1

    def happened(self, key: str) -> bool:
        """Whether this took effect."""
        with self._lock:
            return key in self._done

    def all(self) -> Counter[str]:
        """Every key, and how often it took effect."""
        with self._lock:
            return Counter(self._done)


def _look(what: Any) -> Found[Any] | None:
    return Found(what) if resource(Deeds).happened(info().key) else None


@activity(verify=_look)
def deed(what: Any) -> Any:
    """An effect that must happen once."""
    resource(Deeds).happen(info().key)
    return what


@activity
def plain(what: Any) -> Any:
    """What is safe to repeat."""
    return what


@transaction
def enter(connection: Connection, what: Any) -> Any:
    """A row of our own, under the key of its step."""
    connection.execute(text("INSERT INTO ledger (key) VALUES (:key)"), {"key": info().key})
    return what


@workflow
def steps() -> list[Any]:
    return [deed("a"), plain("b"), enter("c"), enter("d"), plain("e"), deed("f")]


@workflow
def naps() -> str:
    sleep(A_WHILE)
    deed("between")
    sleep(A_WHILE)
    return "rested"


@workflow
def letters() -> list[Any]:
    first = receive("letter")
    second = receive("letter", "card", timeout=FOR_EVER)
    third = receive("never", timeout=A_WHILE)
    return [first and first.payload, second and second.payload, deed("answered"), third]


@workflow
def child(what: str, seconds: float) -> Any:
    sleep(seconds)
    return deed(what)


@workflow
def family() -> list[Any]:
    own = start_child(child, "own", A_WHILE)
    others = gather(call(deed, "a"), call(child, "b", A_WHILE), call(enter, "c"), call(child, "d", 0.0))
    return [*others, own.result()]


@workflow
def race() -> Any:
    return first_of(call(child, "slow", FOR_EVER), call(child, "fast", A_WHILE))


@workflow
def in_rounds() -> Any:
    for round_ in rounds(0):
        sleep(A_WHILE)
        round_.value += enter(round_.number)
        if round_.number == 3:
            return round_.value
    return None


@workflow
def in_runs(number: int = 1) -> int:
    enter(number)
    if number < 3:
        continue_as_new(number + 1)
    return number


@workflow(queue="narrow")
def narrow() -> list[Any]:
    sleep(0)
    return [deed("one at a time"), enter("too")]


@workflow
def occurrence() -> Any:
    return deed("now and then")


PROGRAMS = (steps, naps, letters, family, race, in_rounds, in_runs, narrow)
WORKFLOWS = (*PROGRAMS, child, occurrence)
_COPY = re.compile(r"\b(" + "|".join(program.name for program in WORKFLOWS) + r")\.\d+")


@dataclass(frozen=True)
class Remains:
    """What is left behind: state, result and history by workflow, effects and rows by key. Times are left out, and a
    copy is called like its program, with how many copies left the same. `repeated` are the effects and rows that were
    there more than once."""

    ends: Counter[tuple[str, str, str, tuple[Any, ...]]]
    deeds: Counter[str]
    rows: Counter[str]
    repeated: frozenset[str] = frozenset()


def prepare(database: Database) -> None:
    """What has to be there before: the table of rows, and a narrow queue."""
    with database.transaction("test") as connection:
        connection.execute(text("CREATE TABLE ledger (key text)"))
    Queues(database).limit("narrow", most_running=1)


def schedule(database: Database) -> None:
    """A schedule of which some occurrences are due, and the next one in half an hour."""
    with database.transaction("test") as connection:
        now = engine_now(connection).replace(microsecond=0)
    every = Every(timedelta(hours=1), since=now + timedelta(minutes=30), catch_up=CatchUp("all"))
    Schedules(database).put("hourly", occurrence, spec=every)
    advance(database, timedelta(hours=OCCURRENCES))


def ask(client: Client, copies: int) -> None:
    """Start so many copies of every program and write the letters: each command until it was answered."""
    for copy in range(copies):
        for program in PROGRAMS:
            with suppress(WorkflowIdTaken):  # begun by a command whose answer was lost, and over since
                insist(client.start, program, workflow_id=f"{program.name}.{copy}", reuse="reject")
        for number in (1, 2):
            insist(client.signal, f"letters.{copy}", "letter", number, key=f"letter-{number}")


def insist(command: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Repeat a command until the database has answered it."""
    return eventually(lambda: (command(*args, **kwargs),), ignoring=(SQLAlchemyError,), within=60)[0]


def remains(database: Database, deeds: Deeds, *, copies: int, within: float = 60) -> Remains:
    """Wait until everything has ended, and look at what is left."""
    client = Client(database)
    started = len(PROGRAMS) * copies + OCCURRENCES

    def over() -> bool:
        found = client.list(limit=100_000)  # in one look: what began between two would count as ended
        return sum("~" not in each.workflow_id for each in found) == started and all(
            each.state in ENDED for each in found
        )

    eventually(over, within=within, every=0.1, ignoring=(SQLAlchemyError,))
    return left_now(database, deeds)


def left_now(database: Database, deeds: Deeds, of: str = "") -> Remains:
    """What is there now, of everything or of one workflow and its family."""
    client = Client(database)
    with database.reading() as connection:
        rows = connection.execute(text("SELECT key FROM ledger")).scalars().all()
    entered = Counter(key for key in rows if _is_of(of, key))
    done = Counter({key: times for key, times in deeds.all().items() if _is_of(of, key)})
    names = [each.workflow_id for each in client.list(prefix=of, limit=100_000) if _is_of(of, each.workflow_id)]
    repeated = frozenset(key for key, times in (done + entered).items() if times > 1)
    return Remains(Counter(_end(client, name) for name in names), _by_program(done), _by_program(entered), repeated)


def _is_of(workflow_id: str, key: str) -> bool:
    """Whether a key is of this workflow (not of another whose number goes on) or of one below it."""
    return key.startswith(workflow_id) and not key.removeprefix(workflow_id)[:1].isdigit()


def copied(left: Remains, copies: int) -> Remains:
    """What so many copies leave where one leaves this; the schedule has its occurrences once."""

    def more(counts: Counter[Any]) -> Counter[Any]:
        return Counter({key: many * (1 if "sched:" in str(key) else copies) for key, many in counts.items()})

    return Remains(more(left.ends), more(left.deeds), more(left.rows))


def _end(client: Client, workflow_id: str) -> tuple[str, str, str, tuple[Any, ...]]:
    described = client.describe(workflow_id)
    history = tuple(
        (entry.step, entry.kind, entry.name, entry.state, _anonymous(entry.payload or ""))
        for entry in client.history(workflow_id)
    )
    return _anonymous(workflow_id), described.state, repr(described.result), history


def _by_program(keys: Counter[str]) -> Counter[str]:
    return Counter(_anonymous(key) for key in keys.elements())


def _anonymous(told: str) -> str:
    """Without times, and without the number of the copy."""
    return _COPY.sub(r"\1", _TIME.sub("<time>", told))
