"""The rows of schedules and of their occurrences: the lock on a schedule orders its clocks, a unique row decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from durable.errors import ScheduleNotFound
from durable.schedules import LastRun, Occurrence


@dataclass(frozen=True)
class StoredSchedule:
    """A schedule as it is stored: `input` and `plan` are encoded, all up to `decided_until` is decided. `next_at` is
    when the next occurrence begins, jitter included."""

    name: str
    workflow: str
    input: str
    plan: str
    paused: bool
    decided_until: datetime
    next_at: datetime | None


_COLUMNS = "name, workflow, input, spec AS plan, paused, last_at AS decided_until, next_at"
_INSERT = text(
    "INSERT INTO durable.schedules (name, workflow, input, spec, paused, last_at, next_at, created_at)"
    " VALUES (:name, :workflow, :input, :plan, :paused, :decided_until, :next_at, :decided_until)"
    " ON CONFLICT (name) DO NOTHING"
)
_LOCK = text(f"SELECT {_COLUMNS} FROM durable.schedules WHERE name = :name FOR UPDATE")  # noqa: S608 - our own text
_ALL = text(f"SELECT {_COLUMNS} FROM durable.schedules ORDER BY name")  # noqa: S608 - our own text
_TAKE_DUE = text(
    f"SELECT {_COLUMNS} FROM durable.schedules"  # noqa: S608 - our own text
    " WHERE NOT paused AND next_at <= (SELECT durable.now()) AND name <> ALL(:seen)"
    " ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED"
)
_WRITE = text(
    "UPDATE durable.schedules SET workflow = :workflow, input = :input, spec = :plan, paused = :paused,"
    " last_at = :decided_until, next_at = :next_at WHERE name = :name"
)
_DELETE = text("DELETE FROM durable.schedules WHERE name = :name")
_DUE_IN = text(
    "SELECT extract(epoch FROM next_at - (SELECT durable.now())) FROM durable.schedules"
    " WHERE NOT paused AND next_at IS NOT NULL ORDER BY next_at LIMIT 1"
)
_RECORD = text(
    "INSERT INTO durable.occurrences (schedule, due_at, workflow_id) VALUES (:schedule, :due_at, :workflow_id)"
    " ON CONFLICT (schedule, due_at) DO NOTHING"
)
_OCCURRENCES = text(
    "SELECT due_at, workflow_id FROM durable.occurrences WHERE schedule = :schedule ORDER BY due_at DESC LIMIT :most"
)
_LATEST = text("""
SELECT schedules.name, last.due_at, last.workflow_id,
    CASE WHEN w.state = 'closed' THEN coalesce(r.outcome, 'terminated')
         WHEN w.state = 'waiting' AND w.wake_at <= (SELECT durable.now()) THEN 'ready'
         ELSE w.state END AS state
FROM durable.schedules CROSS JOIN LATERAL (
    SELECT due_at, workflow_id FROM durable.occurrences
    WHERE schedule = schedules.name AND workflow_id IS NOT NULL ORDER BY due_at DESC LIMIT 1
) AS last
LEFT JOIN durable.workflows w ON w.workflow_id = last.workflow_id
LEFT JOIN durable.runs r ON r.workflow_key = w.key AND r.run = w.run
""")


def insert(connection: Connection, schedule: StoredSchedule) -> bool:
    """Store a schedule; False when one of this name is there."""
    return connection.execute(_INSERT, vars(schedule)).rowcount == 1


def lock(connection: Connection, name: str) -> StoredSchedule:
    """A schedule, which no clock ticks until the transaction ends. Raises `ScheduleNotFound`."""
    row = connection.execute(_LOCK, {"name": name}).one_or_none()
    if row is None:
        raise ScheduleNotFound(f"no schedule has the name {name!r}")
    return _stored(row)


def everything(connection: Connection) -> list[StoredSchedule]:
    """Every schedule, by name."""
    return [_stored(row) for row in connection.execute(_ALL)]


def take_due(connection: Connection, seen: Sequence[str]) -> StoredSchedule | None:
    """The schedule longest due that no other clock has in hand and that is not in `seen`, locked."""
    row = connection.execute(_TAKE_DUE, {"seen": list(seen)}).one_or_none()
    return None if row is None else _stored(row)


def write(connection: Connection, schedule: StoredSchedule) -> None:
    """Store a schedule as it is now; it has to be locked."""
    connection.execute(_WRITE, vars(schedule))


def delete(connection: Connection, name: str) -> bool:
    """Forget a schedule and its occurrences, not the workflows it started; False when there is none."""
    return connection.execute(_DELETE, {"name": name}).rowcount == 1


def due_in(connection: Connection) -> float | None:
    """Seconds until the earliest schedule is due (negative: it is), or None without one."""
    seconds = connection.execute(_DUE_IN).scalar_one_or_none()
    return None if seconds is None else float(seconds)


def record(connection: Connection, schedule: str, due_at: datetime, workflow_id: str | None) -> bool:
    """Decide on an occurrence: run as a workflow, or skipped; False when it was decided on before."""
    values = {"schedule": schedule, "due_at": due_at, "workflow_id": workflow_id}
    return connection.execute(_RECORD, values).rowcount == 1


def occurrences(connection: Connection, schedule: str, most: int) -> list[Occurrence]:
    """The last `most` occurrences that were decided on, the latest first."""
    rows = connection.execute(_OCCURRENCES, {"schedule": schedule, "most": most})
    return [Occurrence(row.due_at, row.workflow_id) for row in rows]


def latest(connection: Connection) -> dict[str, LastRun]:
    """The last occurrence of each schedule that ran, by the schedule's name; without those of which none did."""
    rows = connection.execute(_LATEST)
    return {row.name: LastRun(row.due_at, row.workflow_id, row.state) for row in rows}


def _stored(row: Any) -> StoredSchedule:
    return StoredSchedule(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented way to a row as a mapping
