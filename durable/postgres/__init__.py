"""The engine's memory: every SQL statement of the engine stands in this package."""

from durable.postgres.database import Database

__all__ = ["Database"]
