"""What can be seen of workflows, in the database and in the model, in one form."""

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from sqlalchemy import text

from durable.model import Signal
from durable.postgres import Database
from durable.serde import decode
from tests.support.model.lives import Family, Life
from tests.support.model.plans import HOUR_S

_LOOK = text("""
SELECT w.workflow_id, w.run, w.state, r.outcome, r.result,
    CASE WHEN w.state = 'waiting' THEN w.wake_at - :since END AS wakes_after,
    w.state = 'waiting' AND w.wake_at <= (SELECT durable.now()) AS is_due,
    (SELECT json_agg(json_build_array(step, kind, state, payload) ORDER BY step) FROM durable.history h
        WHERE h.workflow_key = w.key AND h.run = w.run)::text AS history,
    (SELECT array_agg(key ORDER BY id) FROM durable.inbox i WHERE i.workflow_key = w.key AND read_at IS NULL) AS unread
FROM durable.workflows w JOIN durable.runs r ON r.workflow_key = w.key AND r.run = w.run
""")
_NOTES = text("SELECT key FROM notes ORDER BY key")


@dataclass(frozen=True)
class Seen:
    """One workflow from outside. `due` is the hour it wakes at, "now" when it is due."""

    state: str
    run: int
    due: int | str | None
    entries: tuple[tuple[int, str, str, Any], ...]
    unread: tuple[str, ...]
    result: Any


def look_at(database: Database, since: datetime) -> dict[str, dict[str, Seen]]:
    """Everything in the database, by the workflow it began with and by id; hours are counted from `since`."""
    families: dict[str, dict[str, Seen]] = defaultdict(dict)
    with database.reading() as connection:
        for row in connection.execute(_LOOK, {"since": since}):
            hours = None if row.wakes_after is None else ceil(row.wakes_after.total_seconds() / HOUR_S)
            entries = [
                (*entry, _plain(decode(payload or "null"))) for *entry, payload in json.loads(row.history or "[]")
            ]
            families[row.workflow_id.partition("~")[0]][row.workflow_id] = Seen(
                state=row.outcome or "terminated" if row.state == "closed" else row.state,
                run=row.run,
                due="now" if row.is_due else hours,
                entries=tuple(entries),
                unread=tuple(row.unread or ()),
                result=None if row.result is None else _plain(decode(row.result)),
            )
    return families


def notes_in(database: Database) -> list[str]:
    """The keys of all rows that notes have left."""
    with database.reading() as connection:
        return list(connection.execute(_NOTES).scalars())


def look(family: Family, now: int) -> dict[str, Seen]:
    """What the model says is to be seen of a family."""
    return {life.id: _look(life, now) for life in family.lives}


def _look(life: Life, now: int) -> Seen:
    return Seen(
        state=life.state,
        run=life.run,
        due="now" if life.due is not None and life.due <= now else life.due,
        entries=tuple((entry.number, entry.kind, entry.state, entry.value) for entry in life.entries),
        unread=tuple(sent.key for sent in life.inbox),
        result=life.result,
    )


def _plain(value: Any) -> Any:
    """What a step answered, as a plan's `said` has it: of a signal the key, of a failure the error."""
    if isinstance(value, Signal):
        return value.key
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    if isinstance(value, dict):
        return next(_plain(value[name]) for name in ("ok", "failed", "error", "number") if name in value)
    return value
