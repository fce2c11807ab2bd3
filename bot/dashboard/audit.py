"""The audit: who did what, the latest first."""

from dataclasses import replace
from urllib.parse import urlencode

from bot.dashboard.pages import Asked, Pages, View
from bot.dashboard.values import Values
from durable.postgres import Database
from handlers.records import acts
from handlers.records.acts import Act

PAGE = 50


def add(pages: Pages, database: Database, values: Values) -> None:
    """Add it."""

    def view(asked: Asked) -> View:
        subject = asked.query.get("subject", "").replace("\x00", "").strip()
        before = _number(asked.query.get("before", ""))
        with database.reading() as connection:
            found = acts.latest(connection, subject=subject or None, before=before, limit=PAGE + 1)
        shown = [masked(act, values) for act in found[:PAGE]]
        asked_for = [("subject", subject)] if subject else []
        first = f"/audit?{urlencode(asked_for)}" if asked_for else "/audit"
        following = f"/audit?{urlencode([*asked_for, ('before', shown[-1].id)])}" if len(found) > PAGE else ""
        facts = {"acts": shown, "subject": subject, "next": following, "first": first if before is not None else ""}
        return View("audit.html", facts)

    pages.view("/audit", view)


def masked(act: Act, values: Values) -> Act:
    """The act, with no secret in what its actor wrote."""
    return replace(act, detail=values.text(act.detail), outcome=act.outcome and values.text(act.outcome))


def _number(given: str) -> int | None:
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None
