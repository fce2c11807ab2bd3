"""`serve`, `web`, `worker`: the processes that run until they are asked to end."""

import sys

import click

from bot import logs
from bot.cli import BadSettings, CommandFailed, Surroundings, examples
from bot.postgres_place import EmbeddedPostgresError
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
    _run(surroundings, host, port, web=True, worker=True)


@click.command(epilog=examples("python -m bot web --host 0.0.0.0"))
@_HOST
@_PORT
@click.pass_obj
def web(surroundings: Surroundings, host: str | None, port: str | None) -> None:
    """Take deliveries and commands; any number of these against one DATABASE_URL."""
    _run(surroundings, host, port, web=True)


@click.command(epilog=examples("python -m bot worker"))
@click.pass_obj
def worker(surroundings: Surroundings) -> None:
    """Run workflows; any number of these, on any number of machines, against one DATABASE_URL."""
    _run(surroundings, worker=True)


COMMANDS = {"serve": serve, "web": web, "worker": worker}


def _run(
    surroundings: Surroundings,
    host: str | None = None,
    port: str | None = None,
    *,
    web: bool = False,
    worker: bool = False,
) -> None:
    stopping = Stopping()
    given = {name: value for name, value in (("HOST", host), ("PORT", port)) if value is not None}
    try:
        loaded = settings.load({**surroundings.environ, **given}, surroundings.dotenv)
        rules = policy.load(loaded.config).with_overrides(
            reminder_interval=loaded.reminder_interval,
            archive_delay=loaded.archive_delay,
            working_hours=loaded.working_hours,
        )
    except (settings.SettingsError, policy.PolicyError) as problem:
        raise BadSettings(str(problem)) from problem
    logs.configure(secrets=loaded.secrets, stream=sys.stderr)
    # Everything the bot is made of: a second to import, which `--help` and bad settings need not wait for.
    from bot.database import DatabaseUnreachable  # noqa: PLC0415
    from bot.serving import PortTaken, Roles, run  # noqa: PLC0415

    try:
        run(loaded, rules, Roles(web=web, worker=worker), stopping)
    except (settings.SettingsError, PortTaken) as problem:
        raise BadSettings(str(problem)) from problem
    except (DatabaseUnreachable, EmbeddedPostgresError, SchemaMismatch) as problem:
        raise CommandFailed(str(problem)) from problem
