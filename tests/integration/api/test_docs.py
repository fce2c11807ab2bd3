"""The curl lines of the documentation, run as they stand, in their order, against a running bot."""

import json
import subprocess
from pathlib import Path
from typing import Any

from bot.demo.waiting import eventually
from tests.conftest import StartBot
from tests.support.director import make_test_folder
from tests.support.documents import ROOT, Document

HTTP = Document(ROOT / "docs" / "http.md")
TOKEN = "the-token-of-an-admin"
GREETINGS = ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]


def test_every_curl_line_of_the_documentation_does_what_it_says(start_bot: StartBot, tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    bot = start_bot(
        VIGIL_API_TOKEN=TOKEN,
        VIGIL_MODULES=str(ROOT / "docs" / "examples" / "hello_cities.py"),
        VIGIL_FLOWS=str(make_test_folder(tmp_path / "flows")),
    )

    def run(line: str) -> Any:
        environment = {"BOT": bot.url, "TOKEN": TOKEN, "PATH": "/usr/local/bin:/usr/bin:/bin"}
        done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    lines = [line for block in HTTP.blocks("bash") for line in block.splitlines()]
    begin, look, wait, listed, forget, ping, definitions, create, runs = lines
    assert run(begin)["id"] == "hello"
    assert eventually(lambda: (run(look)["output"] == GREETINGS) and run(look))["runtimeStatus"] == "Completed"
    assert run(wait)[-1] == "Hello Berlin!"
    assert {"hello"} <= {item["instanceId"] for item in run(listed)}
    assert run(forget) == {"instancesDeleted": 1}
    assert run(ping) == {"message": "pong"}
    assert "example.WORKFLOW" in {flow["fullname"] for flow in run(definitions)}
    created = run(create)
    assert created["status"] == "pending"
    assert [item["id"] for item in run(runs)] == [created["id"]]
    assert eventually(lambda: run(runs)[0]["status"] == "success")
    assert TOKEN not in bot.log_text
