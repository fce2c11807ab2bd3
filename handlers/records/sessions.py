"""Who is signed in to the dashboard. The cookie's secret is not stored, only its hash: a copy of the table lets nobody in.

A session is sealed with what it came from, such as the token that was shown: the hash is keyed by both, so that the session
is found no more once that has been changed, and the table tells nothing of either.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint, Column, Connection, DateTime, Index, Table, Text, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from handlers.records.schema import metadata, storable

sessions = Table(
    "sessions",
    metadata,
    Column("secret_hash", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("begun_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("role IN ('viewer', 'admin')", name="role"),
    Index("sessions_expires_at_idx", "expires_at"),
)


@dataclass(frozen=True)
class Session:
    """Somebody signed in. `role` is `viewer` or `admin`, `origin` how they did: `token`, `slack` or `github`."""

    name: str
    role: str
    origin: str
    expires_at: datetime


def begin(
    connection: Connection, secret: str, name: str, role: str, origin: str, lasting: timedelta, *, seal: str = ""
) -> None:
    """Note a session, by the database's clock; those that have expired are forgotten."""
    connection.execute(delete(sessions).where(sessions.c.expires_at <= func.now()))
    row = {"secret_hash": _hash(secret, seal), "name": storable(name), "role": role, "origin": origin}
    connection.execute(insert(sessions).values(row | {"expires_at": func.now() + lasting}))


def find(connection: Connection, secret: str, seals: Iterable[str] = ("",)) -> Session | None:
    """The session of this secret, unless there is none under one of these seals or it has expired."""
    wanted = select(sessions.c.name, sessions.c.role, sessions.c.origin, sessions.c.expires_at).where(
        sessions.c.secret_hash.in_([_hash(secret, seal) for seal in seals]), sessions.c.expires_at > func.now()
    )
    row = connection.execute(wanted).one_or_none()
    return None if row is None else Session(*row)


def end(connection: Connection, secret: str, seals: Iterable[str] = ("",)) -> None:
    """Forget the session of this secret."""
    connection.execute(delete(sessions).where(sessions.c.secret_hash.in_([_hash(secret, seal) for seal in seals])))


def _hash(secret: str, seal: str) -> str:
    """No salt and no stretching: the secret is 256 random bits, not a password."""
    return hmac.new(secret.encode(), seal.encode(), hashlib.sha256).hexdigest()
