"""Fresh databases for the sides, all on one server, and what the server counts."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2 import sql
from sqlalchemy.engine import make_url

from tests.benchmarks.sides import Side

_numbers = itertools.count(1)


class Databases:
    """Databases on the server of `url`, which may be that of any database there."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)

    def url(self, name: str) -> str:
        """The address of a database."""
        return self._url.set(database=name).render_as_string(hide_password=False)

    def prepare(self, side: Side) -> None:
        """Make the database with a side's schema that its fresh ones are copies of."""
        self._run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(side.name)))
        side.ask(self.url(side.name), "install")

    @contextmanager
    def fresh(self, side: Side) -> Iterator[str]:
        """The address of a database with a side's schema and nothing in it; dropped afterwards."""
        name = sql.Identifier(f"{side.name}_{next(_numbers)}")
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(side.name)))
        try:
            yield self.url(name.string)
        finally:
            self._run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def next_transaction(self) -> int:
        """The number of the next transaction that writes; reading it is none."""
        return self._asked("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")

    def version(self) -> int:
        """The server's version, e.g. 180001."""
        return self._asked("SELECT current_setting('server_version_num')::integer")

    def _asked(self, question: str) -> int:
        with self._connection() as connection, connection.cursor() as cursor:
            cursor.execute(question)
            row = cursor.fetchone()
            assert row is not None
            return int(row[0])

    def _run(self, statement: sql.Composed) -> None:
        with self._connection() as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    @contextmanager
    def _connection(self) -> Iterator["psycopg2.extensions.connection"]:
        server = self._url.set(drivername="postgresql", database="postgres")
        connection = psycopg2.connect(server.render_as_string(hide_password=False))
        connection.autocommit = True
        try:
            yield connection
        finally:
            connection.close()
