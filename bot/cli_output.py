"""What commands print: tables for people, JSON for programs, and views that are drawn again and again."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Event
from typing import Any

import click

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
WATCH = click.option("--watch", is_flag=True, help="Draw it anew every two seconds, until Ctrl-C.")
_EVERY_S = 2.0
_CLEAR = "\033[H\033[2J"
Row = Sequence[str]


def show(draw: Callable[[], str], *, watch: bool) -> None:
    """Print what `draw` gives, once, or again and again on a cleared screen."""
    if not watch:
        click.echo(draw())
        return
    never = Event()
    while True:
        click.echo(_CLEAR + draw())
        never.wait(_EVERY_S)


def table(head: Row, rows: Sequence[Row], *, empty: str) -> str:
    """Columns as wide as they have to be; `empty` says that there is no row."""
    if not rows:
        return empty
    lines = [[printable(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def printable(text: str) -> str:
    """Without what would move a terminal's cursor: much of what is shown comes from outside."""
    return "".join(character if character.isprintable() else "?" for character in text)


def moment(at: datetime | None) -> str:
    """A time in UTC, to the second."""
    return "-" if at is None else at.strftime("%Y-%m-%d %H:%M:%S")


def as_json_text(value: Any) -> str:
    """JSON, with times in ISO 8601 and everything else that JSON has no form for as text."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=_encoded)


def _encoded(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
