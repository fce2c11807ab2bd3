"""What storms rage over: workflows of ten steps, and a world outside in which whatever is done twice stands there twice."""

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url

from durable import Cancelled, Found, RetryPolicy, activity, info, resource, sleep, transaction, workflow
from durable.client import Client
from durable.postgres import Database

NAP_S = 0.05
TOO_LONG_S = 3600
OUTSIDE_AT_ONCE = 8
PATIENTLY = RetryPolicy(first=0.2, longest=2.0, attempts=50)
TEN_STEPS = (
    *("activity deed", "activity enter", "activity deed", "activity enter", "sleep"),
    *("activity deed", "activity enter", "activity deed", "activity enter", "activity knock"),
)
DEEDS, ENTRIES, KNOCKS = (1, 3, 6, 8), (2, 4, 7, 9), (10,)
"""At which of the ten steps what happens."""


class Outside:
    """The world outside: two tables without any key, written on connections of its own that commit by themselves."""

    def __init__(self, url: str) -> None:
        self._engine: Engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT", pool_size=OUTSIDE_AT_ONCE
        )

    def happen(self, table: str, key: str) -> None:
        """Let something happen once more."""
        with self._engine.connect() as connection:
            connection.execute(text(f"INSERT INTO {table} VALUES (:key)"), {"key": key})  # noqa: S608 - our own names

    def happened(self, key: str) -> bool:
        """Whether this deed was done."""
        with self._engine.connect() as connection:
            asked = text("SELECT EXISTS (SELECT FROM deeds WHERE key = :key)")
            return bool(connection.execute(asked, {"key": key}).scalar_one())


def look(*_: Any) -> Found[str] | None:
    return Found("done") if resource(Outside).happened(info().key) else None


@activity(verify=look, retry=PATIENTLY)
def deed() -> str:
    """An effect that must happen once."""
    resource(Outside).happen("deeds", info().key)
    return "done"


@transaction
def enter(connection: Connection) -> str:
    """A row of our own database."""
    connection.execute(text("INSERT INTO entries VALUES (:key)"), {"key": info().key})
    return "entered"


@activity(retry=PATIENTLY)
def knock() -> str:
    """What is safe to repeat."""
    resource(Outside).happen("knocks", info().key)
    return "knocked"


@workflow
def ten_steps() -> int:
    for _ in range(2):
        deed()
        enter()
    sleep(NAP_S)
    for _ in range(2):
        deed()
        enter()
    knock()
    return 10


# --- places at which a process can be frozen --------------------------------------------------------------------------


def hold(folder: str) -> None:
    """Who comes here first leaves its process id and waits until it may go; whoever comes later passes."""
    reached, mine = Path(folder) / "reached", Path(folder) / f"came-{os.getpid()}"
    mine.write_text(str(os.getpid()))
    try:
        os.link(mine, reached)  # all at once: nobody sees the file without its content
    except FileExistsError:
        return
    while not (Path(folder) / "go").exists():
        Event().wait(NAP_S)


@activity(verify=look)
def held_deed(folder: str) -> str:
    """An effect whose answer is long in coming."""
    resource(Outside).happen("deeds", info().key)
    hold(folder)
    return "done"


@workflow
def in_a_call(folder: str) -> list[str]:
    return [held_deed(folder), enter()]


@workflow
def between_steps(folder: str) -> list[str]:
    first = deed()
    hold(folder)
    return [first, enter(), deed()]


@transaction
def held_entry(connection: Connection, folder: str) -> str:
    """A row of our own database whose commit is long in coming."""
    entered = enter.function(connection)
    hold(folder)
    return str(entered)


@workflow
def in_a_transaction(folder: str) -> list[str]:
    return [held_entry(folder), deed()]


# --- timers that say when they fired ----------------------------------------------------------------------------------


@transaction
def ring(connection: Connection, due: float) -> float:
    """How many seconds after `due` (since 1970) this is, by the database's clock."""
    asked = text("SELECT extract(epoch FROM clock_timestamp()) - :due")
    return float(connection.execute(asked, {"due": due}).scalar_one())


@transaction
def the_time(connection: Connection) -> float:
    """Seconds since 1970, by the database's clock."""
    return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())


@workflow
def alarm(seconds: float) -> float:
    began = the_time()
    sleep(seconds)
    return ring(began + seconds)


@workflow(deadline=timedelta(seconds=1))
def overdue() -> str:
    try:
        sleep(TOO_LONG_S)
    except Cancelled:
        return "cancelled in time"
    return "too late"


WORKFLOWS: tuple[Any, ...] = (ten_steps, in_a_call, between_steps, in_a_transaction, alarm, overdue)


# --- what is left -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Left:
    """What a storm left of workflows of ten steps, and who was not completed."""

    unfinished: dict[str, str]
    deeds: dict[str, int]
    entries: dict[str, int]
    knocked: set[str]
    histories: set[tuple[str, ...]]


def prepare(database: Database) -> None:
    """Make the tables."""
    with database.transaction("test") as connection:
        for table in ("deeds", "entries", "knocks"):
            connection.execute(text(f"CREATE TABLE {table} (key text)"))


def count(database: Database, table: str) -> int:
    """How many rows there are."""
    with database.reading() as connection:
        many: int = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()  # noqa: S608 - our own names
    return many


def completed(database: Database) -> int:
    """How many workflows are completed."""
    return Client(database).overview().counts.get("completed", 0)


def left(database: Database) -> Left:
    """What a storm has left."""
    with database.reading() as connection:

        def counted(table: str) -> dict[str, int]:
            asked = text(f"SELECT key, count(*) AS times FROM {table} GROUP BY key")  # noqa: S608 - our own names
            return {row.key: row.times for row in connection.execute(asked)}

        states = text(
            "SELECT workflow_id, coalesce(outcome, state) AS state FROM durable.workflows w"
            " JOIN durable.runs r ON r.workflow_key = w.key AND r.run = w.run"
        )
        steps = text(
            "SELECT array_agg(trim(kind || ' ' || name) || ' ' || state ORDER BY step) AS steps"
            " FROM durable.history GROUP BY workflow_key, run"
        )
        return Left(
            unfinished={row[0]: row[1] for row in connection.execute(states) if row[1] != "completed"},
            deeds=counted("deeds"),
            entries=counted("entries"),
            knocked=set(counted("knocks")),
            histories={tuple(row.steps) for row in connection.execute(steps)},
        )


def all_once(names: list[str]) -> Left:
    """What is left of workflows of ten steps with these ids when nothing was lost and nothing doubled."""
    return Left(
        unfinished={},
        deeds={f"{name}/1/{step}": 1 for name in names for step in DEEDS},
        entries={f"{name}/1/{step}": 1 for name in names for step in ENTRIES},
        knocked={f"{name}/1/{step}" for name in names for step in KNOCKS},
        histories={tuple(f"{step} done" for step in TEN_STEPS)},
    )
