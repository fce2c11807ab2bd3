"""`replay`: whether this release's code fits histories that were exported, before it is deployed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from bot.cli import CommandFailed, Surroundings, examples
from bot.cli_opened import programs_of
from durable.definitions import Workflow
from durable.errors import Undecodable
from durable.export import replay_exported, workflow_of
from durable.replay import Divergence
from handlers.watch import watch_pull_request


@click.command(epilog=examples("python -m bot replay tests/data/histories/0.1/watch-watching.json"))
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.pass_obj
def replay(surroundings: Surroundings, files: tuple[Path, ...]) -> None:
    """Replay histories that `workflow export` wrote against this release's code: the bot's, and that of VIGIL_MODULES and
    VIGIL_FLOWS. Touches no database and calls nothing; exit code 1 when one does not fit, with what the history has and
    what the code asks for."""
    programs = programs_of(surroundings)
    known = (watch_pull_request, *programs.workflows.values(), *programs.flows.workflows())
    unfit = 0
    for file in files:
        problem = _problem(file, {workflow.name: workflow for workflow in known})
        click.echo(f"{file}: {'fits' if problem is None else problem}", err=problem is not None)
        unfit += problem is not None
    if unfit:
        raise CommandFailed(f"{unfit} of {len(files)} histories do not fit this release")


COMMANDS = {"replay": replay}


def _problem(file: Path, known: Mapping[str, Workflow[..., Any]]) -> str | None:
    """What is wrong with one file, or None."""
    try:
        exported = file.read_text(encoding="utf-8")
        name = workflow_of(exported)
        if name not in known:
            return f"this release knows no workflow {name!r}"
        outcome = replay_exported(exported, known[name])
    except (OSError, UnicodeDecodeError, Undecodable) as error:
        return str(error)
    return outcome.message if isinstance(outcome, Divergence) else None
