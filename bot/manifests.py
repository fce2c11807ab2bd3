"""The app manifests of `config/`, with the operator's address filled in."""

from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import yaml

System = Literal["slack", "github"]
PLACEHOLDER = "https://vigil.example.com"
_SIGN_IN = "#:"
_FOLDER = Path(__file__).parents[1] / "config"


def manifest(system: System, address: str = PLACEHOLDER, *, sign_in: bool = False) -> str:
    """The manifest as YAML, comments included. `address` is the bot's public address; with `sign_in` people may sign in to
    the dashboard by their account."""
    text = (_FOLDER / f"{system}_manifest.yml").read_text(encoding="utf-8")
    lines = [line.removeprefix(_SIGN_IN) for line in text.splitlines() if sign_in or not line.startswith(_SIGN_IN)]
    return "\n".join(lines).replace(PLACEHOLDER, address.rstrip("/")) + "\n"


def slack_scopes() -> frozenset[str]:
    """The bot scopes that Vigil asks for."""
    return frozenset(_read("slack")["oauth_config"]["scopes"]["bot"])


def github_creation_address(address: str, *, sign_in: bool = False) -> str:
    """The page at GitHub that creates the App with everything filled in, since GitHub has no place to paste YAML.

    Parameters: https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-using-url-parameters.
    """
    app = yaml.safe_load(manifest("github", address, sign_in=sign_in))
    fields = [
        ("name", app["name"]),
        ("description", app["description"]),
        ("url", app["url"]),
        ("public", str(app["public"]).lower()),
        ("webhook_url", app["hook_attributes"]["url"]),
        ("webhook_active", "true"),
        *((f"{name}", level) for name, level in app["default_permissions"].items() if name != "metadata"),
        *(("callback_urls[]", url) for url in app.get("callback_urls", ())),
        *(("events[]", event) for event in app["default_events"]),
    ]
    return "https://github.com/settings/apps/new?" + urlencode(fields)


def _read(system: System) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(manifest(system))
    return content
