"""What is drawn over time: samples of how the engine is doing, one a minute, and each reminder that was posted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, DateTime, Double, Index, Table, Text, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from durable import transaction
from handlers.records.schema import metadata

samples = Table(
    "samples",
    metadata,
    Column("minute", DateTime(timezone=True), primary_key=True),
    Column("due", BigInteger, nullable=False),
    Column("lag_seconds", Double, nullable=False),
    Column("deliveries", BigInteger, nullable=False),
    Column("watched", BigInteger, nullable=False),
)

reminders = Table(
    "reminders",
    metadata,
    Column("workflow_id", Text, primary_key=True),
    Column("message", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("posted_at", DateTime(timezone=True), nullable=False),
    Index("reminders_posted_at_idx", "posted_at"),
)

_REMINDERS_FOR = timedelta(days=366)


@dataclass(frozen=True)
class Lateness:
    """How many seconds late the reminders of one hour were posted: how many there were, the middle one, that which 95 of
    100 were no later than, and the latest."""

    hour: datetime
    many: int
    middle: float
    most: float
    worst: float


@dataclass(frozen=True)
class Sample:
    """One minute: how much was due and not claimed at its end and since how many seconds the longest, how many
    deliveries came in it, and how many pull requests were watched."""

    minute: datetime
    due: int
    lag_seconds: float
    deliveries: int
    watched: int


def keep(connection: Connection, sample: Sample, *, for_days: int = 30) -> bool:
    """Keep a sample, and forget those that are older, and reminders of more than a year ago; False when another process
    kept one of this minute."""
    connection.execute(delete(samples).where(samples.c.minute < sample.minute - timedelta(days=for_days)))
    connection.execute(delete(reminders).where(reminders.c.posted_at < sample.minute - _REMINDERS_FOR))
    kept = connection.execute(insert(samples).values(vars(sample)).on_conflict_do_nothing())
    return kept.rowcount == 1


def is_kept(connection: Connection, minute: datetime) -> bool:
    """Whether there is a sample of this minute."""
    return connection.execute(select(samples.c.minute).where(samples.c.minute == minute)).first() is not None


def since(connection: Connection, moment: datetime) -> Sequence[Sample]:
    """The samples from `moment` on, the oldest first."""
    wanted = select(samples).where(samples.c.minute >= moment).order_by(samples.c.minute)
    return [Sample(**row) for row in connection.execute(wanted).mappings()]


@transaction
def note_reminder(
    connection: Connection, workflow_id: str, message: str, number: int, due_at: datetime, posted_at: datetime
) -> None:
    """Note that the watch posted its `number`-th reminder as `message` (Slack's timestamp); both times are the
    engine's."""
    row = {"workflow_id": workflow_id, "message": message, "number": number, "due_at": due_at, "posted_at": posted_at}
    connection.execute(insert(reminders).values(row).on_conflict_do_nothing())


def reminders_a_day(connection: Connection, moment: datetime) -> Sequence[tuple[date, int]]:
    """How many reminders were posted on each day (UTC) from `moment` on that had any, the oldest first."""
    day = func.date(func.timezone("UTC", reminders.c.posted_at))
    wanted = select(day, func.count()).where(reminders.c.posted_at >= moment).group_by(day).order_by(day)
    return [(found, count) for found, count in connection.execute(wanted)]


def lateness(connection: Connection, moment: datetime) -> Sequence[tuple[datetime, float]]:
    """When each reminder from `moment` on was due, and how many seconds later it was posted."""
    late: Any = func.extract("epoch", reminders.c.posted_at - reminders.c.due_at)
    wanted = select(reminders.c.due_at, late).where(reminders.c.posted_at >= moment).order_by(reminders.c.due_at)
    return [(due, float(seconds)) for due, seconds in connection.execute(wanted)]


def lateness_by_hour(connection: Connection, moment: datetime) -> Sequence[Lateness]:
    """The lateness of the reminders posted from `moment` on, by the hour in which they were, the oldest first."""
    hour = func.date_trunc("hour", reminders.c.posted_at, "UTC").label("hour")
    late: Any = func.extract("epoch", reminders.c.posted_at - reminders.c.due_at)
    shares = [func.percentile_cont(share).within_group(late) for share in (0.5, 0.95, 1.0)]
    wanted = select(hour, func.count(), *shares).where(reminders.c.posted_at >= moment).group_by(hour).order_by(hour)
    return [Lateness(at, many, *map(_seconds, found)) for at, many, *found in connection.execute(wanted)]


def _seconds(value: Any) -> float:
    return max(float(value), 0.0)
