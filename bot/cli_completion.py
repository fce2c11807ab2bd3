"""`completion`: what a shell needs in order to complete our commands. It is click's own, told what we are called."""

import click
from click.shell_completion import get_completion_class

from bot.cli import COMPLETE_VARIABLE, examples

_NAME = "vigil"
_CALLED = "python -m bot"
# Where each of click's scripts calls the program: they expect one that is found by its name.
_CALLS = {"bash": ("=bash_complete $1)", f"=bash_complete {_CALLED})"), "fish": (f" {_NAME})", f" {_CALLED})")}
_CALLS["zsh"] = (f"=zsh_complete {_NAME})", f"=zsh_complete {_CALLED})")
_ZSH_LOOKS = f"    (( ! $+commands[{_NAME}] )) && return 1\n"


@click.command(
    epilog=examples(
        "alias vigil='python -m bot'; eval \"$(python -m bot completion bash)\"",
        "python -m bot completion fish > ~/.config/fish/completions/vigil.fish",
    )
)
@click.argument("shell", type=click.Choice(tuple(_CALLS)))
def completion(shell: str) -> None:
    """Print what completes the commands in a shell, where `vigil` is an alias of `python -m bot`."""
    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"click knows no completion for {shell}")
    root = click.get_current_context().find_root().command
    script = made(root, {}, _NAME, COMPLETE_VARIABLE).source()
    click.echo(script.replace(*_CALLS[shell]).replace(_ZSH_LOOKS, ""))


COMMANDS = {"completion": completion}
