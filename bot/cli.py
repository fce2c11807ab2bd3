"""The command line: which commands there are, and how each failure ends. The commands load when they are used."""

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

_COMMANDS = {
    "serve": "bot.cli_serve",
    "web": "bot.cli_serve",
    "worker": "bot.cli_serve",
    "db": "bot.cli_database",
    "workflow": "bot.cli_workflow",
    "flow": "bot.cli_flow",
    "schedule": "bot.cli_schedule",
    "queue": "bot.cli_queue",
    "status": "bot.cli_status",
    "replay": "bot.cli_replay",
    "doctor": "bot.cli_doctor",
    "manifest": "bot.cli_manifest",
    "completion": "bot.cli_completion",
}


COMPLETE_VARIABLE = "_VIGIL_COMPLETE"


class CommandFailed(click.ClickException):
    """A command could not do its work: its text goes to standard error as it is."""

    exit_code = 1

    def show(self, file: object = None) -> None:
        """Print the text alone."""
        del file
        click.echo(self.format_message(), err=True)


class BadSettings(CommandFailed):
    """Settings, policy or address cannot be used."""

    exit_code = 2


def examples(*lines: str) -> str:
    """The end of a command's help: each example on a line of its own."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@dataclass(frozen=True)
class Surroundings:
    """What a command may know of where it runs: the environment and the place of `.env`."""

    environ: Mapping[str, str]
    dotenv: Path


class _Commands(click.Group):
    """Loads the module of a command when it is asked for, so that each process holds only what it needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, from its module's `COMMANDS`."""
        del ctx
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = importlib.import_module(module).COMMANDS[cmd_name]
        return command


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=examples("python -m bot serve", "python -m bot doctor", "python -m bot workflow list --help"),
)
def vigil() -> None:
    """Vigil keeps watch over GitHub pull requests. Settings come from the environment and .env; see .env.example."""


def main(arguments: Sequence[str], environ: Mapping[str, str], dotenv: Path) -> int:
    """Run one command; returns the exit code: 0, 1 for a failure, 2 for bad settings or arguments."""
    try:
        code = vigil.main(
            list(arguments),
            prog_name="python -m bot",
            complete_var=COMPLETE_VARIABLE,
            standalone_mode=False,
            obj=Surroundings(environ, dotenv),
        )
    except click.ClickException as problem:
        problem.show()
        return problem.exit_code
    except click.Abort:
        return 130
    except BrokenPipeError:  # `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0
