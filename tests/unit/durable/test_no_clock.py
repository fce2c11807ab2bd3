"""Time is an argument: the engine's own code asks the machine for the time of day at no place but the named ones."""

import ast
from collections.abc import Iterator
from pathlib import Path

import durable

ENGINE = Path(durable.__file__).parent
MAY_READ_THE_WALL_CLOCK = {"worker/metronome.py"}
"""It has to notice that the wall clock was set (ADR 0003). Nothing it reads is kept or compared with the database's."""

OF_TIME = {
    "time",
    "time_ns",
    "localtime",
    "gmtime",
    "ctime",
    "asctime",
    "strftime",
    "clock_gettime",
    "clock_gettime_ns",
}
OF_DATES = {"now", "utcnow", "today"}


def test_the_engine_reads_the_wall_clock_nowhere_else_than_documented() -> None:
    found = {path for path in sources() if any(wall_clocks(ast.parse((ENGINE / path).read_text())))}
    assert found == MAY_READ_THE_WALL_CLOCK


def test_every_way_to_the_wall_clock_is_seen() -> None:
    ways = ("time.time()", "time.time_ns()", "datetime.now(UTC)", "datetime.datetime.utcnow()", "date.today()")
    names = ("from time import time", "from time import monotonic, time_ns", "field(default_factory=datetime.now)")
    harmless = ("time.monotonic()", "durable.now()", "self._session.now()", "from time import monotonic", "clock.now")
    assert all(any(wall_clocks(ast.parse(way))) for way in (*ways, *names))
    assert not any(any(wall_clocks(ast.parse(way))) for way in harmless)


def sources() -> list[str]:
    return [str(path.relative_to(ENGINE)) for path in ENGINE.rglob("*.py")]


def wall_clocks(tree: ast.AST) -> Iterator[ast.AST]:
    """Where code takes the time of day from Python, whether it calls the function or hands it on."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="time"), attr=name) if name in OF_TIME:
                yield node
            case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr=name) if name in OF_DATES:
                yield node
            case ast.Attribute(value=ast.Attribute(attr="datetime" | "date"), attr=name) if name in OF_DATES:
                yield node
            case ast.ImportFrom(module="time", names=names) if OF_TIME & {alias.name for alias in names}:
                yield node
