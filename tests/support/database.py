"""A fresh database for each test: cloned from one that was migrated once in the session."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import psycopg2
from psycopg2 import sql
from sqlalchemy.engine import URL, make_url

from bot.schema import MIGRATIONS
from durable.postgres import Database
from durable.postgres.migrate import upgrade

_TEMPLATE = "vigil_template"
_FIRST_WITH_STRATEGIES = 150000  # before PostgreSQL 15 every clone copied files
_numbers = itertools.count(1)


class Databases:
    """Makes and drops the databases of one test session on one server, given by the address of any database.
    It keeps one connection for that."""

    def __init__(self, server: str) -> None:
        self._server: URL = make_url(server).set(drivername="postgresql")
        self._connection = psycopg2.connect(self._address("postgres"))
        self._connection.autocommit = True

    def close(self) -> None:
        """Give its connection back."""
        self._connection.close()

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """The address of a database with the current schema, dropped afterwards."""
        with self._fresh(self._template) as url:
            yield url

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The address of a database with nothing in it, dropped afterwards."""
        with self._fresh("template0") as url:
            yield url

    @contextmanager
    def _fresh(self, template: str) -> Iterator[str]:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        # Page by page through the log, as is the default, is dear: a file at a time takes a tenth of the time.
        how = sql.SQL("STRATEGY file_copy" if self._connection.server_version >= _FIRST_WITH_STRATEGIES else "")
        clone = sql.SQL("CREATE DATABASE {} TEMPLATE {} {}")
        self._run(clone.format(sql.Identifier(name), sql.Identifier(template), how))
        try:
            yield self._address(name)
        finally:
            self._run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _address(self, database: str) -> str:
        return self._server.set(database=database).render_as_string(hide_password=False)

    @cached_property
    def _template(self) -> str:
        """The template's name. It is migrated once for all workers; the others wait at the advisory lock."""
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(20261122)")
            try:
                cursor.execute("SELECT datistemplate FROM pg_database WHERE datname = %s", (_TEMPLATE,))
                if cursor.fetchone() == (True,):
                    return _TEMPLATE
                cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(_TEMPLATE)))
                cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(_TEMPLATE)))
                _migrate(self._address(_TEMPLATE))
                # Set last: what is no template yet was not migrated to its end and is made anew.
                cursor.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(sql.Identifier(_TEMPLATE)))
            finally:
                cursor.execute("SELECT pg_advisory_unlock(20261122)")
        return _TEMPLATE

    def _run(self, statement: sql.Composed) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)


def _migrate(url: str) -> None:
    """Bring the schema of the engine and of the bot up to date."""
    database = Database(url)
    try:
        upgrade(database, MIGRATIONS)
    finally:
        database.close()
