"""What each statement of the engine touches: every one is explained on its own data, rolled back, and then executed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, event

from durable.postgres import Database

_EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "
_EXPLAINABLE = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True)
class Touched:
    """A statement, how many rows it gave or changed, how many buffers it touched for them, and in how many ms."""

    statement: str
    rows: int
    buffers: int
    milliseconds: float


@contextmanager
def explaining(database: Database) -> Iterator[list[Touched]]:
    """Within the block every statement on this database is noted, in the order of execution."""
    noted: list[Touched] = []

    def note(_connection: Any, cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        noted.extend(_tried(cursor.connection, statement, parameters))

    engines = (database.engine, database._single)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield noted
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


@contextmanager
def touching_at_most(buffers: int, database: Database) -> Iterator[list[Touched]]:
    """Within the block the statements on this database touch so many buffers together. Raises `AssertionError` that
    names the statement which touches most."""
    with explaining(database) as noted:
        yield noted
    found = sum(touched.buffers for touched in noted)
    most = max(noted, key=lambda touched: touched.buffers)
    assert found <= buffers, f"{found} buffers, and {most.buffers} of them by: {most.statement}"


@contextmanager
def undone(database: Database) -> Iterator[Connection]:
    """A transaction of which nothing remains."""
    with database.engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


def _tried(driver: Any, statements: str, parameters: Any) -> list[Touched]:
    """Explain what goes in one trip, in a transaction that is rolled back, or where one is open in a savepoint of it."""
    begin, end = ("BEGIN", "ROLLBACK") if driver.autocommit else ("SAVEPOINT tried", "ROLLBACK TO SAVEPOINT tried")
    each = [statement.strip() for statement in statements.split(";")]
    with driver.cursor() as cursor:
        cursor.execute(begin)
        try:
            return [_explained(cursor, one, parameters) for one in each if one.startswith(_EXPLAINABLE)]
        finally:
            cursor.execute(end)


def _explained(cursor: Any, statement: str, parameters: Any) -> Touched:
    cursor.execute(_EXPLAIN + statement, parameters)
    (plan,) = cursor.fetchone()[0]
    top = plan["Plan"]
    buffers = top["Shared Hit Blocks"] + top["Shared Read Blocks"]
    return Touched(" ".join(statement.split()), int(top["Actual Rows"]), buffers, plan["Execution Time"])
