"""Losing connections: which errors mean it, and that what cut one of them has cut them all.

After a restart or a fail-over every pooled connection is dead, and each would fail one statement to find that out. So when
one is lost, all that are older than the loss are replaced before they are used again, in every pool.
"""

import time
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_BORN = "durable_born"
_READ_ONLY = "25006"
"""read_only_sql_transaction: the server we are connected to is a replica now, or still."""
_AWAY_CLASSES = ("08", "57")
"""Connection exceptions, and operator intervention: https://www.postgresql.org/docs/current/errcodes-appendix.html"""


class DatabaseAway(SQLAlchemyError):
    """The driver lost the connection outside of a statement, where SQLAlchemy does not wrap its errors."""


def is_away(error: BaseException) -> bool:
    """Whether the error means that the database could not be reached, dropped the connection or takes no writes at the
    moment: worth another try."""
    if isinstance(error, PoolTimeout | DatabaseAway):
        return True
    if not isinstance(error, DBAPIError):
        return False
    code = _code(error.orig)
    return (
        bool(error.connection_invalidated)
        or code[:2] in _AWAY_CLASSES
        or code == _READ_ONLY
        or (not code and type(error.orig).__name__ in ("OperationalError", "InterfaceError"))
    )


def in_short(error: BaseException) -> str:
    """What an error says, without the statement and its parameters that SQLAlchemy adds."""
    said = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(said).split())


class Losses:
    """Remembers the last loss, for all the engines it watches."""

    def __init__(self) -> None:
        self._last = 0.0

    def watch(self, engine: Engine) -> None:
        """Notice what this engine loses, and let it use no connection that is older than the last loss."""
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "checkout", self._checked_out)
        event.listen(engine, "handle_error", self._failed)

    def _connected(self, _connection: Any, record: Any) -> None:
        record.info[_BORN] = time.monotonic()

    def _checked_out(self, _connection: Any, record: Any, _borrowed: Any) -> None:
        if record.info[_BORN] <= self._last:
            raise DisconnectionError  # the pool replaces it, and asks here again

    def _failed(self, context: ExceptionContext) -> None:
        if _code(context.original_exception) == _READ_ONLY:
            context.is_disconnect = True
        connection = context.connection
        if not context.is_disconnect or connection is None or connection.invalidated:
            return
        if _born(connection) > self._last:  # else it is only late to be noticed
            self._last = time.monotonic()


def _born(connection: Connection) -> float:
    """When a connection was made; now for an engine's first, while SQLAlchemy asks the server who it is: it has no `info`
    then (`sqlalchemy.pool.base._AdhocProxiedConnection`)."""
    try:
        born: float = connection.info.get(_BORN, 0.0)
    except NotImplementedError:
        return time.monotonic()
    return born


def _code(error: BaseException | None) -> str:
    return getattr(error, "pgcode", None) or ""
