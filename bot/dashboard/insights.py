"""The page of plots: how the pull requests and the engine are doing over time."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.dashboard import figures
from bot.dashboard.figures import Figure
from bot.dashboard.pages import Asked, Pages, View
from durable.client import Client
from durable.model import Description, Filter
from durable.postgres import Database
from handlers.records import samples
from handlers.sight import LIVING, PREFIX
from handlers.watch import watch_pull_request

_MOST_WATCHES = 1000
_OPEN = Filter(prefix=PREFIX, names=(watch_pull_request.name,), states=LIVING)


@dataclass(frozen=True)
class Section:
    """Figures that belong together."""

    heading: str
    figures: tuple[Figure, ...]


def add(pages: Pages, database: Database, client: Client) -> None:
    """Add it."""

    def view(asked: Asked) -> View:
        now = asked.now.replace(second=0, microsecond=0)  # so that an open page changes once a minute
        open_watches = client.search(_OPEN, limit=_MOST_WATCHES)
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        month = today - timedelta(days=figures.REMINDERS_FOR - 1)
        with database.reading() as connection:
            kept = samples.since(connection, now - figures.LAG_FOR)
            reminded = samples.reminders_a_day(connection, month)
            late = samples.lateness_by_hour(connection, now - figures.LAG_FOR)
        sections = (
            Section(
                "Pull requests",
                (
                    figures.ages(_ages(open_watches.items, now)),
                    figures.waits(_waits(open_watches.items, now)),
                    figures.reminders(reminded, today.date()),
                ),
            ),
            Section(
                "The engine",
                (figures.deliveries(kept, now), figures.lag(kept, now), figures.lateness(late, now)),
            ),
        )
        return View("insights.html", {"sections": sections, "has_more": open_watches.next is not None})

    pages.view("/insights", view)


def _ages(watches: Sequence[Description], now: datetime) -> list[float]:
    return [max((now - watch.created_at).total_seconds(), 0.0) for watch in watches]


def _waits(watches: Sequence[Description], now: datetime) -> Mapping[str, list[float]]:
    """Seconds by whose turn it is."""
    found: dict[str, list[float]] = defaultdict(list)
    for watch in watches:
        for reason, since in _turn(watch.status):
            found[reason].append(max((now - since).total_seconds(), 0.0))
    return found


def _turn(status: Any) -> Iterator[tuple[str, datetime]]:
    """Whose turn a watch's status says it is, and since when; none where it does not."""
    try:
        yield str(status["turn"]["reason"]).replace("_", " "), datetime.fromisoformat(status["waiting_since"])
    except (KeyError, TypeError, ValueError):
        return
