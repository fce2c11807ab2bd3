"""`serve`, `web`, `worker`: the processes that run until they are asked to end."""

import sys

import click

from bot import logs
from bot.cli import BadSettings, CommandFailed, Surroundings, examples
from bot.database import DatabaseUnreachable
from bot.postgres_place import EmbeddedPostgresError
from bot.serving import PortTaken, Roles, run
from bot.stopping import Stopping
from config import policy, settings
from durable.errors import SchemaMismatch

_HOST = click.option("--host", help="Where to listen; overrides HOST (127.0.0.1).")
_PORT = click.option("--port", help="Overrides PORT (8000); 0 lets the system choose.")


@click.command(epilog=examples("python -m bot serve", "python -m bot serve --host 0.0.0.0 --port 8080"))
@_HOST
@_PORT
@click.pass_obj
def serve(surroundings: Surroundings, host: str | None, port: str | None) -> None:
    """Run web and worker in one process. Without DATABASE_URL it brings its own PostgreSQL, its data in VIGIL_HOME."""
    _run(surroundings, Roles(web=True, worker=True), host, port)


@click.command(epilog=examples("python -m bot web --host 0.0.0.0"))
@_HOST
@_PORT
@click.pass_obj
def web(surroundings: Surroundings, host: str | None, port: str | None) -> None:
    """Take deliveries and commands; any number of these against one DATABASE_URL."""
    _run(surroundings, Roles(web=True, worker=False), host, port)


@click.command(epilog=examples("python -m bot worker"))
@click.pass_obj
def worker(surroundings: Surroundings) -> None:
    """Run workflows; any number of these, on any number of machines, against one DATABASE_URL."""
    _run(surroundings, Roles(web=False, worker=True), None, None)


COMMANDS = {"serve": serve, "web": web, "worker": worker}


def _run(surroundings: Surroundings, roles: Roles, host: str | None, port: str | None) -> None:
    stopping = Stopping()
    given = {name: value for name, value in (("HOST", host), ("PORT", port)) if value is not None}
    try:
        loaded = settings.load({**surroundings.environ, **given}, surroundings.dotenv)
        rules = policy.load(loaded.config).with_overrides(
            reminder_interval=loaded.reminder_interval,
            archive_delay=loaded.archive_delay,
            working_hours=loaded.working_hours,
        )
        logs.configure(secrets=loaded.secrets, stream=sys.stderr)
        run(loaded, rules, roles, stopping)
    except (settings.SettingsError, policy.PolicyError, PortTaken) as problem:
        raise BadSettings(str(problem)) from problem
    except (DatabaseUnreachable, EmbeddedPostgresError, SchemaMismatch) as problem:
        raise CommandFailed(str(problem)) from problem
