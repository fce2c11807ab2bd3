"""What is shown of workflows: descriptions, histories, counts. Only reads."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, text

from durable.errors import Undecodable, WorkflowNotFound
from durable.model import Description, Entry, Overview, WorkerRow, WorkflowState
from durable.payloads import Stored, expand, is_reference, referred_to
from durable.postgres import payloads
from durable.postgres.scheduling import IN_LANE, LANES, entry_of
from durable.replay import MANY_ENTRIES
from durable.serde import decode

DESCRIBE = """
SELECT w.key, w.workflow_id, w.name, w.run, r.status, r.result, r.error, r.reason, r.created_at, r.updated_at, w.wake_at,
    w.gate,
    CASE WHEN w.state = 'closed' THEN coalesce(r.outcome, 'terminated')
         WHEN w.state = 'waiting' AND w.wake_at <= (SELECT durable.now()) THEN 'ready'
         ELSE w.state END AS state,
    (SELECT count(*) FROM durable.history h WHERE h.workflow_key = w.key AND h.run = w.run) AS history_length,
    (SELECT count(*) FROM durable.inbox i WHERE i.workflow_key = w.key AND i.read_at IS NULL) AS unread
FROM durable.workflows w JOIN durable.runs r ON r.workflow_key = w.key AND r.run = w.run
"""
_ONE = text(DESCRIBE + " WHERE w.workflow_id = :workflow_id")
_LIST = text(
    f"SELECT * FROM ({DESCRIBE} WHERE w.workflow_id LIKE :prefix AND w.workflow_id > :after AND w.name NOT LIKE '@%') AS described"  # noqa: S608 - our own text
    " WHERE :all OR state = ANY(:states) ORDER BY workflow_id LIMIT :most"
)
_SOME = text(DESCRIBE + " WHERE w.workflow_id = ANY(:ids)")
_INPUT = text(
    "SELECT input FROM durable.runs r JOIN durable.workflows w ON w.key = r.workflow_key AND w.run = r.run"
    " WHERE w.workflow_id = :workflow_id"
)
_INPUTS = text(
    "SELECT w.workflow_id, input FROM durable.workflows w"
    " JOIN durable.runs r ON r.workflow_key = w.key AND r.run = w.run WHERE w.workflow_id = ANY(:ids)"
)
_HISTORY = text(
    "SELECT h.step, h.kind, h.name, h.state, h.arguments, h.payload, h.attempt, h.due_at, h.at"
    " FROM durable.history h JOIN durable.workflows w ON h.workflow_key = w.key AND h.run = w.run"
    " WHERE w.workflow_id = :workflow_id ORDER BY h.step"
)
# Each count by an index that holds no more than what is counted. An outcome is counted for each run of its own.
_COUNTS = text("""
SELECT outcome AS state, count(*) AS many FROM durable.runs WHERE outcome IS NOT NULL AND name NOT LIKE '@%' GROUP BY 1
UNION ALL SELECT 'waiting', count(*) FROM durable.workflows WHERE state = 'waiting'
UNION ALL SELECT 'running', count(*) FROM durable.workflows WHERE state = 'running'
UNION ALL SELECT 'parked', count(*) FROM durable.workflows WHERE state = 'parked'
UNION ALL SELECT 'paused', count(*) FROM durable.workflows WHERE state = 'paused'
""")
_DUE = text(f"""{LANES}
SELECT coalesce(sum(many), 0) AS due, coalesce(extract(epoch FROM max((SELECT now FROM clock) - oldest)), 0) AS lag
FROM lanes CROSS JOIN LATERAL (
    SELECT count(*) AS many, min(wake_at) AS oldest FROM durable.workflows
    WHERE {IN_LANE.format(lane="lanes")} AND wake_at <= (SELECT now FROM clock)
) AS found
""")  # noqa: S608 - put together of our own text
_DUE_BY_QUEUE = text(f"""{LANES}
SELECT queue, CAST(sum(many) AS bigint) AS due FROM lanes CROSS JOIN LATERAL (
    SELECT count(*) AS many FROM durable.workflows
    WHERE {IN_LANE.format(lane="lanes")} AND wake_at <= (SELECT now FROM clock)
) AS found GROUP BY queue HAVING sum(many) > 0
""")  # noqa: S608 - put together of our own text
_DELIVERIES = text(
    "SELECT (SELECT count(*) FROM durable.deliveries WHERE state = 'received') AS received,"
    " (SELECT count(*) FROM durable.deliveries WHERE state = 'failed') AS failed"
)
_WORKERS = text(
    "SELECT id, host, pid, started_at, lease_until, slots, version, lease_until > clock_timestamp() AS alive,"
    " greatest(0, extract(epoch FROM lease_until - clock_timestamp())) AS lease_left,"
    " (SELECT count(*) FROM durable.workflows WHERE state = 'running' AND worker_id = workers.id) AS running"
    " FROM durable.workers ORDER BY id"
)


def describe(connection: Connection, workflow_id: str) -> Description:
    """One workflow. Raises `WorkflowNotFound`."""
    row = connection.execute(_ONE, {"workflow_id": workflow_id}).one_or_none()
    if row is None:
        raise WorkflowNotFound(f"no workflow has the id {workflow_id!r}")
    contents = payloads.contents(connection, (row.status, row.result))
    return _description(row, lambda stored: _seen(expand(stored, contents)))


def _seen(text: str) -> Any:
    """A value; of one that this process cannot read, the JSON that is stored: to look at a workflow has to be possible
    without its code."""
    try:
        return decode(text)
    except Undecodable:
        return json.loads(text)


def input_of(connection: Connection, workflow_id: str) -> str:
    """The input of the present run, encoded and whole. Raises `WorkflowNotFound`."""
    stored: str | None = connection.execute(_INPUT, {"workflow_id": workflow_id}).scalar_one_or_none()
    if stored is None:
        raise WorkflowNotFound(f"no workflow has the id {workflow_id!r}")
    return payloads.whole(connection, stored)


def inputs_of(connection: Connection, workflow_ids: Sequence[str]) -> dict[str, str]:
    """The inputs of the present runs by id, encoded and whole; without those that there are not."""
    rows = connection.execute(_INPUTS, {"ids": list(workflow_ids)}).all()
    contents = payloads.contents(connection, (row.input for row in rows))
    return {row.workflow_id: expand(row.input, contents) for row in rows}


def list_workflows(
    connection: Connection, *, prefix: str, states: Sequence[WorkflowState], limit: int, after: str | None
) -> list[Description]:
    """Workflows in the order of their ids, after the id `after`. A large status or result is not read but named."""
    like = prefix.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%"
    asked = {"prefix": like, "after": after or "", "all": not states, "states": list(states), "most": limit}
    return named(connection, connection.execute(_LIST, asked).all())


def describe_all(connection: Connection, workflow_ids: Sequence[str]) -> dict[str, Description]:
    """Workflows by their ids; without those that there are not. A large status or result is not read but named."""
    rows = connection.execute(_SOME, {"ids": list(workflow_ids)}).all()
    return {description.workflow_id: description for description in named(connection, rows)}


def named(connection: Connection, rows: Sequence[Any]) -> list[Description]:
    """Rows of `DESCRIBE`; a large status or result is not read but named."""
    lengths = payloads.lengths(connection, (text for row in rows for text in (row.status, row.result)))

    def shown(stored: str) -> Any:
        if not is_reference(stored):
            return _seen(stored)
        [hash_] = referred_to(stored)
        return Stored(hash_, lengths.get(hash_, 0))

    return [_description(row, shown) for row in rows]


def history(connection: Connection, workflow_id: str) -> list[Entry]:
    """The present run's journal, step by step, arguments included."""
    rows = connection.execute(_HISTORY, {"workflow_id": workflow_id})
    entries = [Entry(**(vars(entry_of(row)) | {"arguments": row.arguments})) for row in rows]
    return payloads.whole_entries(connection, entries)


def overview(connection: Connection) -> Overview:
    """The engine at a glance."""
    counts = {row.state: row.many for row in connection.execute(_COUNTS) if row.many}
    due = connection.execute(_DUE).one()
    deliveries = connection.execute(_DELIVERIES).one()
    return Overview(counts, int(due.due), float(due.lag), deliveries.received, deliveries.failed)


def due_by_queue(connection: Connection) -> dict[str, int]:
    """How many workflows are due in each queue that has any."""
    return {row.queue: row.due for row in connection.execute(_DUE_BY_QUEUE)}


def workers(connection: Connection) -> list[WorkerRow]:
    """Every worker that has a row."""
    return [
        WorkerRow(
            id=row.id,
            host=row.host,
            pid=row.pid,
            started_at=row.started_at,
            lease_until=row.lease_until,
            alive=row.alive,
            running=row.running,
            slots=row.slots,
            version=row.version,
            lease_left=float(row.lease_left),
        )
        for row in connection.execute(_WORKERS)
    ]


def _description(row: Any, shown: Callable[[str], Any]) -> Description:
    return Description(
        workflow_id=row.workflow_id,
        name=row.name,
        run=row.run,
        state=row.state,
        status=None if row.status is None else shown(row.status),
        result=None if row.result is None else shown(row.result),
        error=row.error,
        reason=row.reason or _remark(row),
        created_at=row.created_at,
        updated_at=row.updated_at,
        wake_at=row.wake_at,
        history_length=row.history_length,
        unread_signals=row.unread,
    )


def _remark(row: Any) -> str | None:
    if row.gate:
        return f"parked at the gate {row.gate}"
    if row.history_length > MANY_ENTRIES:
        return f"its history has {row.history_length} entries, all replayed at every wake; use rounds()"
    return None
