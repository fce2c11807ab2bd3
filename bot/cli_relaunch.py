"""`workflow relaunch`: run again what has ended, one or many."""

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import uuid4

import click

from bot.cli import CommandFailed, Surroundings, examples
from bot.cli_asking import YES, confirm
from bot.cli_noted import noted
from bot.cli_opened import opened, programs_of
from durable.client import Client
from durable.errors import DurableError
from durable.flows import FlowRuns, Flows
from durable.flows.running import PART
from durable.model import Filter, WorkflowState
from durable.operator import Operator
from durable.postgres import Database

_ENDED: tuple[WorkflowState, ...] = ("completed", "failed", "terminated", "cancelled")
_PAGE = 500


@click.command(
    epilog=examples(
        "python -m bot workflow relaunch 7c0f3b1e-6a2d-4d52-9d3e-0b8f8f1c2a44",
        "python -m bot workflow relaunch --state failed --name example.ETL --from 2026-11-01",
    )
)
@click.argument("workflow_ids", metavar="[WORKFLOW_ID]...", nargs=-1)
@click.option("--state", "states", multiple=True, type=click.Choice(_ENDED), help="Instead: all that ended like this.")
@click.option("--name", "names", multiple=True, help="With --state: only of this workflow or flow.")
@click.option(
    "--from",
    "created_from",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="With --state: begun since (UTC).",
)
@YES
@click.pass_obj
def relaunch(
    surroundings: Surroundings,
    workflow_ids: tuple[str, ...],
    states: tuple[WorkflowState, ...],
    names: tuple[str, ...],
    created_from: datetime | None,
    *,
    yes: bool,
) -> None:
    """Run a flow again with the payload and the comment it had; any other workflow with its input, under a new id."""
    if bool(workflow_ids) == bool(states):
        raise click.UsageError("give either ids of workflows or --state")
    if workflow_ids and (names or created_from):
        raise click.UsageError("--name and --from go with --state")
    flows = programs_of(surroundings).flows
    with opened(surroundings) as database:
        if len(workflow_ids) == 1:
            with noted(database):
                begun_again = _again(database, flows, workflow_ids[0])
            click.echo(f"Workflow {begun_again} relaunched")
            return
        begun = None if created_from is None else created_from.replace(tzinfo=UTC)
        ids = workflow_ids or _ids_of(database, Filter(names=names, states=states, created_from=begun))
        confirm(f"Run {len(ids)} workflows again?", yes=yes or not ids)
        with noted(database):
            _relaunch_many(ids, lambda workflow_id: _again(database, flows, workflow_id))


def _relaunch_many(ids: Sequence[str], again: Callable[[str], str]) -> None:
    """Each of them, however the others fare. Raises `CommandFailed` with what could not be run again."""
    refused: list[str] = []
    with click.progressbar(ids, label="Relaunching", file=sys.stderr) as bar:
        for workflow_id in bar:
            try:
                again(workflow_id)
            except DurableError as problem:
                refused.append(f"{workflow_id}: {problem}")
    click.echo(f"{len(ids) - len(refused)} workflows are relaunched")
    if refused:
        raise CommandFailed("\n".join([*refused, f"{len(refused)} of {len(ids)} were not relaunched"]))


def _ids_of(database: Database, wanted: Filter) -> list[str]:
    """All that are wanted, before the first is begun again; without the parts of flows, which their flow begins."""
    client, ids, after = Client(database), [], None
    while True:
        page = client.search(wanted, limit=_PAGE, after=after)
        ids += [item.workflow_id for item in page.items if item.name != PART]
        if (after := page.next) is None:
            return ids


def _again(database: Database, flows: Flows, workflow_id: str) -> str:
    if Client(database).describe(workflow_id).name in flows.flows:
        return FlowRuns(database, flows).relaunch(workflow_id)
    return Operator(database).restart(workflow_id, new_id=uuid4().hex).workflow_id
