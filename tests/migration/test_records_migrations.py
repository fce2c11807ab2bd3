"""The sum of the bot's migrations is the schema its records are written for, beside the engine's."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from bot.schema import MIGRATIONS, RECORDS
from durable.errors import SchemaTooNew
from durable.postgres import Database
from durable.postgres.migrate import ENGINE, Migrations, check_current, current, upgrade


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Database]:
    database = Database(empty_database_url)
    yield database
    database.close()


def differences(database: Database) -> list[Any]:
    def ours(name: str | None, kind: str, parents: Any) -> bool:
        return name == RECORDS.schema if kind == "schema" else name != "schema_version"

    with database.engine.connect() as connection:
        options = {"include_schemas": True, "include_name": ours, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), RECORDS.metadata))


def test_the_sum_of_migrations_equals_the_records(empty: Database) -> None:
    upgrade(empty, MIGRATIONS)

    assert differences(empty) == []


@pytest.mark.parametrize("owned", MIGRATIONS, ids=lambda owned: owned.schema)
def test_files_are_named_by_their_revisions_in_the_order_alembic_runs_them(owned: Migrations) -> None:
    newest_first = [script.revision for script in ScriptDirectory(str(owned.folder)).walk_revisions()]

    assert owned.revisions() == newest_first[::-1]


def test_both_schemas_are_upgraded_once_however_many_try_at_once(empty: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        changed = sorted(pool.map(lambda _: upgrade(empty, MIGRATIONS), range(4)))

    assert changed == [[], [], [], [f"durable: none -> {ENGINE.head()}", f"vigil: none -> {RECORDS.head()}"]]
    check_current(empty, MIGRATIONS)


def test_a_newer_release_of_the_bot_alone_is_refused_and_nothing_changes(empty: Database) -> None:
    upgrade(empty, (RECORDS,))
    with empty.transaction("test") as connection:
        connection.execute(text("UPDATE vigil.schema_version SET version_num = '9999'"))

    with pytest.raises(SchemaTooNew, match="9999"):
        upgrade(empty, MIGRATIONS)
    assert current(empty, MIGRATIONS) == {"durable": None, "vigil": "9999"}
