"""Workflows found by id, name, state, time and status, the newest first, page by page.

The conditions that are asked for, and no others, are in the statement: so the planner sees which index holds them. For what
is in a status there is none, as every `set_status` would have to keep it: so many workflows are looked at for a page.
"""

import base64
import binascii
import json
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any, get_args

from sqlalchemy import Connection, text

from durable.model import Filter, Page, StatusIs, WorkflowState
from durable.postgres.schema import LOOKED_FOR
from durable.postgres.views import DESCRIBE, named
from durable.serde import TAG

_ENDED = ("completed", "failed", "terminated", "cancelled")
_STATES: dict[str, str] = {
    "ready": "w.state = 'waiting' AND w.wake_at <= (SELECT durable.now())",
    "waiting": "w.state = 'waiting' AND (w.wake_at IS NULL OR w.wake_at > (SELECT durable.now()))",
    "running": "w.state = 'running'",
    "parked": "w.state = 'parked'",
    "paused": "w.state = 'paused'",
}
AFTER_THE_LAST = chr(0x10FFFF)


LOOKED_AT = 2_000
"""Workflows whose status is looked at for one page: so few that each is found by an index, whatever else is asked for."""

_FOUND = """
SELECT r.workflow_key AS key, r.created_at{more} FROM durable.runs r
JOIN durable.workflows w ON w.key = r.workflow_key AND w.run = r.run
WHERE {conditions} ORDER BY r.created_at DESC, r.workflow_key DESC LIMIT :most"""
_DESCRIBED = DESCRIBE + " JOIN found ON found.key = w.key ORDER BY r.created_at DESC, w.key DESC"
_BY_KEYS = text(DESCRIBE + " WHERE w.key = ANY(:keys) ORDER BY r.created_at DESC, w.key DESC")


def search(connection: Connection, wanted: Filter, *, limit: int, after: str | None) -> Page:
    """The first `limit` workflows that are wanted, after the place `after` of a page before."""
    conditions, given = _conditions(wanted)
    if after is not None:
        created_at, key = _place(after)
        conditions.append("(r.created_at, r.workflow_key) < (:after_created, :after_key)")
        given |= {"after_created": created_at, "after_key": key}
    if wanted.status is not None:
        return _search_status(connection, conditions, given, wanted.status, limit)
    found = _FOUND.format(more="", conditions=" AND ".join(conditions))
    statement = text(f"WITH found AS MATERIALIZED ({found}) {_DESCRIBED}")
    rows = connection.execute(statement, given | {"most": limit + 1}).all()
    shown = rows[:limit]
    return Page(named(connection, shown), _place_of(shown[-1]) if len(rows) > limit and shown else None)


def _search_status(
    connection: Connection, conditions: list[str], given: dict[str, Any], wanted: StatusIs, limit: int
) -> Page:
    """Those whose status fits, among the next `LOOKED_AT`. Only a status that has the value's text in it comes here."""
    maybe = ", CASE WHEN position(:needle IN r.status) > 0 THEN r.status END AS status"
    found = _FOUND.format(more=maybe, conditions=" AND ".join(conditions))
    asked = given | {"most": LOOKED_AT, "needle": json.dumps(wanted.value)[1:-1]}
    # The last one says where to go on; of the others those are of use that may fit.
    statement = text(
        f"WITH found AS MATERIALIZED ({found}), counted AS (SELECT *, row_number() OVER (ORDER BY created_at DESC, key DESC) AS number FROM found)"  # noqa: S608 - put together of our own text
        " SELECT * FROM counted WHERE status IS NOT NULL OR number = :most ORDER BY number"
    )
    rows = connection.execute(statement, asked).all()
    fitting = list(islice((row for row in rows if row.status is not None and _fits(row.status, wanted)), limit + 1))
    shown = fitting[:limit]
    described = connection.execute(_BY_KEYS, {"keys": [row.key for row in shown]}).all() if shown else []
    if len(fitting) > limit and shown:
        return Page(named(connection, described), _place_of(shown[-1]))
    is_end = not rows or rows[-1].number < LOOKED_AT
    return Page(named(connection, described), None if is_end else _place_of(rows[-1]))


def _fits(status: str, wanted: StatusIs) -> bool:
    return any(found == wanted.value for found in _leaves(json.loads(status), wanted.path))


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    """What stands at a path of an encoded value, as text; of a list, each item."""
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item, path)
    elif isinstance(value, dict) and TAG in value:
        tagged = value.get("v")
        yield from _leaves(dict(tagged) if value[TAG] == "dict" and isinstance(tagged, list) else tagged, path)
    elif isinstance(value, dict):
        if path and path[0] in value:
            yield from _leaves(value[path[0]], path[1:])
    elif not path:
        yield value if isinstance(value, str) else json.dumps(value)


def _conditions(wanted: Filter) -> tuple[list[str], dict[str, Any]]:
    conditions = [f"r.{LOOKED_FOR}"]
    given: dict[str, Any] = {}
    if wanted.prefix:
        conditions.append("w.workflow_id >= :prefix AND w.workflow_id < :beyond")
        given |= {"prefix": wanted.prefix, "beyond": wanted.prefix + AFTER_THE_LAST}
    if wanted.names:
        conditions.append("r.name = ANY(:names)")
        given["names"] = list(wanted.names)
    if wanted.states:
        conditions.append(_in_states(wanted))
        given["outcomes"] = [state for state in wanted.states if state in _ENDED]
    if wanted.created_from is not None:
        conditions.append("r.created_at >= :created_from")
        given["created_from"] = wanted.created_from
    if wanted.created_to is not None:
        conditions.append("r.created_at < :created_to")
        given["created_to"] = wanted.created_to
    return conditions, given


def _in_states(wanted: Filter) -> str:
    """Raises `ValueError` for a state that there is not."""
    unknown = set(wanted.states) - set(get_args(WorkflowState))
    if unknown:
        raise ValueError(f"state {min(unknown)!r} is none of {', '.join(get_args(WorkflowState))}")
    still_open = [f"({condition})" for state, condition in _STATES.items() if state in wanted.states]
    parts = [f"(r.outcome IS NULL AND ({' OR '.join(still_open)}))"] if still_open else []
    if any(state in _ENDED for state in wanted.states):
        parts.append("r.outcome = ANY(:outcomes)")
    return f"({' OR '.join(parts)})"


def _place_of(row: Any) -> str:
    return base64.urlsafe_b64encode(f"{row.created_at.isoformat()} {row.key}".encode()).decode()


def _place(after: str) -> tuple[datetime, int]:
    try:
        created_at, _, key = base64.urlsafe_b64decode(after.encode()).decode().rpartition(" ")
        return datetime.fromisoformat(created_at), int(key)
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"{after[:100]!r} is not the place of a page; take it from the page before") from error
