"""Schema migrations with Alembic: safe to run twice, and from two machines at once.

Each owner of tables (the engine, and whoever uses it) has a PostgreSQL schema, a folder of revisions and a version
table of its own. All are upgraded in one transaction under one advisory lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, MetaData, inspect, text

from durable.errors import SchemaTooNew, SchemaTooOld
from durable.postgres import schema
from durable.postgres.database import Database

ADVISORY_LOCK = 0x76_69_67_69_6C
LOCK_TIMEOUT_MS = 60_000


@dataclass(frozen=True)
class Migrations:
    """The revisions of one PostgreSQL schema: its name, its tables and the folder with Alembic's `versions`, whose
    files are named by number: `0001_engine.py` holds the revision `0001`."""

    schema: str
    metadata: MetaData
    folder: Path

    def head(self) -> str:
        """The revision this code was written for."""
        known = self.revisions()
        if not known:
            raise SchemaTooOld(f"{self.folder} holds no revision")
        return known[-1]

    def revisions(self) -> list[str]:
        """The revisions this code has, oldest first. Alembic would read the files for them, at every start."""
        return sorted(file.name.partition("_")[0] for file in (self.folder / "versions").glob("[0-9]*_*.py"))


ENGINE = Migrations(schema.SCHEMA, schema.metadata, Path(__file__).parent / "migrations")


def upgrade(database: Database, migrations: Sequence[Migrations] = (ENGINE,)) -> list[str]:
    """Bring every schema to this code's revision; returns what changed, e.g. `durable: none -> 0001`.

    Raises `SchemaTooNew` and changes nothing when the database is ahead of the code.
    """
    changed = []
    with database.engine.begin() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})
        for owned in migrations:
            before = _revision(connection, owned)
            _refuse_newer(owned, before)
            if before == owned.head():
                continue
            connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{owned.schema}"'))
            _run_revisions(connection, owned)
            changed.append(f"{owned.schema}: {before or 'none'} -> {owned.head()}")
    return changed


def current(database: Database, migrations: Sequence[Migrations] = (ENGINE,)) -> dict[str, str | None]:
    """The revision each schema is at; None where nothing was ever created."""
    with database.engine.connect() as connection:
        return {owned.schema: _revision(connection, owned) for owned in migrations}


def check_current(database: Database, migrations: Sequence[Migrations] = (ENGINE,)) -> None:
    """Raise `SchemaTooOld` or `SchemaTooNew` unless every schema is at this code's revision."""
    for owned in migrations:
        revision = current(database, (owned,))[owned.schema]
        _refuse_newer(owned, revision)
        if revision != owned.head():
            raise SchemaTooOld(
                f"the database's schema {owned.schema} is at {revision or 'nothing'}, "
                f"this release needs {owned.head()}; upgrade it first"
            )


def _refuse_newer(owned: Migrations, revision: str | None) -> None:
    if revision is not None and revision not in owned.revisions():
        raise SchemaTooNew(
            f"the database's schema {owned.schema} is at revision {revision}, which this release does not know "
            f"(it knows up to {owned.head()}); run the newer release that upgraded it"
        )


def _revision(connection: Connection, owned: Migrations) -> str | None:
    if not inspect(connection).has_table("schema_version", schema=owned.schema):
        return None
    found = connection.execute(text(f'SELECT version_num FROM "{owned.schema}".schema_version'))  # noqa: S608 - our name
    return found.scalar_one_or_none()


def _run_revisions(connection: Connection, owned: Migrations) -> None:
    # Imported only here: it takes half a second, and hardly a start has anything to upgrade.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(owned.folder).replace("%", "%%"))
    config.attributes |= {"connection": connection, "metadata": owned.metadata, "schema": owned.schema}
    command.upgrade(config, "head")
