"""The query parameters of Durable Functions: read leniently, as it reads them, and refused where nothing else is safe."""

import re
from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.requests import Request

from bot.api.problems import Problem
from durable.client import check_workflow_id

LONGEST_NAME = 256
MOST_ROWS = 1000
ROWS = 100
LONGEST_WAIT = 600.0
_SHORTEST_POLL = 0.1
_LONGEST_REASON = 1000
_CARRIED_ON = ("taskHub", "connection", "code")


def flag(request: Request, name: str, *, default: bool) -> bool:
    """A flag; what is neither true nor false is the default."""
    return {"true": True, "false": False}.get(request.query_params.get(name, "").lower(), default)


def reason(request: Request, default: str) -> str:
    """Why somebody asks for something, without what no text holds."""
    given = "".join(character for character in request.query_params.get("reason", "") if character.isprintable())
    return given[:_LONGEST_REASON] or default


def moment(request: Request, name: str) -> datetime | None:
    """A time in ISO 8601, in UTC where it says nothing else. Raises `Problem` for anything else that is not empty."""
    given = request.query_params.get(name)
    if not given:
        return None
    try:
        read = datetime.fromisoformat(given.replace(" ", "+"))
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as problem:
        raise Problem(400, f"{name} {given[:50]!r} is not a time such as 2026-01-31T12:00:00Z") from problem


def rows(request: Request) -> int:
    """How many rows a page has."""
    given = request.query_params.get("top", "")
    is_number = re.fullmatch(r"[0-9]{1,9}", given) is not None
    return min(int(given), MOST_ROWS) if is_number and int(given) else ROWS


def patience(request: Request) -> tuple[float, float] | None:
    """For how long to wait for an end, and how often to look, in seconds; None unless both are given. Raises `Problem`."""
    given = [request.query_params.get(name) for name in ("timeout", "pollingInterval")]
    if None in given:
        return None
    try:
        timeout, interval = (float(text or "") for text in given)
    except ValueError as problem:
        raise Problem(400, "timeout and pollingInterval are not numbers of seconds") from problem
    if not (0 <= timeout <= LONGEST_WAIT and 0 < interval <= LONGEST_WAIT):
        raise Problem(400, f"timeout and pollingInterval are not between 0 and {LONGEST_WAIT:g} seconds")
    return timeout, max(interval, _SHORTEST_POLL)


def known_id(instance_id: str) -> str:
    """The id itself. Raises `Problem` for one that no instance can have."""
    try:
        return check_workflow_id(instance_id)
    except ValueError as problem:
        raise Problem(404, "no instance has this id") from problem


def carried_on(request: Request) -> str:
    """What the addresses in an answer take over from those asked with, as a query."""
    given = [(name, request.query_params[name]) for name in _CARRIED_ON if name in request.query_params]
    return urlencode(given)
