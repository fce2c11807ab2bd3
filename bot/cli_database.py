"""`db`: the schema of the database, upgraded and shown. Needs no setting of Slack or GitHub."""

import logging

import click

from bot import logs
from bot.cli import BadSettings, CommandFailed, Surroundings, examples
from bot.database import DatabaseUnreachable, open_database
from bot.postgres_place import EmbeddedPostgresError
from bot.schema import MIGRATIONS
from config.settings import DatabaseSettings, SettingsError, load_database
from durable.errors import SchemaMismatch
from durable.postgres.migrate import current
from durable.postgres.migrate import upgrade as upgrade_schema


@click.group(epilog=examples("python -m bot db upgrade", "python -m bot db current"))
def database() -> None:
    """Upgrade or show the database's schema. Needs DATABASE_URL, or VIGIL_HOME for the embedded PostgreSQL."""


@database.command(epilog=examples("python -m bot db upgrade", "DATABASE_URL=postgresql://… python -m bot db upgrade"))
@click.pass_obj
def upgrade(surroundings: Surroundings) -> None:
    """Bring the schema to this release. Harmless to run twice, and from two machines at once."""
    try:
        with open_database(settings_of(surroundings)) as opened:
            changes = upgrade_schema(opened.database, MIGRATIONS)
    except (DatabaseUnreachable, EmbeddedPostgresError, SchemaMismatch) as problem:
        raise CommandFailed(str(problem)) from problem
    for change in changes or ["the schema is current"]:
        click.echo(change)


@database.command("current", epilog=examples("python -m bot db current"))
@click.pass_obj
def show_current(surroundings: Surroundings) -> None:
    """Show which revision the schema is at, and which this release needs. Exit code 1 when they differ."""
    try:
        with open_database(settings_of(surroundings)) as opened:
            found = current(opened.database, MIGRATIONS)
    except (DatabaseUnreachable, EmbeddedPostgresError) as problem:
        raise CommandFailed(str(problem)) from problem
    needed = {owned.schema: owned.head() for owned in MIGRATIONS}
    for name, revision in needed.items():
        click.echo(f"{name}: {found[name] or 'nothing'} (this release needs {revision})")
    if found != needed:
        raise CommandFailed("the schema is not this release's: run `python -m bot db upgrade`")


COMMANDS = {"db": database}


def settings_of(surroundings: Surroundings) -> DatabaseSettings:
    """Where the database is; logs only warnings, since what a command has to say it prints. Raises `BadSettings`."""
    logs.configure(level=logging.WARNING)
    try:
        return load_database(surroundings.environ, surroundings.dotenv)
    except SettingsError as problem:
        raise BadSettings(str(problem)) from problem
