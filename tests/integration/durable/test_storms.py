"""Whole processes and the whole database killed, restarted, frozen, under load: nothing lost, nothing doubled."""

import random
import signal
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic

import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bot.demo.waiting import eventually
from bot.embedded import EmbeddedPostgres
from durable.client import Client
from durable.postgres import Database
from durable.postgres.migrate import upgrade
from durable.scheduler import Schedules
from durable.schedules import Every
from tests.support import storm
from tests.support.chaos import Figure, sized
from tests.support.clocks import WallClock, forget_the_dead
from tests.support.fleet import Fleet, fleet, started_with
from tests.support.storm import (
    ENTRIES,
    alarm,
    all_once,
    between_steps,
    completed,
    count,
    in_a_call,
    in_a_transaction,
    left,
    overdue,
    ten_steps,
)

WORKFLOWS = sized(60, 1000)
KILLS = sized(4, 60)
RESTARTED_WORKFLOWS = sized(40, 600)
RESTARTS = sized(2, 8)
MEANWHILE = sized(10, 200)
HELD = (in_a_call, between_steps)
LEASE_S = 2.0
ALARMS = sized(10, 100)
LONGEST_ALARM_S = sized(3, 30)
TEN_MINUTES_S = 600
A_FEW_MINUTES = timedelta(minutes=3)
IN_TIME_S = 60
"""No figure of merit, which depends on the machine: far from the ten minutes by which the clocks are off."""
WITHIN_S = sized(120, 1200)

pytestmark = pytest.mark.chaos


@pytest.fixture
def workers(database: Database, tmp_path: Path) -> Iterator[Fleet]:
    storm.prepare(database)
    with fleet(url_of(database), tmp_path) as hired:
        yield hired


def url_of(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


def begin(client: Client, names: list[str]) -> None:
    """Start workflows of ten steps, also while the database is away."""
    for name in names:
        start = partial(client.start, ten_steps, workflow_id=name)
        eventually(start, within=WITHIN_S, ignoring=(SQLAlchemyError,))


def at_progress(database: Database, share: float, workflows: int) -> None:
    """Wait until so large a share of all entries is made."""
    wanted = int(share * workflows * len(ENTRIES))
    eventually(lambda: count(database, "entries") >= wanted, within=WITHIN_S, every=0.02, ignoring=(SQLAlchemyError,))


def all_completed(database: Database, workflows: int) -> None:
    eventually(lambda: completed(database) >= workflows, within=WITHIN_S, ignoring=(SQLAlchemyError,))


def test_a_storm_of_sigkill_on_three_workers_loses_nothing_and_doubles_nothing(
    database: Database, workers: Fleet, record_property: Figure
) -> None:
    began = monotonic()
    names = [f"w{number}" for number in range(WORKFLOWS)]
    for _ in range(3):
        workers.hire()
    begin(Client(database), names)
    chance = random.Random(7)  # noqa: S311 - who dies is no secret
    for kill in range(1, KILLS + 1):
        at_progress(database, 0.9 * kill / KILLS, WORKFLOWS)
        workers.replace(chance.choice(workers.hands))
    all_completed(database, WORKFLOWS)
    record_property("workflows of ten steps", WORKFLOWS)
    record_property("processes killed", KILLS)
    record_property("in all, s", round(monotonic() - began, 1))
    assert left(database) == all_once(names)


@pytest.fixture
def server() -> Iterator[tuple[EmbeddedPostgres, Database]]:
    """A PostgreSQL of the test's own, which keeps what it committed."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # root's PostgreSQL runs as somebody else
        embedded = EmbeddedPostgres(Path(folder) / "home", roots_folder=Path(folder) / "data")
        with embedded.running() as url:
            database = Database(url)
            upgrade(database)
            yield embedded, database
            database.close()


def test_a_database_restarted_at_once_again_and_again_under_load_loses_nothing_and_doubles_nothing(
    server: tuple[EmbeddedPostgres, Database], tmp_path: Path, record_property: Figure
) -> None:
    embedded, database = server
    storm.prepare(database)
    began = monotonic()
    names = [f"w{number}" for number in range(RESTARTED_WORKFLOWS)]
    with fleet(url_of(database), tmp_path) as workers:
        workers.hire()
        workers.hire()
        begin(Client(database), names[::2])
        for restart in range(1, RESTARTS + 1):
            at_progress(database, 0.5 * restart / (RESTARTS + 1), RESTARTED_WORKFLOWS)
            restart_immediately(embedded, database)
            begin(Client(database), names[2 * restart - 1 :: 2 * RESTARTS])
        all_completed(database, RESTARTED_WORKFLOWS)
    record_property("workflows of ten steps", RESTARTED_WORKFLOWS)
    record_property("restarts of PostgreSQL", RESTARTS)
    record_property("in all, s", round(monotonic() - began, 1))
    assert left(database) == all_once(names)


def restart_immediately(embedded: EmbeddedPostgres, database: Database) -> None:
    """What `pg_ctl restart -m immediate` does: SIGQUIT, which is a crash to PostgreSQL, and a start that recovers."""
    with database.reading() as connection:
        asked = text("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int")
        postmaster = psutil.Process(connection.execute(asked).scalar_one())
    postmaster.send_signal(signal.SIGQUIT)
    eventually(embedded.revive, within=60, every=0.01)


def test_a_worker_frozen_past_its_lease_writes_nothing_when_it_goes_on(database: Database, tmp_path: Path) -> None:
    storm.prepare(database)
    client = Client(database)
    names = [f"w{number}" for number in range(MEANWHILE)]
    with fleet(url_of(database), tmp_path, lease=LEASE_S) as workers:
        frozen = workers.hire()
        for workflow in HELD:
            client.start(workflow, str(place(tmp_path, workflow.name)), workflow_id=workflow.name)
        for workflow in HELD:
            eventually((tmp_path / workflow.name / "reached").exists)
        frozen.freeze()
        other = workers.hire()
        begin(client, names)
        all_completed(database, len(names) + len(HELD))
        written = everything(database)
        for workflow in HELD:
            (tmp_path / workflow.name / "go").touch()
        frozen.thaw()
        for workflow in HELD:
            eventually(partial(frozen.says, f"fence lost: {workflow.name}:"), within=WITHIN_S)
        assert everything(database) == written
        other.kill()
        begin(client, ["afterwards"])
        all_completed(database, len(names) + len(HELD) + 1)
    expected = all_once([*names, "afterwards"])
    found = left(database)
    assert found.deeds == expected.deeds | dict.fromkeys(("in_a_call/1/1", "between_steps/1/1", "between_steps/1/3"), 1)
    assert found.entries == expected.entries | dict.fromkeys(("in_a_call/1/2", "between_steps/1/2"), 1)
    assert not found.unfinished


def test_a_worker_frozen_inside_a_transaction_keeps_that_workflow_until_it_goes_on(
    database: Database, tmp_path: Path
) -> None:
    storm.prepare(database)
    client = Client(database)
    with fleet(url_of(database), tmp_path, lease=LEASE_S) as workers:
        frozen = workers.hire()
        client.start(in_a_transaction, str(place(tmp_path, "held")), workflow_id="held")
        eventually((tmp_path / "held" / "reached").exists)
        frozen.freeze()
        workers.hire()
        eventually(lambda: not all(worker.alive for worker in client.workers()), within=WITHIN_S)
        begin(client, ["meanwhile"])
        all_completed(database, 1)
        assert client.describe("held").state == "running"
        (tmp_path / "held" / "go").touch()
        frozen.thaw()
        all_completed(database, 2)
    found, expected = left(database), all_once(["meanwhile"])
    assert found.entries == expected.entries | {"held/1/1": 1}
    assert found.deeds == expected.deeds | {"held/1/2": 1}


def place(parent: Path, name: str) -> Path:
    """A folder for who is held there."""
    folder = parent / name
    folder.mkdir()
    return folder


def everything(database: Database) -> list[str]:
    """All that is written of workflows, with all times."""
    tables = ("durable.workflows", "durable.runs", "durable.history", "deeds", "entries", "knocks")
    with database.reading() as connection:
        return [
            str(row[0])
            for table in tables
            for row in connection.execute(text(f"SELECT to_json(t) FROM {table} t ORDER BY t"))  # noqa: S608 - our names
        ]


@pytest.fixture
def new_clock(tmp_path: Path) -> Iterator[Callable[[str], WallClock]]:
    """Makes clocks, by name."""
    yield lambda name: WallClock(tmp_path / name)
    forget_the_dead()


def test_wall_clocks_ten_minutes_off_that_jump_make_nothing_early_or_late_or_lost(
    database: Database, tmp_path: Path, new_clock: Callable[[str], WallClock], record_property: Figure
) -> None:
    storm.prepare(database)
    client = Client(database)
    names = [f"w{number}" for number in range(MEANWHILE)]
    fast, slow = new_clock("fast"), new_clock("slow")
    fast.set(TEN_MINUTES_S)
    slow.set(-TEN_MINUTES_S)
    with fleet(url_of(database), tmp_path) as workers:
        hands = [workers.hire(started_with(clock.environment)) for clock in (fast, slow)]
        for number in range(ALARMS):
            client.start(alarm, LONGEST_ALARM_S * (number + 1) / ALARMS, workflow_id=f"alarm{number}")
        all_completed(database, ALARMS // 2)
        fast.set(-TEN_MINUTES_S)
        slow.set(TEN_MINUTES_S)
        all_completed(database, ALARMS)
        begin(client, names)
        all_completed(database, ALARMS + len(names))
        for hand, ahead in zip(hands, (TEN_MINUTES_S, -TEN_MINUTES_S), strict=True):
            assert abs(hand.began() - datetime.now(UTC) - timedelta(seconds=ahead)) < A_FEW_MINUTES
    late = [client.describe(f"alarm{number}").result for number in range(ALARMS)]
    record_property("latest alarm, s", round(max(late), 3))
    assert min(late) >= 0
    assert max(late) < IN_TIME_S
    found, expected = left(database), all_once(names)
    assert (found.unfinished, found.deeds, found.entries) == ({}, expected.deeds, expected.entries)


def test_a_worker_whose_clock_was_set_back_takes_over_and_keeps_deadlines_and_schedules(
    database: Database, tmp_path: Path, new_clock: Callable[[str], WallClock]
) -> None:
    storm.prepare(database)
    client = Client(database)
    clock = new_clock("clock")
    with fleet(url_of(database), tmp_path) as workers:
        doomed = workers.hire()
        client.start(in_a_call, str(place(tmp_path, "held")), workflow_id="held")
        eventually((tmp_path / "held" / "reached").exists)
        survivor = workers.hire(started_with(clock.environment))
        eventually(partial(survivor.says, "worker started"), within=WITHIN_S)
        clock.set(-TEN_MINUTES_S)
        doomed.kill()
        client.start(overdue, workflow_id="overdue")
        Schedules(database).put("often", ten_steps, spec=Every(timedelta(seconds=1)))
        all_completed(database, 4)
    assert client.describe("held").result == ["done", "entered"]
    assert client.describe("overdue").result == "cancelled in time"
