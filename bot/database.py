"""Opening the database that the settings name: a given one as it is, the embedded one started and upgraded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bot.embedded import EmbeddedPostgres
from bot.schema import MIGRATIONS
from config.settings import DatabaseSettings
from durable.errors import SchemaTooOld
from durable.postgres import Database
from durable.postgres.migrate import check_current, upgrade

_log = structlog.get_logger(__name__)


class DatabaseUnreachable(Exception):
    """The database does not answer. The text names it, why, and the remedy; never a password."""


@dataclass(frozen=True)
class OpenDatabase:
    """A database that answers. `revive` starts an embedded PostgreSQL again that died; None for a given database."""

    database: Database
    revive: Callable[[], bool] | None


@contextmanager
def open_database(
    settings: DatabaseSettings, *, pool_size: int = 2, stop_within: float = 10.0
) -> Iterator[OpenDatabase]:
    """The database as it is, whatever its schema. The embedded one is attached to or started; the last to leave stops
    it, waiting `stop_within` seconds. Raises `DatabaseUnreachable` or `EmbeddedPostgresError`."""
    if settings.database_url is not None:
        with _pool(settings.database_url, pool_size) as database:
            yield OpenDatabase(database, None)
        return
    embedded = EmbeddedPostgres(settings.home)
    with embedded.running(stop_within=stop_within) as url, _pool(url, pool_size) as database:
        yield OpenDatabase(database, embedded.revive)


@contextmanager
def migrated_database(
    settings: DatabaseSettings, *, pool_size: int = 2, stop_within: float = 10.0
) -> Iterator[OpenDatabase]:
    """The database with this release's schema: the embedded one is upgraded, a given one has to be.

    Raises `SchemaTooOld` naming the remedy, `SchemaTooNew`, and what `open_database` raises.
    """
    with open_database(settings, pool_size=pool_size, stop_within=stop_within) as opened:
        if settings.embedded:
            for change in upgrade(opened.database, MIGRATIONS):
                _log.info("schema.upgraded", change=change)
        else:
            require_schema(opened.database)
        yield opened


def require_schema(database: Database) -> None:
    """Raise `SchemaTooOld`, naming the command that helps, or `SchemaTooNew`, unless the schema is this release's."""
    try:
        check_current(database, MIGRATIONS)
    except SchemaTooOld as problem:
        raise SchemaTooOld(f"{problem}: run `python -m bot db upgrade`") from problem


@contextmanager
def _pool(url: str, size: int) -> Iterator[Database]:
    database = Database(url, pool_size=size)
    try:
        _ask(database)
        yield database
    finally:
        database.close()


def _ask(database: Database) -> None:
    try:
        with database.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as problem:
        name = database.url.render_as_string(hide_password=True)
        reason = " ".join(str(getattr(problem, "orig", problem)).split())
        raise DatabaseUnreachable(
            f"DATABASE_URL: {name} does not answer ({reason}); check address and rights"
        ) from None
