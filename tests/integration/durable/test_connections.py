"""Connections that break: dropped again and again, refused for a while, to a replica, and with the server itself.

All goes on by itself, to the same ends, histories, effects and rows as without.
"""

import random
import signal
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, Self

import psycopg2.extensions
import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from bot.demo.waiting import eventually
from bot.embedded import EmbeddedPostgres
from bot.postgres_place import prepare as place_of
from bot.postmaster import Postmaster
from durable.client import Client
from durable.postgres.database import is_away
from durable.postgres.migrate import upgrade
from tests.support.chaos import Figure, sized
from tests.support.database import Databases
from tests.support.postgres_proxy import PostgresProxy
from tests.support.programs import Deeds, Remains, ask, copied, in_runs, naps, prepare, remains, schedule
from tests.support.two_workers import opened, two_workers, without_trouble


@pytest.fixture(scope="module")
def untroubled(databases: Databases) -> Remains:
    return without_trouble(databases)


class Storm:
    """Drops every connection of a proxy again and again, at random moments `every` seconds apart on average."""

    def __init__(self, proxy: PostgresProxy, *, every: float) -> None:
        self._proxy = proxy
        self._every = every
        self._over = Event()
        self._dice = random.Random(1)  # noqa: S311 - the same storm each time
        self._thread = Thread(target=self._rage, name="storm", daemon=True)
        self.drops = self.cut = 0

    def _rage(self) -> None:
        while not self._over.wait(2 * self._every * self._dice.random()):
            self.drops += 1
            self.cut += self._proxy.drop()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@pytest.mark.chaos
def test_every_connection_dropped_again_and_again_changes_nothing(
    database_url: str, untroubled: Remains, record_property: Figure
) -> None:
    copies, deeds = sized(2, 100), Deeds()
    with opened(database_url) as direct, PostgresProxy(database_url) as proxy, opened(proxy.url) as through:
        prepare(direct)
        schedule(direct)
        with two_workers(proxy.url, deeds) as workers, Storm(proxy, every=0.4) as storm:
            ask(Client(through, hint=workers[0].hint), copies)
            left = remains(direct, deeds, copies=copies, within=600)
    assert left == copied(untroubled, copies)
    record_property("workflows", sum(left.ends.values()))
    record_property("times that all connections were dropped", storm.drops)
    record_property("connections dropped", storm.cut)


@pytest.mark.chaos
def test_after_a_fail_over_longer_than_the_lease_everything_goes_on_by_itself(
    database_url: str, untroubled: Remains, record_property: Figure
) -> None:
    copies, outages, deeds = sized(1, 20), sized(1, 10), Deeds()
    with opened(database_url) as direct, PostgresProxy(database_url) as proxy:
        prepare(direct)
        schedule(direct)
        with two_workers(proxy.url, deeds, lease=1.0) as workers:
            ask(Client(direct), copies)
            for _ in range(outages):
                eventually(lambda: all(worker.is_alive for worker in workers), within=30)
                with proxy.refusing():
                    eventually(lambda: not any(worker.is_alive for worker in workers), within=30)
            left = remains(direct, deeds, copies=copies)
    assert left == copied(untroubled, copies)
    record_property("fail-overs, each longer than the lease", outages)


def test_after_a_fail_over_that_met_a_replica_first_everything_goes_on_by_itself(
    database_url: str, untroubled: Remains
) -> None:
    deeds, name = Deeds(), make_url(database_url).database
    with opened(database_url) as direct, PostgresProxy(database_url) as proxy:
        prepare(direct)
        schedule(direct)
        with two_workers(proxy.url, deeds, lease=1.0) as workers:
            with direct.statement("test") as connection:
                connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
            proxy.drop()
            eventually(lambda: not any(worker.is_alive for worker in workers), within=30)
            # Connections that were made meanwhile go on refusing to write, as those to a replica would.
            with direct.statement("test") as connection:
                connection.execute(text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
            ask(Client(direct), copies=1)
            assert remains(direct, deeds, copies=1) == untroubled


def test_one_statement_finds_out_that_all_connections_are_lost_and_no_other_fails(database_url: str) -> None:
    with PostgresProxy(database_url) as proxy, opened(proxy.url) as database:

        def use_both_pools() -> None:
            with database.reading() as one, database.reading(timeout=5) as other:
                one.execute(text("SELECT 1"))
                other.execute(text("SELECT 1"))

        use_both_pools()
        assert proxy.drop() == 2
        with pytest.raises(SQLAlchemyError):
            use_both_pools()
        use_both_pools()


def test_a_connection_that_is_lost_while_it_is_made_is_a_loss_like_any(database_url: str) -> None:
    """SQLAlchemy asks the first connection of an engine who the server is, by a connection that has no `info`."""
    with opened(database_url) as direct, opened(database_url) as database:

        class Cut(psycopg2.extensions.cursor):
            def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - the driver's name
                if query == "show standard_conforming_strings":
                    with direct.reading() as other:
                        backend = {"pid": self.connection.info.backend_pid}
                        other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), backend)
                super().execute(query, vars)

        def make(dialect: Any, _record: Any, words: Any, options: Any) -> Any:
            return dialect.connect(*words, cursor_factory=Cut, **options)

        event.listen(database.engine, "do_connect", make)
        with pytest.raises(SQLAlchemyError) as lost, database.transaction("test"):
            pass
        assert is_away(lost.value)


def test_what_was_claimed_by_a_claim_whose_answer_was_lost_goes_on_at_once(database_url: str) -> None:
    with (
        opened(database_url) as direct,
        PostgresProxy(database_url, counted=lambda statements: "SET state = 'running'" in statements) as proxy,
    ):
        prepare(direct)
        client = Client(direct)
        with two_workers(proxy.url, Deeds(), lease=60.0):
            proxy.cut_at(1, moment="answer")
            client.start(naps, workflow_id="naps.0")
            eventually(lambda: client.describe("naps.0").state == "completed", within=20)
        assert proxy.broken


def test_what_could_not_be_given_back_goes_on_as_soon_as_it_can_be(database_url: str) -> None:
    def counted(statements: str) -> bool:
        return "INTO ledger" in statements or "attempts = greatest" in statements

    with opened(database_url) as direct, PostgresProxy(database_url, counted=counted) as proxy:
        prepare(direct)
        client = Client(direct)
        with two_workers(proxy.url, Deeds(), lease=60.0):
            proxy.cut_at(1, 2, moment="before")  # the transaction, and the giving back that follows
            client.start(in_runs, workflow_id="in_runs.0")
            eventually(lambda: client.describe("in_runs.0").state == "completed", within=20)
        assert len(proxy.broken) == 2


class OwnServer:
    """A PostgreSQL of one test's own, with fsync on, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._home, self._data = folder / "home", folder / "data"
        self.postgres = EmbeddedPostgres(self._home, roots_folder=self._data)

    def restart(self, kind: signal.Signals) -> None:
        """End it by SIGINT or SIGQUIT, as `pg_ctl restart -m fast` and `-m immediate` do, and start it again."""
        running = Postmaster(place_of(self._home, self._data), {}).running()
        assert running is not None
        running.process.send_signal(kind)
        running.process.wait(30)
        assert self.postgres.revive()


def test_a_worker_lives_through_restarts_of_its_database(untroubled: Remains) -> None:
    with TemporaryDirectory(prefix="vigil-") as folder:  # a short path, so that its socket stays where it is
        Path(folder).chmod(0o755)
        server, deeds = OwnServer(Path(folder)), Deeds()
        with server.postgres.running() as url, opened(url) as database:
            upgrade(database)
            prepare(database)
            schedule(database)
            with two_workers(url, deeds) as workers:
                for kind in (signal.SIGINT, signal.SIGQUIT):
                    ask(Client(database, hint=workers[0].hint), copies=1)
                    server.restart(kind)
                assert remains(database, deeds, copies=1) == untroubled
