"""Moving the engine's time, for tests: one row holds how far it is ahead of the database's clock."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

_SHIFT = text("UPDATE durable.clock SET shift = shift + :by")
_KEEP_REAL = text("UPDATE durable.workflows SET wake_at = wake_at + :by WHERE state = 'waiting' AND wake_real")


def advance(connection: Connection, by: timedelta) -> datetime:
    """Move the engine's time by `by`; returns the new time. What waits by the real clock is shifted along with it."""
    connection.execute(_SHIFT, {"by": by})
    connection.execute(_KEEP_REAL, {"by": by})
    now: datetime = connection.execute(text("SELECT durable.now()")).scalar_one()
    return now
