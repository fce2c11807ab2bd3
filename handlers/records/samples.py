"""What is drawn over time: samples of how the engine is doing, one a minute, and each reminder that was posted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, DateTime, Double, Index, Table, Text, delete, func, select
from sqlalchemy.dialects.postgresql import insert

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
    """Keep a sample, and forget those that are older; False when another process kept one of this minute."""
    connection.execute(delete(samples).where(samples.c.minute < sample.minute - timedelta(days=for_days)))
    kept = connection.execute(insert(samples).values(vars(sample)).on_conflict_do_nothing())
    return kept.rowcount == 1


def since(connection: Connection, moment: datetime) -> Sequence[Sample]:
    """The samples from `moment` on, the oldest first."""
    wanted = select(samples).where(samples.c.minute >= moment).order_by(samples.c.minute)
    return [Sample(**row) for row in connection.execute(wanted).mappings()]


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
