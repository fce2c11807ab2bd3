"""What people did by the dashboard and the management interfaces: noted before it is done, and how it went afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Identity,
    Index,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)

from handlers.records.schema import metadata, storable

acts = Table(
    "acts",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("actor", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("outcome", Text),
    Index("acts_subject_idx", "subject", "id"),
)
_LONGEST = 500


@dataclass(frozen=True)
class Act:
    """One thing that somebody did: `actor` did `act` to `subject`. `outcome` is `done`, why it was refused, or None when
    it never came to its end."""

    id: int
    at: datetime
    actor: str
    act: str
    subject: str
    detail: str
    outcome: str | None


def note(connection: Connection, actor: str, act: str, subject: str, detail: str = "") -> int:
    """Note that somebody is about to do something; returns the number of the note."""
    row = {"actor": _short(actor), "act": act, "subject": _short(subject), "detail": _short(detail)}
    number: int = connection.execute(insert(acts).values(row).returning(acts.c.id)).scalar_one()
    return number


def note_outcome(connection: Connection, number: int, outcome: str, subject: str | None = None) -> None:
    """Note how it went, and what it was done to where that was not known before."""
    known = {} if subject is None else {"subject": _short(subject)}
    connection.execute(update(acts).where(acts.c.id == number).values(outcome=_short(outcome), **known))


def latest(
    connection: Connection, *, subject: str | None = None, before: int | None = None, limit: int = 50
) -> Sequence[Act]:
    """The latest acts, those on one subject or all, from number `before` backwards."""
    wanted = select(acts).order_by(acts.c.id.desc()).limit(limit)
    if subject is not None:
        wanted = wanted.where(acts.c.subject == subject)
    if before is not None:
        wanted = wanted.where(acts.c.id < before)
    return [Act(**row) for row in connection.execute(wanted).mappings()]


def _short(text: str) -> str:
    text = storable(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
