"""`flow`: the flows of VIGIL_FLOWS, with the words and the tables of Celery Director's `workflow` command."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

import click

from bot.cli import CommandFailed, Surroundings, examples
from bot.cli_noted import noted
from bot.cli_opened import opened, programs_of
from bot.cli_output import AS_JSON, as_json_text, printable
from bot.flow_template import FILES
from config.settings import SettingsError, load_programs
from durable.errors import WorkflowClosed, WorkflowNotFound
from durable.flows import Chain, Flow, FlowErrors, FlowNotFound, FlowRuns, Group, Node, PayloadRefused, load
from durable.flows.schemas import errors_of
from durable.schedules import BY_SCHEDULE

_NONE = "--"


@click.group(
    epilog=examples("python -m bot flow list", "python -m bot flow check", "python -m bot flow run example.ETL")
)
def flow() -> None:
    """Flows in YAML: begin a folder of them, check it, look at them and run them."""


@flow.command(epilog=examples("python -m bot flow init config/flows"))
@click.argument("path", type=click.Path(file_okay=False, path_type=Path))
def init(path: Path) -> None:
    """Begin a folder of flows with two examples and their tasks. Changes no file that is there."""
    folder = path.resolve()
    taken = [name for name in FILES if (folder / name).exists()]
    if taken:
        raise CommandFailed(f"{folder} has {', '.join(taken)} already; nothing was written")
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    click.echo(f"[*] Project created in {folder}")
    click.echo("[*] Do not forget to initialize the database")
    click.echo(f"You can now set VIGIL_FLOWS={folder}")


@flow.command("list", epilog=examples("python -m bot flow list", "python -m bot flow list --json"))
@AS_JSON
@click.pass_obj
def list_flows(surroundings: Surroundings, *, as_json: bool) -> None:
    """List the flows with their tasks."""
    flows = programs_of(surroundings).flows.flows
    if as_json:
        click.echo(as_json_text([{"fullname": name, **found.raw} for name, found in flows.items()]))
        return
    rows = [(name, _periodic(found), "\n".join(_tasks(found))) for name, found in flows.items()]
    click.echo(_bordered([(f"Workflows ({len(rows)})", "Periodic", "Tasks"), *rows], centred=1))


@flow.command(epilog=examples("python -m bot flow show example.ETL", "python -m bot flow show example.ETL --json"))
@click.argument("name")
@AS_JSON
@click.pass_obj
def show(surroundings: Surroundings, name: str, *, as_json: bool) -> None:
    """Show one flow."""
    flows = programs_of(surroundings).flows.flows
    if name not in flows:
        raise CommandFailed(f"Error: Workflow {name} not found")
    found = flows[name]
    if as_json:
        click.echo(as_json_text({"fullname": name, **found.raw}))
        return
    payload = json.dumps(found.periodic.payload if found.periodic else {})
    rows = [
        ("Name", name),
        ("Tasks", "\n".join(_tasks(found))),
        ("Periodic", _periodic(found)),
        ("Default Payload", payload),
    ]
    click.echo(_bordered(rows))


@flow.command(
    epilog=examples("python -m bot flow run example.ETL", """python -m bot flow run example.RANDOMS '{"start": 0}'""")
)
@click.argument("name")
@click.argument("payload", default="{}")
@click.option("--comment", help="Kept with the run.")
@click.option("--dry-run", is_flag=True, help="Only check the name and the payload.")
@click.pass_obj
def run(surroundings: Surroundings, name: str, payload: str, comment: str | None, *, dry_run: bool) -> None:
    """Run a flow with a payload, which is JSON. A running `serve` or `worker` takes it up."""
    flows = programs_of(surroundings).flows
    try:
        content = json.loads(payload)
    except ValueError as problem:
        raise _aborted(f"Error in the payload : {problem}") from problem
    if name not in flows.flows:
        raise _aborted(f"Error: {FlowNotFound(name)}")
    schema = flows.flows[name].schema
    if schema is not None and (errors := errors_of(schema, content)):
        raise _refused(errors)
    if dry_run:
        click.echo(f"{name} would be launched")
        return
    with opened(surroundings) as database, noted(database):
        try:
            launched = FlowRuns(database, flows).start(name, content, comment)
        except PayloadRefused as refused:
            raise _refused(refused.errors) from refused
    click.echo(f"Workflow {launched} launched")


@flow.command(epilog=examples("python -m bot flow cancel 7c0f3b1e-6a2d-4d52-9d3e-0b8f8f1c2a44"))
@click.argument("run_id")
@click.pass_obj
def cancel(surroundings: Surroundings, run_id: str) -> None:
    """End a run of a flow at once, with the tasks it has begun."""
    _on_run(surroundings, run_id, "canceled")


@flow.command(epilog=examples("python -m bot flow relaunch 7c0f3b1e-6a2d-4d52-9d3e-0b8f8f1c2a44"))
@click.argument("run_id")
@click.pass_obj
def relaunch(surroundings: Surroundings, run_id: str) -> None:
    """Run a flow again, with the payload and the comment of an earlier run."""
    _on_run(surroundings, run_id, "relaunched")


@flow.command(epilog=examples("python -m bot flow check", "python -m bot flow check --path config/flows"))
@click.option("--path", type=click.Path(path_type=Path), help="The folder; that of VIGIL_FLOWS by default.")
@click.pass_obj
def check(surroundings: Surroundings, path: Path | None) -> None:
    """Read a folder of flows and say everything that is wrong with it: file, line, key and what is allowed. Exit code 1
    when something is."""
    try:
        modules, folder = load_programs(surroundings.environ, surroundings.dotenv)
        found = load(path or folder)
    except FlowErrors as errors:
        raise CommandFailed("\n".join(printable(str(problem)) for problem in errors.problems)) from errors
    except SettingsError as problem:
        raise CommandFailed(str(problem)) from problem
    del modules
    click.echo(f"{path or folder}: {len(found.flows)} flows, {len(found.tasks)} tasks, all in order")


COMMANDS = {"flow": flow}


def _refused(errors: Sequence[str]) -> CommandFailed:
    return _aborted("\n".join(["Error: Payload is not valid", *(f"- {printable(error)}" for error in errors)]))


def _aborted(text: str) -> CommandFailed:
    """As Director ends: what is wrong, and its last word."""
    return CommandFailed(f"{text}\nAborted!")


def _on_run(surroundings: Surroundings, run_id: str, done: str) -> None:
    try:
        if not run_id.startswith(BY_SCHEDULE):
            UUID(run_id)
    except ValueError as problem:
        raise _aborted("Invalid UUID") from problem
    flows = programs_of(surroundings).flows
    with opened(surroundings) as database, noted(database):
        runs = FlowRuns(database, flows)
        try:
            told = runs.relaunch(run_id) if done == "relaunched" else run_id
            if done == "canceled":
                runs.cancel(run_id)
        except WorkflowNotFound as problem:
            raise _aborted(f"Workflow {run_id} does not exist") from problem
        except (FlowNotFound, WorkflowClosed) as problem:
            raise _aborted(f"Error: {problem}") from problem
    click.echo(f"Workflow {told} {done}")


def _periodic(found: Flow) -> str:
    said = found.raw.get("periodic") or {}
    return str(next((said[key] for key in ("interval", "crontab", "schedule") if key in said), _NONE))


def _tasks(found: Flow) -> Iterator[str]:
    for node in found.tasks:
        yield from _node(node, "")
    if found.hooks.failure:
        yield f"Failure hook: {found.hooks.failure}"
    if found.hooks.success:
        yield f"Success hook: {found.hooks.success}"


def _node(node: Node, indent: str) -> Iterator[str]:
    match node:
        case Group(name, members):
            yield f"{indent}Group {name}:"
        case Chain(name, members):
            yield f"{indent}Chain {name}:"
        case _:
            yield f"{indent}{node.name}"
            return
    for member in members:
        yield from _node(member, f" └ {indent}")


def _bordered(rows: Sequence[Sequence[str]], centred: int | None = None) -> str:
    """A table with borders between all rows; cells may have several lines."""
    cells = [[[printable(line) for line in cell.split("\n")] for cell in row] for row in rows]
    widths = [max(len(line) for row in cells for line in row[column]) for column in range(len(rows[0]))]
    border = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    lines = [border]
    for row in cells:
        for height in range(max(map(len, row))):
            shown = [cell[height] if height < len(cell) else "" for cell in row]
            aligned = [
                text.center(width) if column == centred and row is not cells[0] else text.ljust(width)
                for column, (text, width) in enumerate(zip(shown, widths, strict=True))
            ]
            lines.append("| " + " | ".join(aligned) + " |")
        lines.append(border)
    return "\n".join(lines)
