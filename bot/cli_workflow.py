"""`workflow`: look at workflows from a shell. What steers them is in `cli_steer`."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, get_args

import click

from bot.cli import Surroundings, examples
from bot.cli_opened import opened
from bot.cli_output import AS_JSON, WATCH, Row, as_json_text, moment, printable, show, table
from bot.cli_replay import replay
from bot.cli_steer import STEERING
from durable.client import Client
from durable.export import export
from durable.model import Description, Entry, Filter, Page, WorkflowState

_HEAD = ("ID", "WORKFLOW", "STATE", "RUN", "BEGAN", "WAKES AT", "HISTORY")
_ENTRY_HEAD = ("STEP", "WHAT", "STATE", "ATTEMPTS", "AT")
_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S"])


@click.group(epilog=examples("python -m bot workflow list", "python -m bot workflow show pr:github.com:acme:api:42"))
def workflow() -> None:
    """Look at workflows and steer them. Attaches to a running embedded PostgreSQL, or starts it for this command."""


@workflow.command(
    "list",
    epilog=examples(
        "python -m bot workflow list --state waiting",
        "python -m bot workflow list --prefix pr: --json",
        "python -m bot workflow list --state failed --from 2026-11-01 --watch",
    ),
)
@click.option(
    "--state", "states", multiple=True, type=click.Choice(get_args(WorkflowState)), help="Only in this state."
)
@click.option("--name", "names", multiple=True, help="Only of this workflow or flow.")
@click.option("--prefix", default="", help="Only ids that begin like this.")
@click.option("--from", "created_from", type=_TIME, help="Only begun at or after this time (UTC).")
@click.option("--to", "created_to", type=_TIME, help="Only begun before this time (UTC).")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000), help="At most so many.")
@click.option("--after", help="Go on after this place; the page before ends with it.")
@AS_JSON
@WATCH
@click.pass_obj
def list_workflows(
    surroundings: Surroundings, /, *, limit: int, after: str | None, as_json: bool, watch: bool, **given: Any
) -> None:
    """List workflows, the newest first."""
    wanted = Filter(
        given["prefix"], given["names"], given["states"], _utc(given["created_from"]), _utc(given["created_to"])
    )
    with opened(surroundings) as database:
        client = Client(database)

        def draw() -> str:
            page = client.search(wanted, limit=limit, after=after)
            return as_json_text([asdict(each) for each in page.items]) if as_json else _listed(page)

        show(draw, watch=watch)


@workflow.command(
    "show",
    epilog=examples("python -m bot workflow show pr:github.com:acme:api:42", "… show pr:github.com:acme:api:42 --json"),
)
@click.argument("workflow_id")
@AS_JSON
@WATCH
@click.pass_obj
def show_workflow(surroundings: Surroundings, workflow_id: str, *, as_json: bool, watch: bool) -> None:
    """Show one workflow and the history of its present run."""
    with opened(surroundings) as database:
        client = Client(database)

        def draw() -> str:
            description, history = client.describe(workflow_id), client.history(workflow_id)
            if as_json:
                return as_json_text({**asdict(description), "history": [asdict(entry) for entry in history]})
            return (
                _described(description) + "\n\n" + table(_ENTRY_HEAD, list(map(_entry_row, history)), empty="no steps")
            )

        show(draw, watch=watch)


@workflow.command("export", epilog=examples("python -m bot workflow export pr:github.com:acme:api:42 > watch.json"))
@click.argument("workflow_id")
@click.pass_obj
def export_history(surroundings: Surroundings, workflow_id: str) -> None:
    """Print one workflow's input and history as JSON, for `workflow replay`. It holds titles and names."""
    with opened(surroundings) as database, database.reading() as connection:
        click.echo(export(connection, workflow_id))


for _command in (replay, *STEERING):
    workflow.add_command(_command)

COMMANDS = {"workflow": workflow}


def _listed(page: Page) -> str:
    shown = table(_HEAD, [_row(each) for each in page.items], empty="no workflows")
    return shown if page.next is None else f"{shown}\nThere are more: --after {page.next}"


def _row(description: Description) -> Row:
    reason = f" ({description.reason})" if description.reason else ""
    return (
        description.workflow_id,
        description.name,
        description.state + reason,
        str(description.run),
        moment(description.created_at),
        moment(description.wake_at),
        str(description.history_length),
    )


def _described(description: Description) -> str:
    return "\n".join(
        f"{name.replace('_', ' ')}: {_shown(value)}" for name, value in asdict(description).items() if value is not None
    )


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, str):
        return "\n".join(map(printable, value.splitlines()))
    return as_json_text(value)


def _entry_row(entry: Entry) -> Row:
    return (str(entry.step), entry.title, entry.state, str(entry.attempt), moment(entry.at))


def _utc(given: datetime | None) -> datetime | None:
    return given.replace(tzinfo=UTC) if given is not None and given.tzinfo is None else given
