"""The verbs of `workflow` that change something: begin, signal, stop, go on, go back, end and forget."""

import re
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import click

from bot.cli import CommandFailed, Surroundings, examples
from bot.cli_asking import YES, confirm
from bot.cli_noted import noted
from bot.cli_opened import opened, parsed, programs_of
from bot.cli_output import as_json_text
from bot.cli_relaunch import relaunch
from bot.waiting import ended
from durable.client import Client
from durable.definitions import Workflow
from durable.flows import FlowRuns
from durable.model import WorkflowState
from durable.operator import Operator
from durable.postgres import Database

_REASON = click.option("--reason", required=True, help="Why; shown with the workflow.")
_ENDED: tuple[WorkflowState, ...] = ("completed", "failed", "terminated", "cancelled")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class _Age(click.ParamType[timedelta]):
    """A length of time such as 90s, 12h, 30d."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The length of time. Fails for anything else."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"(\d+)([smhdw])", str(value))
        if found is None:
            self.fail(f"{value!r} is no age; allowed: a number and one of s, m, h, d, w, such as 30d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.command(
    epilog=examples(
        """python -m bot workflow run fan_out_fan_in_orchestration""",
        """python -m bot workflow run example.ETL '{"user": "ada"}' --wait""",
        """python -m bot workflow run analyse '"8/8/6P1/4R3 w - - 0 1"' --id analysis:1""",
    )
)
@click.argument("name")
@click.argument("input_", metavar="[INPUT]", required=False)
@click.option("--id", "workflow_id", help="The workflow's id; one of its own by default.")
@click.option("--wait", is_flag=True, help="Wait for its end and print the result; exit code 1 when it fails.")
@click.option("--timeout", default=3600.0, show_default=True, help="Wait at most so many seconds.")
@click.pass_obj
def run(
    surroundings: Surroundings, name: str, input_: str | None, workflow_id: str | None, *, wait: bool, timeout: float
) -> None:
    """Start a workflow of VIGIL_MODULES, or a flow of VIGIL_FLOWS by its full name. INPUT is JSON: the workflow's one
    argument, or the flow's payload. A running `serve` or `worker` takes it up."""
    programs = programs_of(surroundings)
    known = {**programs.workflows, **programs.flows.flows}
    if name not in known:
        raise CommandFailed(f"no workflow is called {name!r}; there are: {', '.join(sorted(known)) or 'none'}")
    with opened(surroundings) as database:
        client = Client(database)
        with noted(database):
            if name in programs.workflows:
                begun = _begin(client, programs.workflows[name], input_, workflow_id or uuid4().hex)
            else:
                given = {} if input_ is None else parsed(input_, "INPUT")
                begun = FlowRuns(database, programs.flows).start(name, given)
        click.echo(f"{begun} is started", err=wait)
        if not any(worker.alive for worker in client.workers()):
            click.echo("no worker is alive: it waits for `python -m bot serve` or `python -m bot worker`", err=True)
        if wait:
            _print_result(client, begun, timeout)


def _begin(client: Client, declared: Workflow[..., Any], input_: str | None, workflow_id: str) -> str:
    args = () if input_ is None else (parsed(input_, "INPUT"),)
    started = client.start(declared, *args, workflow_id=workflow_id)
    if not started.is_new:
        raise CommandFailed(f"{workflow_id} runs already, in its run {started.run}")
    return workflow_id


def _print_result(client: Client, workflow_id: str, timeout: float) -> None:
    description = ended(client, workflow_id, timeout)
    if description is None:
        raise CommandFailed(f"{workflow_id} has not ended within {timeout:g} s; it goes on")
    if description.state != "completed":
        raise CommandFailed(f"{workflow_id} {description.state}: {description.reason}")
    click.echo(as_json_text(description.result))


@click.command(epilog=examples("""python -m bot workflow signal approval:7 approve '{"by": "ada"}' --key click-1"""))
@click.argument("workflow_id")
@click.argument("name")
@click.argument("payload", required=False)
@click.option("--key", help="Makes the signal count once, however often this is repeated.")
@click.pass_obj
def signal(surroundings: Surroundings, workflow_id: str, name: str, payload: str | None, key: str | None) -> None:
    """Send a signal to a workflow. PAYLOAD is JSON."""
    content = None if payload is None else parsed(payload, "PAYLOAD")
    with opened(surroundings) as database, noted(database):
        new = Client(database).signal(workflow_id, name, content, key=key or f"cli-{uuid4().hex}")
    click.echo(f"{name} is sent to {workflow_id}" if new else f"{name} with the key {key} was counted before")


def _verb(
    name: str, told: str, help_: str, act: Callable[[Database, str, str], object], *, reason: bool = True
) -> click.Command:
    """A verb that takes one workflow. `told` says what is true afterwards."""

    def body(surroundings: Surroundings, /, workflow_id: str, reason: str = "") -> None:
        with opened(surroundings) as database, noted(database):
            act(database, workflow_id, reason)
        click.echo(told.format(workflow_id))

    made: Callable[..., Any] = click.argument("workflow_id")(click.pass_obj(body))
    example = f"python -m bot workflow {name} pr:github.com:acme:api:42{' --reason maintenance' * reason}"
    return click.command(name, help=help_, epilog=examples(example))(_REASON(made) if reason else made)


def _cancel(database: Database, workflow_id: str, reason: str) -> None:
    if not Client(database).cancel(workflow_id, reason):
        raise CommandFailed(f"{workflow_id} was asked to end before")


@click.command(epilog=examples("python -m bot workflow rewind etl:7 --reason 'the database is back'"))
@click.argument("workflow_id")
@click.option("--step", type=int, help="Go back to this failed step, although the code went on after it.")
@_REASON
@click.pass_obj
def rewind(surroundings: Surroundings, workflow_id: str, step: int | None, reason: str) -> None:
    """Let a failed workflow go on from its failed step. What it did before is kept."""
    with opened(surroundings) as database, noted(database):
        Operator(database).rewind(workflow_id, reason, step=step)
    click.echo(f"{workflow_id} goes on from its failed step")


@click.command(
    epilog=examples("python -m bot workflow restart etl:7", "python -m bot workflow restart etl:7 --new-id etl:8")
)
@click.argument("workflow_id")
@click.option("--new-id", help="Begin another workflow of this id, and leave this one as it is.")
@click.pass_obj
def restart(surroundings: Surroundings, workflow_id: str, new_id: str | None) -> None:
    """Begin an ended workflow once more, with the input and the options it had."""
    with opened(surroundings) as database, noted(database):
        started = Operator(database).restart(workflow_id, new_id=new_id)
    click.echo(f"{started.workflow_id} is started, run {started.run}")


@click.command(epilog=examples("python -m bot workflow fork etl:7 3 etl:7-again"))
@click.argument("workflow_id")
@click.argument("step", type=click.IntRange(1))
@click.argument("new_id")
@click.pass_obj
def fork(surroundings: Surroundings, workflow_id: str, step: int, new_id: str) -> None:
    """Begin a workflow NEW_ID that has what this one did before STEP behind it, and takes STEP itself anew."""
    with opened(surroundings) as database, noted(database):
        Operator(database).fork(workflow_id, step, new_id)
    click.echo(f"{new_id} is started from step {step} of {workflow_id}")


@click.command(
    epilog=examples(
        "python -m bot workflow purge etl:7 --yes",
        "python -m bot workflow purge --older-than 30d --state completed --dry-run",
    )
)
@click.argument("workflow_id", required=False)
@click.option("--older-than", type=_Age(), help="Instead of one: all that ended longer ago, such as 30d.")
@click.option("--state", "states", multiple=True, type=click.Choice(_ENDED), help="With --older-than: only these ends.")
@click.option("--dry-run", is_flag=True, help="Only say what would be forgotten.")
@YES
@click.pass_obj
def purge(
    surroundings: Surroundings,
    workflow_id: str | None,
    older_than: timedelta | None,
    states: tuple[WorkflowState, ...],
    *,
    dry_run: bool,
    yes: bool,
) -> None:
    """Forget an ended workflow, or all that ended long ago: runs, histories, signals. There is no way back."""
    if (workflow_id is None) == (older_than is None):
        raise click.UsageError("give either a workflow's id or --older-than")
    with opened(surroundings) as database:
        if workflow_id is not None:
            _purge_one(database, workflow_id, dry_run=dry_run, yes=yes)
        elif older_than is not None:
            _purge_many(database, older_than, states or _ENDED, dry_run=dry_run, yes=yes)


def _purge_one(database: Database, workflow_id: str, *, dry_run: bool, yes: bool) -> None:
    description = Client(database).describe(workflow_id)
    if dry_run:
        click.echo(f"{workflow_id}, which is {description.state}, would be forgotten")
        return
    confirm(f"Forget {workflow_id}, which is {description.state}?", yes=yes)
    with noted(database):
        Operator(database).purge(workflow_id)
    click.echo(f"{workflow_id} is forgotten")


def _purge_many(
    database: Database, older_than: timedelta, states: tuple[WorkflowState, ...], *, dry_run: bool, yes: bool
) -> None:
    operator = Operator(database)
    many = operator.count_ended(older_than, states=states)
    if dry_run:
        click.echo(f"{many} workflows would be forgotten")
        return
    confirm(f"Forget {many} workflows?", yes=yes or not many)
    with noted(database), click.progressbar(length=many, label="Forgetting", file=sys.stderr) as bar:
        gone = operator.purge_ended(older_than, states=states, progress=bar.update)
    click.echo(f"{gone} workflows are forgotten")


STEERING = (
    run,
    signal,
    _verb(
        "suspend",
        "{} is paused",
        "Pause an open workflow until `resume`. Signals sent meanwhile are kept.",
        lambda database, workflow_id, reason: Operator(database).suspend(workflow_id, reason),
    ),
    _verb(
        "resume",
        "{} goes on",
        "Let a paused workflow go on, once what its reason names is mended.",
        lambda database, workflow_id, _: Operator(database).resume(workflow_id),
        reason=False,
    ),
    rewind,
    restart,
    _verb(
        "cancel",
        "{} is asked to end",
        "Ask a workflow to end: its code sees that once, and may clean up.",
        _cancel,
    ),
    _verb(
        "terminate",
        "{} is terminated",
        "End a workflow at once: nothing more is posted, nothing is cleaned up.",
        lambda database, workflow_id, reason: Client(database).terminate(workflow_id, reason),
    ),
    relaunch,
    fork,
    purge,
)
