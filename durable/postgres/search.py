"""Workflows found by id, name, state and time, the newest first, page by page.

The conditions that are asked for, and no others, are in the statement: so the planner sees which index holds them.
"""

import base64
import binascii
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import Connection, text

from durable.model import Filter, Page, WorkflowState
from durable.postgres.schema import LOOKED_FOR
from durable.postgres.views import DESCRIBE, named

_ENDED = ("completed", "failed", "terminated", "cancelled")
_STATES: dict[str, str] = {
    "ready": "w.state = 'waiting' AND w.wake_at <= (SELECT durable.now())",
    "waiting": "w.state = 'waiting' AND (w.wake_at IS NULL OR w.wake_at > (SELECT durable.now()))",
    "running": "w.state = 'running'",
    "parked": "w.state = 'parked'",
    "paused": "w.state = 'paused'",
}
AFTER_THE_LAST = chr(0x10FFFF)


def search(connection: Connection, wanted: Filter, *, limit: int, after: str | None) -> Page:
    """The first `limit` workflows that are wanted, after the place `after` of a page before."""
    conditions, given = _conditions(wanted)
    if after is not None:
        created_at, key = _place(after)
        conditions.append("(r.created_at, r.workflow_key) < (:after_created, :after_key)")
        given |= {"after_created": created_at, "after_key": key}
    found = f"""
        SELECT r.workflow_key, r.created_at FROM durable.runs r
        JOIN durable.workflows w ON w.key = r.workflow_key AND w.run = r.run
        WHERE {" AND ".join(conditions)}
        ORDER BY r.created_at DESC, r.workflow_key DESC LIMIT :most"""  # noqa: S608 - put together of our own text
    described = f"{DESCRIBE} JOIN found ON found.workflow_key = w.key ORDER BY r.created_at DESC, w.key DESC"
    statement = text(f"WITH found AS MATERIALIZED ({found}) {described}")
    rows = connection.execute(statement, given | {"most": limit + 1}).all()
    shown = rows[:limit]
    further = f"{shown[-1].created_at.isoformat()} {shown[-1].key}" if len(rows) > limit and shown else None
    return Page(
        named(connection, shown), None if further is None else base64.urlsafe_b64encode(further.encode()).decode()
    )


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


def _place(after: str) -> tuple[datetime, int]:
    try:
        created_at, _, key = base64.urlsafe_b64decode(after.encode()).decode().rpartition(" ")
        return datetime.fromisoformat(created_at), int(key)
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"{after[:100]!r} is not the place of a page; take it from the page before") from error
