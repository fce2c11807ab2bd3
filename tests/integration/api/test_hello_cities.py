"""The quickstart of Durable Functions, by its curl lines, against a running bot."""

import json
import subprocess
from typing import Any

import pytest

from bot.demo.bot_process import BotProcess
from bot.demo.waiting import eventually
from tests.conftest import StartBot
from tests.support.documents import ROOT

TOKEN = "the-token-of-an-admin"


def curl(*arguments: str) -> tuple[int, dict[str, str], Any]:
    """The status, the headers in lower case and the JSON that curl got."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--include", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    head, _, body = done.stdout.partition("\n\n")
    first, *lines = head.splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, json.loads(body) if body.strip() else None


@pytest.fixture
def bot(start_bot: StartBot) -> BotProcess:
    module = str(ROOT / "docs" / "examples" / "hello_cities.py")
    return start_bot(VIGIL_MODULES=module, VIGIL_API_TOKEN=TOKEN)


def test_the_quickstart_prints_what_it_prints(bot: BotProcess) -> None:
    outputs = {
        "chaining_orchestration": ["Hello Tokyo!", "Hello Seattle!", "Hello London!"],
        "fan_out_fan_in_orchestration": [
            f"Hello {city}!" for city in ("Tokyo", "Seattle", "London", "Paris", "Berlin")
        ],
    }
    for name, output in outputs.items():
        address = f"{bot.url}/runtime/webhooks/durabletask/orchestrators/{name}?code={TOKEN}"
        status, headers, uris = curl("-X", "POST", address, "-H", "Content-Length: 0")
        assert (status, headers["location"], headers["retry-after"]) == (202, uris["statusQueryGetUri"], "10")

        def ended(uri: str = uris["statusQueryGetUri"]) -> dict[str, Any]:
            status, headers, shown = curl(uri)
            assert status == 200, (status, headers, shown)
            return dict(shown)

        shown = eventually(ended)
        assert (shown["name"], shown["runtimeStatus"], shown["output"]) == (name, "Completed", output)
        assert (shown["instanceId"], shown["input"]) == (uris["id"], None)
    assert TOKEN not in bot.log_text
