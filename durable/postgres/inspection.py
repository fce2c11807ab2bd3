"""One workflow seen closely: its runs, the steps of each, its signals, and its kin. Only reads.

Values stay encoded. What is kept in a table of its own, or is longer than whoever asks wants to read, is named in its
place, as a text in brackets: so looking at a workflow costs no more than what is shown of it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, text

from durable.errors import StepNotFound, WorkflowNotFound
from durable.model import Entry, WorkflowState
from durable.payloads import expand
from durable.postgres import payloads
from durable.postgres.scheduling import entry_of

_STATE = """CASE WHEN w.run > r.run OR w.state = 'closed' THEN coalesce(r.outcome, 'terminated')
    WHEN w.state = 'waiting' AND w.wake_at <= (SELECT durable.now()) THEN 'ready' ELSE w.state END AS state"""
# The length in bytes is known without reading the value.
_SHORT = (
    "CASE WHEN octet_length({0}) <= :longest THEN {0}"
    " ELSE CAST(to_json('(' || octet_length({0}) || ' bytes, not read here)') AS text) END"
)
_RUN = text(f"""
SELECT w.workflow_id, r.name, r.run, w.run AS last_run, {_STATE}, r.outcome, r.error, r.reason, r.cancel_reason,
    r.created_at, r.began_at, r.updated_at, w.wake_at, w.gate, w.deadline_at, w.queue, w.priority, w.version,
    {_SHORT.format("r.input")} AS input, {_SHORT.format("r.status")} AS status, {_SHORT.format("r.result")} AS result,
    (SELECT count(*) FROM durable.history h WHERE h.workflow_key = w.key AND h.run = r.run) AS history_length
FROM durable.workflows w JOIN durable.runs r ON r.workflow_key = w.key AND r.run = coalesce(:run, w.run)
WHERE w.workflow_id = :workflow_id
""")  # noqa: S608 - put together of our own text
_RUNS = text(f"""
SELECT r.run, r.name, {_STATE}, r.created_at, r.began_at, r.updated_at
FROM durable.workflows w JOIN durable.runs r ON r.workflow_key = w.key
WHERE w.workflow_id = :workflow_id ORDER BY r.run DESC LIMIT :most
""")  # noqa: S608 - put together of our own text
_STEPS = text(f"""
SELECT h.step, h.kind, h.name, h.state, h.attempt, h.due_at, h.at, {_SHORT.format("h.arguments")} AS arguments,
    CASE WHEN h.state = 'failed' THEN h.payload ELSE ({_SHORT.format("h.payload")})
    END AS payload
FROM durable.history h JOIN durable.workflows w ON w.key = h.workflow_key
WHERE w.workflow_id = :workflow_id AND h.run = :run AND h.step < coalesce(CAST(:before AS integer), 2147483647)
ORDER BY h.step DESC LIMIT :most
""")  # noqa: S608 - put together of our own text
_STEP = text(
    "SELECT h.step, h.kind, h.name, h.state, h.attempt, h.due_at, h.at, h.arguments, h.payload"
    " FROM durable.history h JOIN durable.workflows w ON w.key = h.workflow_key"
    " WHERE w.workflow_id = :workflow_id AND h.run = :run AND h.step = :step"
)
_SIGNALS = text(f"""
SELECT i.id, i.name, i.key, i.sent_at, i.read_run, i.read_step, i.read_at, {_SHORT.format("i.payload")} AS payload
FROM durable.inbox i JOIN durable.workflows w ON w.key = i.workflow_key
WHERE w.workflow_id = :workflow_id ORDER BY i.id DESC LIMIT :most
""")  # noqa: S608 - put together of our own text
_RELATIVE = f"""
SELECT w.workflow_id, w.name, {_STATE}, r.created_at, r.updated_at FROM durable.workflows w
JOIN durable.runs r ON r.workflow_key = w.key AND r.run = w.run"""  # noqa: S608 - put together of our own text
_PARENT = text(f"""{_RELATIVE} WHERE w.key = (SELECT parent_key FROM durable.children
    WHERE child_key = (SELECT key FROM durable.workflows WHERE workflow_id = :workflow_id))""")  # noqa: S608 - as above
# Materialized: among the children of one workflow, and not by the keys of all there are.
_CHILDREN = text(f"""
WITH own AS MATERIALIZED (SELECT child_key FROM durable.children
    WHERE parent_key = (SELECT key FROM durable.workflows WHERE workflow_id = :workflow_id))
{_RELATIVE} WHERE w.key IN (SELECT child_key FROM own) ORDER BY w.key DESC LIMIT :most
""")  # noqa: S608 - as above


@dataclass(frozen=True)
class RunDetail:
    """One run with all that is known of it; `last_run` is the number of the workflow's present run, which is another one
    for a former run. `input`, `status` and `result` are encoded, `error` is a traceback."""

    workflow_id: str
    name: str
    run: int
    last_run: int
    state: WorkflowState
    input: str
    status: str | None
    result: str | None
    error: str | None
    reason: str | None
    cancel_reason: str | None
    created_at: datetime
    began_at: datetime
    updated_at: datetime
    wake_at: datetime | None
    gate: str | None
    deadline_at: datetime | None
    queue: str
    priority: int
    version: str | None
    history_length: int

    @property
    def is_present(self) -> bool:
        """Whether this is the run that the workflow's state is of."""
        return self.run == self.last_run


@dataclass(frozen=True)
class RunRow:
    """One of the runs that a workflow id has had."""

    run: int
    name: str
    state: WorkflowState
    created_at: datetime
    began_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class ReceivedSignal:
    """A signal in a workflow's inbox; `payload` is encoded. Unread while `read_at` is None, else read by a step of a run."""

    id: int
    name: str
    key: str
    payload: str
    sent_at: datetime
    read_run: int | None
    read_step: int | None
    read_at: datetime | None


@dataclass(frozen=True)
class Relative:
    """A workflow that another one has started, or was started by."""

    workflow_id: str
    name: str
    state: WorkflowState
    created_at: datetime
    updated_at: datetime


def run(connection: Connection, workflow_id: str, number: int | None, *, longest: int) -> RunDetail:
    """One run, the present one for None. Raises `WorkflowNotFound`, also for a run that is not kept."""
    given = {"workflow_id": workflow_id, "run": number, "longest": longest}
    row = connection.execute(_RUN, given).one_or_none()
    if row is None:
        which = "" if number is None else f", or it has no run {number} (any more)"
        raise WorkflowNotFound(f"no workflow has the id {workflow_id!r}{which}")
    found = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented way to a row's columns by name
    del found["outcome"]
    notes = _notes(connection, [row.input, row.status, row.result])
    return RunDetail(
        **found | {name: found[name] and expand(found[name], notes) for name in ("input", "status", "result")}
    )


def runs(connection: Connection, workflow_id: str, *, most: int) -> list[RunRow]:
    """The latest runs of a workflow id, the present one first; former ones as long as they are kept."""
    rows = connection.execute(_RUNS, {"workflow_id": workflow_id, "most": most}).mappings()
    return [RunRow(**row) for row in rows]


def steps(
    connection: Connection, workflow_id: str, number: int, *, before: int | None, most: int, longest: int
) -> list[Entry]:
    """The last `most` steps of a run below step `before`, in their order. Errors are read whole: they are cut when they
    are stored."""
    given = {"workflow_id": workflow_id, "run": number, "before": before, "most": most, "longest": longest}
    rows = connection.execute(_STEPS, given).all()
    notes = _notes(connection, [value for row in rows for value in (row.arguments, row.payload)])
    entries = [replace(entry_of(row), arguments=row.arguments) for row in reversed(rows)]
    return [
        replace(
            entry,
            payload=entry.payload and expand(entry.payload, notes),
            arguments=entry.arguments and expand(entry.arguments, notes),
        )
        for entry in entries
    ]


def step(connection: Connection, workflow_id: str, number: int, wanted: int) -> Entry:
    """One step of a run, whole. Raises `StepNotFound`."""
    row = connection.execute(_STEP, {"workflow_id": workflow_id, "run": number, "step": wanted}).one_or_none()
    if row is None:
        raise StepNotFound(f"workflow {workflow_id} has no step {wanted} in its run {number}")
    [entry] = payloads.whole_entries(connection, [replace(entry_of(row), arguments=row.arguments)])
    return entry


def signals(connection: Connection, workflow_id: str, *, most: int, longest: int) -> list[ReceivedSignal]:
    """The latest signals of a workflow, the newest first; those that were read as long as they are kept."""
    given = {"workflow_id": workflow_id, "most": most, "longest": longest}
    rows = connection.execute(_SIGNALS, given).mappings().all()
    notes = _notes(connection, [row["payload"] for row in rows])
    return [ReceivedSignal(**{**row, "payload": expand(row["payload"], notes)}) for row in rows]


def parent(connection: Connection, workflow_id: str) -> Relative | None:
    """Who started a workflow, while that one is kept."""
    row = connection.execute(_PARENT, {"workflow_id": workflow_id}).mappings().one_or_none()
    return None if row is None else Relative(**row)


def children(connection: Connection, workflow_id: str, *, most: int) -> list[Relative]:
    """The latest workflows that a workflow has started, the newest first, as long as they are kept."""
    rows = connection.execute(_CHILDREN, {"workflow_id": workflow_id, "most": most}).mappings()
    return [Relative(**row) for row in rows]


def _notes(connection: Connection, texts: Sequence[str | None]) -> Mapping[str, str]:
    """What stands for each large content that these texts refer to, by its hash: how long it is."""
    lengths = payloads.lengths(connection, texts)
    return {hash_: json.dumps(f"({characters} characters, not read here)") for hash_, characters in lengths.items()}
