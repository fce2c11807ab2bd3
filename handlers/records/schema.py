"""What all records share: the schema, its metadata, and what PostgreSQL can store."""

from datetime import datetime

from sqlalchemy import Connection, MetaData, text

SCHEMA = "vigil"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    },
)


def engine_time(connection: Connection) -> datetime:
    """The engine's time, by which reminders are due."""
    moment: datetime = connection.execute(text("SELECT durable.now()")).scalar_one()
    return moment


def real_time(connection: Connection) -> datetime:
    """The database's own clock, by which leases run and deliveries come: no test moves it."""
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


def storable(outside: str) -> str:
    """The text without what PostgreSQL cannot store and the outside may send: NUL, and half a surrogate pair."""
    return outside.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
