"""The sum of the engine's migrations is its schema, and running them is harmless."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from durable.errors import SchemaTooNew, SchemaTooOld
from durable.postgres import Database
from durable.postgres.migrate import ENGINE, Migrations, check_current, current, upgrade


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Database]:
    database = Database(empty_database_url)
    yield database
    database.close()


def differences(database: Database, owned: Migrations) -> list[Any]:
    def ours(name: str | None, kind: str, parents: Any) -> bool:
        return name == owned.schema if kind == "schema" else name != "schema_version"

    with database.engine.connect() as connection:
        options = {"include_schemas": True, "include_name": ours, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), owned.metadata))


def test_the_sum_of_migrations_equals_the_schema(empty: Database) -> None:
    upgrade(empty)
    assert differences(empty, ENGINE) == []


def test_upgrading_twice_changes_nothing_the_second_time(empty: Database) -> None:
    assert (upgrade(empty), upgrade(empty)) == ([f"durable: none -> {ENGINE.head()}"], [])


def test_upgrading_from_four_connections_at_once_is_harmless(empty: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        changed = list(pool.map(lambda _: upgrade(empty), range(4)))
    assert sorted(changed) == [[], [], [], [f"durable: none -> {ENGINE.head()}"]]
    check_current(empty)


def test_an_empty_database_is_named_as_too_old(empty: Database) -> None:
    with pytest.raises(SchemaTooOld, match="is at nothing"):
        check_current(empty)


def test_a_database_newer_than_the_code_is_refused_and_left_alone(empty: Database) -> None:
    upgrade(empty)
    with empty.transaction("test") as connection:
        connection.execute(text("UPDATE durable.schema_version SET version_num = '9999'"))
    for attempt in (check_current, upgrade):
        with pytest.raises(SchemaTooNew, match="revision 9999, which this release does not know"):
            attempt(empty)
    assert current(empty) == {"durable": "9999"}
