"""The one door to PostgreSQL: an engine, transactions and single statements, each passing the injection points."""

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import psycopg2
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from durable.injection import reach
from durable.payloads import Payloads
from durable.postgres.losses import DatabaseAway, Losses, in_short, is_away

__all__ = ["Database", "DatabaseAway", "Pooled", "in_short", "is_away"]

CONNECT_TIMEOUT_S = 5
POOL_TIMEOUT_S = 10
LISTEN_S = 5.0


class Pooled(SQLAlchemyError):
    """Between us and PostgreSQL is a pooler that gives connections to others between two transactions: nobody can listen."""


class Database:
    """Connections to one PostgreSQL, 14 or newer, driven by psycopg2.

    `url` may begin with `postgresql://`, `postgres://` or `postgresql+psycopg2://`. `pool_size` bounds the connections
    of each of two pools: one for transactions, one for statements that commit by themselves. They are two, because to
    switch a connection between the modes costs round trips. `payloads` says what becomes of large values that are written.
    """

    def __init__(self, url: str, *, pool_size: int = 10, payloads: Payloads = Payloads()) -> None:  # noqa: B008 - frozen
        parsed = make_url(url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url)
        self.url = parsed.set(drivername="postgresql+psycopg2")
        self.payloads = payloads
        self._losses = Losses()
        self.engine = self._engine(pool_size)
        self._single = self._engine(pool_size, isolation_level="AUTOCOMMIT")

    def _engine(self, pool_size: int, **options: Any) -> Engine:
        engine = create_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            pool_recycle=1800,
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "application_name": "durable",
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 3,
            },
            **options,
        )
        self._losses.watch(engine)
        return engine

    @contextmanager
    def transaction(self, label: str, *, timeout: float | None = None) -> Iterator[Connection]:
        """One transaction, committed at the end. `timeout` in seconds bounds each of its statements."""
        with _driver_errors_wrapped(), self.engine.connect() as connection, connection.begin():
            if timeout is not None:
                connection.execute(text(f"SET LOCAL statement_timeout = {int(timeout * 1000)}"))
            yield connection
            reach(f"commit.before {label}")
        reach(f"commit.after {label}")

    @contextmanager
    def statement(self, label: str) -> Iterator[Connection]:
        """A connection for one statement that commits by itself: one round trip instead of three."""
        reach(f"commit.before {label}")
        with _driver_errors_wrapped(), self._single.connect() as connection:
            yield connection
        reach(f"commit.after {label}")

    @contextmanager
    def reading(self, *, timeout: float | None = None) -> Iterator[Connection]:
        """A connection that only reads. `timeout` in seconds bounds each statement, for whoever cannot wait."""
        if timeout is None:
            with _driver_errors_wrapped(), self._single.connect() as connection:
                yield connection
            return
        with _driver_errors_wrapped(), self.engine.connect() as connection, connection.begin():
            connection.execute(text(f"SET LOCAL statement_timeout = {int(timeout * 1000)}"))
            yield connection

    def notify(self, channel: str, sender: str) -> None:
        """Send a notification in the name of `sender`, in a transaction of its own."""
        with self.reading() as connection:
            connection.execute(text("SELECT pg_notify(:channel, :sender)"), {"channel": channel, "sender": sender})

    def listen(self, channel: str, on_notice: Callable[[], None], stopping: Event, *, deaf_to: str) -> None:
        """Call `on_notice` when somebody else than `deaf_to` notified, until `stopping` is set; on a connection of its
        own.

        Raises `Pooled` where notifications would never come, and an SQLAlchemy error when the connection is lost.
        """
        with _driver_errors_wrapped():
            fairy = self._single.raw_connection()
            raw: Any = fairy.dbapi_connection
            fairy.detach()
            try:
                _refuse_pooler(raw)
                raw.cursor().execute(f"LISTEN {channel}")
                while not stopping.is_set():
                    if select.select([raw], [], [], LISTEN_S)[0]:
                        raw.poll()
                        from_others = any(notice.payload != deaf_to for notice in raw.notifies)
                        raw.notifies.clear()
                        if from_others:
                            on_notice()
            finally:
                raw.close()

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()
        self._single.dispose()


@contextmanager
def _driver_errors_wrapped() -> Iterator[None]:
    try:
        yield
    except psycopg2.Error as error:
        raise DatabaseAway(f"{type(error).__name__}: {error}") from error


def _refuse_pooler(connection: Any) -> None:
    """Raise `Pooled` unless the server process that the connection began with is the one that answers it.

    A pooler makes up the process it tells its clients. To try LISTEN instead would leave a connection of the pooler's
    listening, whose notifications then reach whoever happens to use it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        if cursor.fetchone() != (connection.info.backend_pid,):
            raise Pooled("a pooler is between")
