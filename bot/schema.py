"""Everything a database must have before the bot runs on it: the engine's tables and the bot's own."""

from pathlib import Path

from durable.postgres.migrate import ENGINE, Migrations
from handlers.records import acts, pull_requests, samples, sessions
from handlers.records.schema import SCHEMA, metadata

_TABLES = (acts, pull_requests, samples, sessions)  # their import declares the tables
RECORDS = Migrations(SCHEMA, metadata, Path(__file__).parent / "migrations")
MIGRATIONS = (ENGINE, RECORDS)
