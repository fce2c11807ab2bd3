"""The one door to PostgreSQL: an engine, transactions and single statements, each passing the injection points."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from durable.injection import reach

CONNECT_TIMEOUT_S = 5
POOL_TIMEOUT_S = 10


class Database:
    """A pool of connections to one PostgreSQL, 14 or newer, driven by psycopg2.

    `url` may begin with `postgresql://`, `postgres://` or `postgresql+psycopg2://`. `pool_size` bounds the connections.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        parsed = make_url(url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url)
        self.url = parsed.set(drivername="postgresql+psycopg2")
        self.engine = create_engine(
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
        )
        self._single = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def transaction(self, label: str, *, timeout: float | None = None) -> Iterator[Connection]:
        """One transaction, committed at the end. `timeout` in seconds bounds each of its statements."""
        with self.engine.connect() as connection, connection.begin():
            if timeout is not None:
                connection.execute(text(f"SET LOCAL statement_timeout = {int(timeout * 1000)}"))
            yield connection
            reach(f"commit.before {label}")
        reach(f"commit.after {label}")

    @contextmanager
    def statement(self, label: str) -> Iterator[Connection]:
        """A connection for one statement that commits by itself: one round trip instead of three."""
        reach(f"commit.before {label}")
        with self._single.connect() as connection:
            yield connection
        reach(f"commit.after {label}")

    @contextmanager
    def reading(self, *, timeout: float | None = None) -> Iterator[Connection]:
        """A connection that only reads. `timeout` in seconds bounds each statement, for whoever cannot wait."""
        if timeout is None:
            with self._single.connect() as connection:
                yield connection
            return
        with self.engine.connect() as connection, connection.begin():
            connection.execute(text(f"SET LOCAL statement_timeout = {int(timeout * 1000)}"))
            yield connection

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def is_away(error: BaseException) -> bool:
    """Whether the error means that the database could not be reached or dropped the connection: worth another try."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    code = getattr(error.orig, "pgcode", None) or ""
    return (
        bool(error.connection_invalidated)
        or code[:2] in ("08", "57")
        or (not code and type(error.orig).__name__ in ("OperationalError", "InterfaceError"))
    )
