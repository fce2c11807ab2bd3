"""The 329 real deliveries that `@octokit/webhooks-examples` recorded, as npm installed them beside the stand-ins."""

import json
from functools import cache
from typing import Any

from bot.demo.standins import ensure_installed

EXPECTED_COUNT = 329


@cache
def recorded_deliveries() -> list[tuple[str, dict[str, Any]]]:
    """Every recorded payload with the name of its event, e.g. `("pull_request", {"action": "opened", …})`."""
    folder = ensure_installed() / "@octokit" / "webhooks-examples" / "api.github.com"
    index = json.loads((folder / "index.json").read_text())
    return [(event["name"], payload) for event in index for payload in event["examples"]]
