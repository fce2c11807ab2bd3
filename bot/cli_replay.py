"""`replay`: whether this release's code fits histories that were exported, before it is deployed."""

from pathlib import Path

import click

from bot.cli import CommandFailed, examples
from durable.errors import Undecodable
from durable.export import replay_exported, workflow_of
from durable.replay import Divergence
from handlers.watch import watch_pull_request

_WORKFLOWS = {workflow.name: workflow for workflow in (watch_pull_request,)}


@click.command(epilog=examples("python -m bot replay tests/data/histories/0.1/watch-watching.json"))
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
def replay(files: tuple[Path, ...]) -> None:
    """Replay histories that `workflow export` wrote against this release's code. Touches no database and calls nothing;
    exit code 1 when one does not fit, with what the history has and what the code asks for."""
    unfit = 0
    for file in files:
        problem = _problem(file)
        click.echo(f"{file}: {'fits' if problem is None else problem}", err=problem is not None)
        unfit += problem is not None
    if unfit:
        raise CommandFailed(f"{unfit} of {len(files)} histories do not fit this release")


COMMANDS = {"replay": replay}


def _problem(file: Path) -> str | None:
    """What is wrong with one file, or None."""
    try:
        exported = file.read_text(encoding="utf-8")
        name = workflow_of(exported)
        if name not in _WORKFLOWS:
            return f"this release knows no workflow {name!r}"
        outcome = replay_exported(exported, _WORKFLOWS[name])
    except (OSError, UnicodeDecodeError, Undecodable) as error:
        return str(error)
    return outcome.message if isinstance(outcome, Divergence) else None
