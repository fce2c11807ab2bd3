"""Who was ended because somebody else had failed is opened again when that is rewound, and goes on where it was: a call
that it had under way is in doubt, and looked into."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from durable.postgres import kin

REASON = "its parent was rewound"

_REOPEN = text("""
WITH open AS (
    UPDATE durable.workflows w SET state = 'waiting', wake_at = :now, attempts = 0,
        deadline_at = w.deadline_at + (:now - r.created_at)
    FROM durable.runs r WHERE w.key = ANY(:keys) AND w.state = 'closed' AND r.workflow_key = w.key AND r.run = w.run
    RETURNING w.key, w.run
)
UPDATE durable.runs r SET outcome = NULL, reason = :reason, updated_at = :now
FROM open WHERE r.workflow_key = open.key AND r.run = open.run
""")
_STARTED = text(
    "SELECT w.key FROM durable.children c JOIN durable.workflows w ON w.key = c.child_key AND w.state = 'closed'"
    " JOIN durable.runs r ON r.workflow_key = w.key AND r.run = w.run"
    " AND r.outcome = 'terminated' AND r.reason = :left"
    " JOIN durable.history h ON h.workflow_key = c.parent_key AND h.run = :run AND h.kind = 'child'"
    " AND h.state = 'done' AND CAST(h.payload AS json) #>> '{}' = w.workflow_id"
    " WHERE c.parent_key = :parent ORDER BY w.key FOR NO KEY UPDATE OF w"
)


def open_again(connection: Connection, keys: Sequence[int], now: datetime) -> None:
    """Let workflows that have ended go on where they were. Their rows have to be locked."""
    connection.execute(_REOPEN, {"keys": list(keys), "now": now, "reason": REASON})


def started_children(connection: Connection, parent: int, run: int, now: datetime) -> None:
    """Let children that a run had started, and that its end had ended, go on where they were."""
    found = connection.execute(_STARTED, {"parent": parent, "run": run, "left": kin.LEFT}).scalars().all()
    if found:
        open_again(connection, found, now)
