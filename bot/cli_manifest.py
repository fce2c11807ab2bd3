"""`manifest`: ready-made manifests of the Slack app and the GitHub App."""

import re

import click

from bot.cli import BadSettings, examples
from bot.manifests import PLACEHOLDER, github_creation_address, manifest

_URL = click.option("--url", default=PLACEHOLDER, show_default=True, help="The bot's public address.")


@click.group("manifest", epilog=examples("python -m bot manifest slack --url https://bot.acme.com"))
def manifests() -> None:
    """Print the manifest of the Slack app or the GitHub App, with the least scopes and why each is needed."""


@manifests.command(epilog=examples("python -m bot manifest slack --url https://bot.acme.com"))
@_URL
def slack(url: str) -> None:
    """Print the Slack app's manifest; paste it at https://api.slack.com/apps, Create New App, From a manifest."""
    click.echo(manifest("slack", _checked(url)))


@manifests.command(epilog=examples("python -m bot manifest github --url https://bot.acme.com"))
@_URL
def github(url: str) -> None:
    """Print the GitHub App's manifest, and the address at GitHub that creates it."""
    click.echo(manifest("github", _checked(url)))
    click.echo(f"# Create it, then set a webhook secret there:\n# {github_creation_address(url)}")


COMMANDS = {"manifest": manifests}


def _checked(url: str) -> str:
    if not re.fullmatch(r"https?://[\w.:\[\]-]+(/[\w./-]*)?", url):
        raise BadSettings(f"--url: {url!r} is not an address; allowed: https://host, without query or spaces")
    return url
