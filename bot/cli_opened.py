"""What commands work on: the database, opened for one command, and the operators' own programs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bot.cli import BadSettings, CommandFailed, Surroundings
from bot.cli_database import settings_of
from bot.database import DatabaseUnreachable, open_database, require_schema
from bot.postgres_place import EmbeddedPostgresError
from bot.programs import Programs
from bot.programs import load as load_named
from config.settings import SettingsError, load_programs
from durable.errors import (
    DurableError,
    ScheduleNotFound,
    SchemaMismatch,
    WorkflowClosed,
    WorkflowNotFound,
)
from durable.postgres import Database


@contextmanager
def opened(surroundings: Surroundings) -> Iterator[Database]:
    """The database with its schema checked. What the engine refuses inside the block ends the command with its text."""
    try:
        with open_database(settings_of(surroundings)) as found:
            require_schema(found.database)
            yield found.database
    except (WorkflowNotFound, WorkflowClosed) as problem:
        raise CommandFailed(f"{problem}; see `python -m bot workflow list`") from problem
    except ScheduleNotFound as problem:
        raise CommandFailed(f"{problem}; see `python -m bot schedule list`") from problem
    except (DatabaseUnreachable, EmbeddedPostgresError, SchemaMismatch, DurableError, ValueError) as problem:
        raise CommandFailed(str(problem)) from problem


def programs_of(surroundings: Surroundings) -> Programs:
    """The workflows of VIGIL_MODULES and the flows of VIGIL_FLOWS. Raises `BadSettings`."""
    try:
        return load_named(*load_programs(surroundings.environ, surroundings.dotenv))
    except SettingsError as problem:
        raise BadSettings(str(problem)) from problem


def parsed(text: str, what: str) -> Any:
    """JSON from the command line. Raises `CommandFailed` that shows where it is wrong."""
    try:
        return json.loads(text)
    except ValueError as problem:
        raise CommandFailed(
            f"{what} is no JSON ({problem}): {text[:200]}\nA text needs quotes of its own: '\"{text[:40]}\"'"
        ) from problem
