"""Runs of flows as rows: a flow's name has a dot in it, which no function's name has. Reading, and forgetting the oldest."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from durable.errors import WorkflowNotFound
from durable.model import Entry, member_id, rewinds_before
from durable.payloads import expand
from durable.postgres import payloads
from durable.postgres.scheduling import entry_of
from durable.postgres.steering import NOT_AWAITED

IS_FLOW = "w.name LIKE '%.%' AND w.name NOT LIKE '@%'"
"""As the partial index `workflows_flows` has it."""
_RUN = """
SELECT w.key, w.workflow_id, w.name, w.run, r.input, r.created_at, r.reason, r.rewound,
    CASE WHEN w.state = 'closed' THEN coalesce(r.outcome, 'terminated') ELSE w.state END AS state,
    greatest(r.updated_at, began.at) AS updated_at, began.at IS NOT NULL AS has_begun
FROM durable.workflows w JOIN durable.runs r ON r.workflow_key = w.key AND r.run = w.run
CROSS JOIN LATERAL (SELECT max(at) AS at FROM durable.history h
    WHERE w.state <> 'closed' AND h.workflow_key = w.key AND h.run = w.run) AS began
"""
_ONE = text(f"{_RUN} WHERE w.workflow_id = :workflow_id AND {IS_FLOW}")
_PAGE = text(
    f"WITH page AS MATERIALIZED (SELECT key FROM durable.workflows w WHERE {IS_FLOW}"  # noqa: S608 - our own text
    f" ORDER BY key DESC LIMIT :most OFFSET :skip) {_RUN} WHERE w.key = ANY(ARRAY(SELECT key FROM page)) ORDER BY w.key DESC"
)
_COUNT = text(f"SELECT count(*) FROM durable.workflows w WHERE {IS_FLOW}")  # noqa: S608 - our own text
_DESCENDANTS = """
WITH RECURSIVE tree(key) AS (
    SELECT c.child_key FROM durable.children c WHERE c.parent_key {of}
    UNION SELECT c.child_key FROM durable.children c JOIN tree ON c.parent_key = tree.key
)"""
_PARTS = text(
    f"{_DESCENDANTS.format(of='= :key')} {_RUN}"  # noqa: S608 - our own text
    " WHERE w.key = ANY(ARRAY(SELECT key FROM tree))"
)
_HISTORIES = text(
    "SELECT h.workflow_key, h.step, h.kind, h.name, h.state, h.payload, h.attempt, h.due_at, h.at"
    " FROM durable.history h JOIN durable.workflows w ON h.workflow_key = w.key AND h.run = w.run"
    " WHERE h.workflow_key = ANY(:keys)"
)
_OLDEST = text(f"""
SELECT key FROM (SELECT key FROM durable.workflows w WHERE {IS_FLOW} AND w.name = :name ORDER BY key DESC OFFSET :keep)
    AS beyond JOIN durable.workflows w USING (key) WHERE w.state = 'closed' AND {NOT_AWAITED}
ORDER BY key LIMIT :most FOR UPDATE OF w SKIP LOCKED
""")  # noqa: S608 - our own text
_FORGET = text(
    f"{_DESCENDANTS.format(of='= ANY(:keys)')} DELETE FROM durable.workflows"  # noqa: S608 - our own text
    " WHERE state = 'closed' AND key = ANY(CAST(:keys AS bigint[]) || ARRAY(SELECT key FROM tree))"
)


@dataclass(frozen=True)
class StoredFlowRun:
    """A flow's run, or a part of one that is a workflow of its own. `state` is its outcome once it has ended; `input` is
    encoded; `history` is there where it was asked for."""

    key: int
    workflow_id: str
    name: str
    run: int
    state: str
    input: str
    reason: str | None
    created_at: datetime
    updated_at: datetime
    has_begun: bool
    rewound: Sequence[int] = ()
    history: dict[int, Entry] = field(default_factory=dict)

    def member(self, step: int, number: int) -> str:
        """The id of the workflow that is, or would be, a member of this one at a step."""
        return member_id(self.workflow_id, self.run, step, number, rewinds_before(self.rewound, step))


def flow_run(connection: Connection, workflow_id: str) -> tuple[StoredFlowRun, dict[str, StoredFlowRun]]:
    """A run of a flow with its history, and the workflows that are or were parts of it, by id, with theirs. Raises
    `WorkflowNotFound`, also for a workflow that is no flow."""
    root = connection.execute(_ONE, {"workflow_id": workflow_id}).one_or_none()
    if root is None:
        raise WorkflowNotFound(f"no flow has a run with the id {workflow_id!r}")
    rows = [root, *connection.execute(_PARTS, {"key": root.key})]
    histories: dict[int, dict[int, Entry]] = defaultdict(dict)
    stored = connection.execute(_HISTORIES, {"keys": [row.key for row in rows]}).all()
    entries = payloads.whole_entries(connection, [entry_of(row) for row in stored])
    for row, entry in zip(stored, entries, strict=True):
        histories[row.workflow_key][entry.step] = entry
    found = [_run(row, payloads.whole(connection, row.input), histories[row.key]) for row in rows]
    return found[0], {part.workflow_id: part for part in found[1:]}


def page(connection: Connection, *, most: int, skip: int) -> list[StoredFlowRun]:
    """Runs of flows, the newest first, without histories."""
    rows = connection.execute(_PAGE, {"most": most, "skip": skip}).all()
    contents = payloads.contents(connection, (row.input for row in rows))
    return [_run(row, expand(row.input, contents), {}) for row in rows]


def count(connection: Connection) -> int:
    """How many runs of flows there are."""
    return int(connection.execute(_COUNT).scalar_one())


def forget_oldest(connection: Connection, name: str, *, keep: int, most: int) -> int:
    """Forget up to `most` runs of the flow `name` that have ended, beyond its newest `keep` runs, with their parts;
    returns how many runs that were. One whose living parent still has to read its result stays."""
    keys: Sequence[int] = connection.execute(_OLDEST, {"name": name, "keep": keep, "most": most}).scalars().all()
    if keys:
        connection.execute(_FORGET, {"keys": list(keys)})
    return len(keys)


def _run(row: Any, input_: str, history: dict[int, Entry]) -> StoredFlowRun:
    return StoredFlowRun(
        key=row.key,
        workflow_id=row.workflow_id,
        name=row.name,
        run=row.run,
        state=row.state,
        input=input_,
        reason=row.reason,
        created_at=row.created_at,
        updated_at=row.updated_at,
        has_begun=row.has_begun,
        rewound=row.rewound or (),
        history=history,
    )
