"""`workflow`: look at workflows and end them from a shell."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any, get_args

import click

from bot.cli import CommandFailed, Surroundings, examples
from bot.cli_database import settings_of
from bot.database import DatabaseUnreachable, open_database, require_schema
from bot.postgres_place import EmbeddedPostgresError
from durable.client import Client
from durable.errors import SchemaMismatch, Undecodable, WorkflowClosed, WorkflowNotFound
from durable.export import export
from durable.model import Description, Entry, WorkflowState
from durable.postgres import Database

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(epilog=examples("python -m bot workflow list", "python -m bot workflow show pr:github.com:acme:api:42"))
def workflow() -> None:
    """Look at workflows, and end them. Attaches to a running embedded PostgreSQL, or starts it for this command."""


@workflow.command(
    "list",
    epilog=examples("python -m bot workflow list --state waiting", "python -m bot workflow list --prefix pr: --json"),
)
@click.option(
    "--state", "states", multiple=True, type=click.Choice(get_args(WorkflowState)), help="Only in this state."
)
@click.option("--prefix", default="", help="Only ids that begin like this.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000), help="At most so many.")
@click.option("--after", help="Go on after this id.")
@_JSON
@click.pass_obj
def list_workflows(
    surroundings: Surroundings,
    states: tuple[WorkflowState, ...],
    prefix: str,
    limit: int,
    after: str | None,
    as_json: bool,
) -> None:
    """List workflows in the order of their ids."""
    with _client(surroundings) as client:
        found = client.list(prefix=prefix, states=states, limit=limit, after=after)
    if as_json:
        click.echo(_json([asdict(description) for description in found]))
    elif not found:
        click.echo("no workflows")
    else:
        _table([("ID", "STATE", "RUN", "WAKES AT", "HISTORY"), *map(_row, found)])


@workflow.command(
    epilog=examples("python -m bot workflow show pr:github.com:acme:api:42", "… show pr:github.com:acme:api:42 --json")
)
@click.argument("workflow_id")
@_JSON
@click.pass_obj
def show(surroundings: Surroundings, workflow_id: str, as_json: bool) -> None:
    """Show one workflow and the history of its present run."""
    with _client(surroundings) as client:
        description, history = client.describe(workflow_id), client.history(workflow_id)
    if as_json:
        click.echo(_json({**asdict(description), "history": [asdict(entry) for entry in history]}))
        return
    for name, value in asdict(description).items():
        if value is not None:
            shown = value if isinstance(value, str | int) else _shown(value)
            click.echo(f"{name.replace('_', ' ')}: {shown}")
    click.echo()
    _table([("STEP", "WHAT", "STATE", "ATTEMPTS", "AT"), *map(_entry_row, history)])


@workflow.command(
    epilog=examples("python -m bot workflow terminate pr:github.com:acme:api:42 --reason 'wrong repository'")
)
@click.argument("workflow_id")
@click.option("--reason", required=True, help="Why; shown with the workflow.")
@click.pass_obj
def terminate(surroundings: Surroundings, workflow_id: str, reason: str) -> None:
    """End a workflow at once: nothing more is posted, nothing is archived."""
    with _client(surroundings) as client:
        client.terminate(workflow_id, reason)
    click.echo(f"{workflow_id} is terminated")


@workflow.command(epilog=examples("python -m bot workflow resume pr:github.com:acme:api:42"))
@click.argument("workflow_id")
@click.pass_obj
def resume(surroundings: Surroundings, workflow_id: str) -> None:
    """Let a paused workflow go on, once what its reason names is mended."""
    with _client(surroundings) as client:
        if not client.resume(workflow_id):
            state = client.describe(workflow_id).state
            raise CommandFailed(f"{workflow_id} is {state}, and only a paused workflow can be resumed")
    click.echo(f"{workflow_id} goes on")


@workflow.command("export", epilog=examples("python -m bot workflow export pr:github.com:acme:api:42 > watch.json"))
@click.argument("workflow_id")
@click.pass_obj
def export_history(surroundings: Surroundings, workflow_id: str) -> None:
    """Print one workflow's input and history as JSON, for `python -m bot replay`. It holds titles and names."""
    with _opened(surroundings) as database, database.reading() as connection:
        click.echo(export(connection, workflow_id))


COMMANDS = {"workflow": workflow}


@contextmanager
def _opened(surroundings: Surroundings) -> Iterator[Database]:
    try:
        with open_database(settings_of(surroundings)) as opened:
            require_schema(opened.database)
            yield opened.database
    except (WorkflowNotFound, WorkflowClosed) as problem:
        raise CommandFailed(f"{problem}; see `python -m bot workflow list`") from problem
    except (DatabaseUnreachable, EmbeddedPostgresError, SchemaMismatch, Undecodable) as problem:
        raise CommandFailed(str(problem)) from problem


@contextmanager
def _client(surroundings: Surroundings) -> Iterator[Client]:
    with _opened(surroundings) as database:
        yield Client(database)


def _row(description: Description) -> tuple[str, ...]:
    wakes = _time(description.wake_at) if description.wake_at else "-"
    reason = f" ({description.reason})" if description.reason else ""
    return (
        description.workflow_id,
        description.state + reason,
        str(description.run),
        wakes,
        str(description.history_length),
    )


def _entry_row(entry: Entry) -> tuple[str, ...]:
    return (str(entry.step), entry.title, entry.state, str(entry.attempt), _time(entry.at))


def _table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (_printable(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _printable(text: str) -> str:
    """Without what would move a terminal's cursor: reasons hold words from outside."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _shown(value: Any) -> str:
    return _time(value) if isinstance(value, datetime) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=_encoded)


def _encoded(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
