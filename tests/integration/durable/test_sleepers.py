"""Sleeping workflows are rows and nothing else: an idle worker, a starting one, and a herd of timers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

import psycopg2
import psycopg2.extras
import pytest
from sqlalchemy import text

from bot.demo.waiting import eventually
from durable.postgres import Database
from durable.testing import advance
from tests.support import crowd
from tests.support.chaos import Figure, sized
from tests.support.database import Databases
from tests.support.worker_process import most_connections, worker_process

SLEEPERS = sized(10_000, 300_000)
IDLE_S = sized(2, 20)
HERD = sized(100, 10_000)
WITHIN_S = sized(60, 900)
A_FEW_ROWS = 2_000
"""What some seconds of polling read, however slow the machine; all sleepers, read once, are many times as many."""
MEGABYTE = 2**20
OVERDUE = -timedelta(seconds=1)
AN_HOUR = timedelta(hours=1)
A_MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.chaos
Ask = Callable[..., list[Any]]


@contextmanager
def watcher(url: str) -> Iterator[Ask]:
    """Asks the database by a connection that is told apart from the engine's."""
    connection = psycopg2.connect(url, application_name="watcher")
    connection.autocommit = True
    cursor: Any = connection.cursor(cursor_factory=psycopg2.extras.NamedTupleCursor)

    def ask(query: str, *values: str) -> list[Any]:
        cursor.execute(query, values)
        return list(cursor.fetchall())

    yield ask
    connection.close()


def connections(ask: Ask) -> int:
    """How many the engine's processes have to this database."""
    [counted] = ask(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'durable' AND datname = current_database()"
    )
    return int(counted.count)


# --- a worker that starts, wakes one workflow and idles ---------------------------------------------------------------


@dataclass(frozen=True)
class Life:
    """What a worker process needed: seconds from its start to its first wake, rows and pages of the workflows' tables
    that it read from its start to its end, and its memory in bytes when it had nothing to do."""

    seconds_to_wake: float
    rows: int
    pages: int
    memory: int


def life_of_a_worker(url: str, prefix: str) -> Life:
    database = Database(url)
    with database.transaction("due") as connection:
        crowd.put_asleep(connection, 1, prefix=prefix, due=OVERDUE)
    database.close()
    with watcher(url) as ask:
        [before] = ask(_READ)
        [asked] = ask("SELECT clock_timestamp() AS at")
        with worker_process(url) as process:
            woken = eventually(lambda: ended_at(ask, f"nap-{prefix}-1"), within=WITHIN_S)
            idle = woken + timedelta(seconds=IDLE_S)
            eventually(lambda: ask(_LEASES)[0].until > idle + timedelta(seconds=LEASE_S), within=WITHIN_S)
            memory = process.memory_info().rss
        eventually(lambda: connections(ask) == 0, within=WITHIN_S)  # sessions tell what they read when they end
        [after] = ask(_READ)
    return Life((woken - asked.at).total_seconds(), after.rows - before.rows, after.pages - before.pages, memory)


LEASE_S = 5
_LEASES = "SELECT max(lease_until) AS until FROM durable.workers"
_READ = """
SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint AS rows,
    sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0))::bigint AS pages
FROM pg_stat_user_tables JOIN pg_statio_user_tables USING (relid)
WHERE pg_stat_user_tables.relname IN ('workflows', 'runs', 'history', 'inbox')
"""


def ended_at(ask: Ask, workflow_id: str) -> datetime | None:
    rows = ask(
        "SELECT updated_at FROM durable.runs JOIN durable.workflows ON workflow_key = key"
        " WHERE workflow_id = %s AND state = 'closed'",
        workflow_id,
    )
    return rows[0].updated_at if rows else None


@pytest.fixture(scope="module")
def lives(databases: Databases) -> Iterator[tuple[Life, Life]]:
    """A worker's life with nobody asleep, and with many."""
    with databases.migrated() as url:
        alone = life_of_a_worker(url, "alone")
        database = Database(url)
        with database.transaction("crowd") as connection:
            crowd.put_asleep(connection, SLEEPERS)
        crowd.settle(database)
        database.close()
        yield alone, life_of_a_worker(url, "among")


def test_an_idle_worker_takes_no_more_memory_among_many_sleepers(
    lives: tuple[Life, Life], record_property: Figure
) -> None:
    alone, among = lives
    record_property("memory of an idle worker alone, MB", round(alone.memory / MEGABYTE, 1))
    record_property(f"memory of an idle worker among {SLEEPERS} sleepers, MB", round(among.memory / MEGABYTE, 1))
    assert among.memory < 1.1 * alone.memory


def test_a_worker_that_starts_among_many_sleepers_reads_what_is_due_and_little_else(
    lives: tuple[Life, Life], record_property: Figure
) -> None:
    alone, among = lives
    record_property("seconds from the start of a worker to its first wake, alone", round(alone.seconds_to_wake, 2))
    record_property(f"seconds to the first wake among {SLEEPERS} sleepers", round(among.seconds_to_wake, 2))
    record_property("rows, pages it read in its life, alone", (alone.rows, alone.pages))
    record_property(f"rows, pages it read in its life among {SLEEPERS} sleepers", (among.rows, among.pages))
    assert among.rows < A_FEW_ROWS


# --- a herd at the top of the hour ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """A workflow that was claimed, or ended. `claim` numbers the transaction, `due` the timers in their order."""

    worker: int
    claim: int
    due: int


_NOTED = """
CREATE TABLE public.changes (number bigint GENERATED ALWAYS AS IDENTITY, state text, worker bigint, claim text, key bigint);
CREATE FUNCTION public.note_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.changes (state, worker, claim, key)
    VALUES (NEW.state, coalesce(NEW.worker_id, OLD.worker_id), pg_current_xact_id(), NEW.key);
    RETURN NULL;
END $$;
CREATE TRIGGER noted AFTER UPDATE ON durable.workflows
    FOR EACH ROW WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION public.note_change();
"""
_ENDED = "SELECT count(*) FROM public.changes WHERE state = 'closed'"
_CHANGES = (
    "SELECT state, worker, claim, key - (SELECT min(key) FROM changes) AS due FROM public.changes ORDER BY number"
)


@dataclass(frozen=True)
class Drain:
    """How a herd was drained: who was claimed and who ended, in order, and how many connections there were."""

    claimed: list[Change]
    ended: list[Change]
    idle_connections: int
    most_connections: int


def drain(database: Database, url: str, workers: int, slots: int) -> Drain:
    """Let the timers of one minute come due all at once, with the workers there."""
    with database.transaction("herd") as connection:
        connection.execute(text(_NOTED))
        crowd.put_asleep(connection, HERD, due=AN_HOUR, apart=A_MINUTE / HERD)
    with watcher(url) as ask, ExitStack() as stack:
        for _ in range(workers):
            stack.enter_context(worker_process(url, slots=slots))
        eventually(lambda: ask("SELECT count(*) FROM durable.workers")[0].count == workers, within=WITHIN_S)
        database.close()
        idle = connections(ask)
        advance(database, AN_HOUR + A_MINUTE)
        database.close()
        seen = [idle]

        def drained() -> bool:
            seen.append(connections(ask))
            return bool(ask(_ENDED)[0].count == HERD)

        eventually(drained, within=WITHIN_S, every=0.03)
        changes = ask(_CHANGES)
    of = {
        state: [Change(row.worker, int(row.claim), row.due) for row in changes if row.state == state]
        for state in ("running", "closed")
    }
    return Drain(of["running"], of["closed"], idle, max(seen))


def record(drained: Drain, record_property: Figure) -> None:
    away = max(abs(place - change.due) for place, change in enumerate(drained.ended))
    record_property(f"places an end of {HERD} was away from its due order, at most", away)
    record_property("connections: idle, at most while it drained", (drained.idle_connections, drained.most_connections))


def test_one_slot_drains_a_herd_of_timers_strictly_in_the_order_of_due_times(
    database: Database, database_url: str, record_property: Figure
) -> None:
    drained = drain(database, database_url, workers=1, slots=1)
    record(drained, record_property)
    assert [change.due for change in drained.claimed] == list(range(HERD))
    assert [change.due for change in drained.ended] == list(range(HERD))
    assert drained.most_connections <= most_connections(1)


def test_two_workers_drain_a_herd_each_in_the_order_of_due_times_without_a_burst_of_connections(
    database: Database, database_url: str, record_property: Figure
) -> None:
    drained = drain(database, database_url, workers=2, slots=8)
    record(drained, record_property)
    assert sorted(change.due for change in drained.claimed) == list(range(HERD))
    for worker in {change.worker for change in drained.claimed}:
        of_worker = [change for change in drained.claimed if change.worker == worker]
        claims = [[change.due for change in claim] for _, claim in groupby(of_worker, key=lambda change: change.claim)]
        assert all(max(earlier) < min(later) for earlier, later in pairwise(claims))
        assert max(len(claim) for claim in claims) <= 8
    assert drained.most_connections <= 2 * most_connections(8)
