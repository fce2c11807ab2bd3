"""The list of workflows: found by state, name, id, time and status, page by page."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import get_args
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from bot.api.management import Management
from bot.dashboard.pages import Asked, Pages, View
from bot.dashboard.values import Values
from durable.model import Description, Filter, StatusIs, WorkflowState
from durable.postgres.search import LOOKED_AT

PAGE = 50
STATES: tuple[WorkflowState, ...] = (
    *("running", "ready", "waiting", "parked", "paused"),
    *("failed", "completed", "cancelled", "terminated"),
)
"""In the order in which somebody looks for trouble."""


@dataclass(frozen=True)
class Wanted:
    """What the form asks for, as it was written, and what it comes to. `problems` say what of it cannot be understood."""

    states: tuple[str, ...]
    name: str
    prefix: str
    begun_from: str
    begun_to: str
    status: str
    filter: Filter
    problems: tuple[str, ...]

    @property
    def is_anything(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.fields)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The fields of the form that are filled in."""
        given = {
            "name": self.name,
            "prefix": self.prefix,
            "from": self.begun_from,
            "to": self.begun_to,
            "status": self.status,
        }
        return [("state", state) for state in self.states] + [(key, text) for key, text in given.items() if text]


@dataclass(frozen=True)
class Row:
    """A workflow in the list. `anchor` is the id of its element."""

    workflow: Description
    anchor: str
    status: str


def add(pages: Pages, management: Management, values: Values) -> None:
    """Add it."""
    names = sorted(management.workflows)

    def view(asked: Asked) -> View:
        wanted = wanted_of(asked.query)
        problems = list(wanted.problems)
        after = asked.query.get("after") or None
        try:
            page = management.client.search(wanted.filter, limit=PAGE, after=after)
        except ValueError:
            problems.append("There is no such page; this is the first one.")
            after = None
            page = management.client.search(wanted.filter, limit=PAGE)
        overview = management.client.overview()
        first = f"/workflows?{urlencode(wanted.fields)}" if wanted.fields else "/workflows"
        following = f"/workflows?{urlencode([*wanted.fields, ('after', page.next)])}" if page.next else ""
        return View(
            "workflows.html",
            {
                "wanted": wanted,
                "problems": problems,
                "names": names,
                "states": STATES,
                "counts": overview.counts,
                "overview": overview,
                "rows": rows_of(page.items, values),
                "first": first if after else "",
                "next": following,
                "looked_at": LOOKED_AT,
                "is_empty": not overview.counts and not wanted.is_anything,
            },
        )

    pages.view("/workflows", view)


def rows_of(found: Sequence[Description], values: Values) -> list[Row]:
    """The rows of these workflows."""
    return [Row(each, anchor(each.workflow_id), values.short(each.status)) for each in found]


def anchor(workflow_id: str) -> str:
    """The id of the element that shows this workflow: an element's id may not have what a workflow's may."""
    return f"w-{hashlib.sha256(workflow_id.encode('utf-8', 'replace')).hexdigest()[:12]}"


def wanted_of(query: QueryParams) -> Wanted:
    """What is asked for. What cannot be understood is left out and told."""
    problems: list[str] = []
    known = [state for state in STATES if state in query.getlist("state")]
    if set(query.getlist("state")) - set(get_args(WorkflowState)):
        problems.append("There is no such state.")
    name, prefix, begun_from, begun_to, status = (
        query.get(field, "").replace("\x00", "").strip() for field in ("name", "prefix", "from", "to", "status")
    )
    found = Filter(
        prefix=prefix,
        names=(name,) if name else (),
        states=tuple(known),
        created_from=_moment(begun_from, problems),
        created_to=_moment(begun_to, problems),
        status=_status(status, problems),
    )
    return Wanted(tuple(known), name, prefix, begun_from, begun_to, status, found, tuple(problems))


def _moment(given: str, problems: list[str]) -> datetime | None:
    if not given:
        return None
    try:
        moment = datetime.fromisoformat(given)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except ValueError:
        problems.append(f"“{given[:60]}” is no time; write 2026-11-22T15:04, in UTC.")
        return None


def _status(given: str, problems: list[str]) -> StatusIs | None:
    if not given:
        return None
    path, is_there, value = given.partition("=")
    if not is_there or not value.strip():
        problems.append("A status is looked for as key.key = value, such as turn.reason = review_requested.")
        return None
    keys = path.strip().removeprefix("status").removeprefix(".")
    return StatusIs(tuple(part for part in keys.split(".") if part), value.strip().strip('"'))
