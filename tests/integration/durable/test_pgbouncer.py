"""Behind pgbouncer in transaction mode: the same ends, nothing kept in a session, and polling instead of hints."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.demo.waiting import eventually
from bot.schema import MIGRATIONS
from durable.client import Client
from durable.postgres.migrate import check_current, upgrade
from tests.support.chaos import Figure, sized
from tests.support.database import Databases
from tests.support.pgbouncer import Pgbouncer, pooled
from tests.support.postgres_proxy import PostgresProxy
from tests.support.programs import Deeds, Remains, ask, copied, naps, prepare, remains, schedule
from tests.support.two_workers import opened, two_workers, without_trouble

SERVER_CONNECTIONS = 4
KEPT_IN_A_SESSION = re.compile(
    r"""^\s*(?: SET \s+ (?!LOCAL\b) | RESET\b | DISCARD\b | (?:UN)?LISTEN\b | PREPARE\b | LOAD\b )
      | \b TEMP(?:ORARY)? \b | \b WITH \s+ HOLD \b | \b set_config \b | \b pg_(?:try_)?advisory_(?:un)?lock""",
    re.VERBOSE | re.IGNORECASE,
)


@pytest.fixture(scope="module")
def untroubled(databases: Databases) -> Remains:
    return without_trouble(databases)


@pytest.fixture
def pgbouncer(database_url: str, tmp_path: Path) -> Iterator[Pgbouncer]:
    with pooled(database_url, tmp_path, pool_size=SERVER_CONNECTIONS) as running:
        yield running


@pytest.mark.chaos
def test_behind_pgbouncer_everything_ends_as_without_and_nothing_is_kept_in_a_session(
    pgbouncer: Pgbouncer, untroubled: Remains, record_property: Figure, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "durable.worker.hints")
    copies, deeds = sized(2, 100), Deeds()
    with PostgresProxy(pgbouncer.url) as seen, opened(seen.url) as database:
        prepare(database)
        schedule(database)
        with two_workers(seen.url, deeds) as workers:
            ask(Client(database, hint=workers[0].hint, timeout=10), copies)
            left = remains(database, deeds, copies=copies, within=600)
            pool = pgbouncer.pool()
    assert left == copied(untroubled, copies)
    assert any(each.startswith("SET LOCAL") for each in seen.statements)
    assert [each for each in seen.statements if KEPT_IN_A_SESSION.search(each)] == []
    assert caplog.text.count("not listening, polling only: a pooler") == 2
    assert pool["sv_active"] + pool["sv_idle"] + pool["sv_used"] <= SERVER_CONNECTIONS < pool["cl_active"]
    eventually(lambda: pgbouncer.pool()["cl_active"] == pgbouncer.pool()["sv_active"] == 0)
    record_property("workflows on two workers and 4 connections of PostgreSQL's", sum(left.ends.values()))


def test_behind_pgbouncer_a_worker_polls_for_what_others_start(pgbouncer: Pgbouncer) -> None:
    with opened(pgbouncer.url) as database, two_workers(pgbouncer.url, Deeds()):
        client = Client(database)
        client.start(naps, workflow_id="naps.0")
        eventually(lambda: client.describe("naps.0").state == "completed")


def test_a_fail_over_behind_pgbouncer_is_lived_through(database_url: str, tmp_path: Path, untroubled: Remains) -> None:
    deeds = Deeds()
    with opened(database_url) as direct, PostgresProxy(database_url) as proxy, pooled(proxy.url, tmp_path) as pgbouncer:
        prepare(direct)
        schedule(direct)
        with two_workers(pgbouncer.url, deeds, lease=1.0) as workers:
            ask(Client(direct), copies=1)
            with proxy.refusing():
                eventually(lambda: not any(worker.is_alive for worker in workers), within=30)
            assert remains(direct, deeds, copies=1) == untroubled


def test_behind_pgbouncer_a_time_limit_ends_with_its_transaction(database_url: str, tmp_path: Path) -> None:
    with pooled(database_url, tmp_path, pool_size=1) as pgbouncer, opened(pgbouncer.url) as database:
        with database.reading(timeout=1.5) as connection:
            assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "1500ms"
        with database.transaction("test", timeout=2.5) as connection:
            assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "2500ms"
        with database.reading() as connection:  # the same connection of PostgreSQL's: there is no other
            assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "0"


def test_the_schema_is_upgraded_through_pgbouncer(empty_database_url: str, tmp_path: Path) -> None:
    with pooled(empty_database_url, tmp_path) as pgbouncer, opened(pgbouncer.url) as database:
        assert len(upgrade(database, MIGRATIONS)) == len(MIGRATIONS)
        check_current(database, MIGRATIONS)
