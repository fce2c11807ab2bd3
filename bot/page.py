"""The plain page at `/`: which pull requests are watched. Everything in it is escaped."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from html import escape

_STYLE = "body{font:16px system-ui;margin:2rem;max-width:60rem}td,th{padding:.3rem .8rem;text-align:left}"


@dataclass(frozen=True)
class WatchedRow:
    """One pull request on the page. `name` as people write it, `owner/repo#number`."""

    name: str
    title: str
    url: str
    since: datetime


def watched_page(rows: Iterable[WatchedRow]) -> str:
    """A complete HTML document without any script."""
    body = "".join(_row(row) for row in rows)
    table = (
        f"<table><tr><th>Pull request</th><th>Title</th><th>Watched since</th></tr>{body}</table>"
        if body
        else "<p>No pull request is watched.</p>"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Vigil</title>'
        f"<style>{_STYLE}</style></head><body><h1>Vigil</h1>{table}</body></html>"
    )


def _row(row: WatchedRow) -> str:
    name = escape(row.name)
    if row.url.startswith(("https://", "http://")):  # else it might be a script
        name = f'<a href="{escape(row.url)}" rel="noreferrer">{name}</a>'
    return f"<tr><td>{name}</td><td>{escape(row.title)}</td><td>{row.since:%Y-%m-%d %H:%M} UTC</td></tr>"
