"""Questions that commands ask before they do much at once, or what cannot be undone."""

import sys

import click

YES = click.option("--yes", is_flag=True, help="Do not ask, also on a terminal.")


def confirm(question: str, *, yes: bool) -> None:
    """Ask whoever is there to answer; a script is taken at its word. Raises `click.Abort` for a no."""
    if not yes and sys.stdin.isatty():
        click.confirm(question, abort=True, err=True)
