"""`manifest`: ready-made manifests of the Slack app and the GitHub App."""

import re

import click

from bot.cli import BadSettings, Surroundings, examples
from bot.manifests import PLACEHOLDER, github_creation_address, manifest
from config.settings import SettingsError, load_public_url

_URL = click.option("--url", help=f"The bot's public address. VIGIL_PUBLIC_URL by default, else {PLACEHOLDER}.")
_SIGN_IN = click.option(
    "--sign-in/--no-sign-in",
    default=None,
    help="Whether people sign in to the dashboard by their account; so by default where VIGIL_PUBLIC_URL is set.",
)


@click.group("manifest", epilog=examples("python -m bot manifest slack --url https://bot.acme.com"))
def manifests() -> None:
    """Print the manifest of the Slack app or the GitHub App, with the least scopes and why each is needed."""


@manifests.command(epilog=examples("python -m bot manifest slack --url https://bot.acme.com"))
@_URL
@_SIGN_IN
@click.pass_obj
def slack(surroundings: Surroundings, url: str | None, *, sign_in: bool | None) -> None:
    """Print the Slack app's manifest; paste it at https://api.slack.com/apps, Create New App, From a manifest."""
    address, wanted = _asked(surroundings, url, sign_in)
    click.echo(manifest("slack", address, sign_in=wanted))


@manifests.command(epilog=examples("python -m bot manifest github --url https://bot.acme.com"))
@_URL
@_SIGN_IN
@click.pass_obj
def github(surroundings: Surroundings, url: str | None, *, sign_in: bool | None) -> None:
    """Print the GitHub App's manifest, and the address at GitHub that creates it."""
    address, wanted = _asked(surroundings, url, sign_in)
    click.echo(manifest("github", address, sign_in=wanted))
    created_at = github_creation_address(address, sign_in=wanted)
    click.echo(f"# Create it, then set a webhook secret there:\n# {created_at}")


COMMANDS = {"manifest": manifests}


def _asked(surroundings: Surroundings, url: str | None, sign_in: bool | None) -> tuple[str, bool]:
    """The address, and whether people sign in there."""
    try:
        public = load_public_url(surroundings.environ, surroundings.dotenv)
    except SettingsError as problem:
        raise BadSettings(str(problem)) from problem
    return _checked(url or public or PLACEHOLDER), public is not None if sign_in is None else sign_in


def _checked(url: str) -> str:
    if not re.fullmatch(r"https?://[\w.:\[\]-]+(/[\w./-]*)?", url):
        raise BadSettings(f"--url: {url!r} is not an address; allowed: https://host, without query or spaces")
    return url
