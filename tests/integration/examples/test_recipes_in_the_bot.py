"""The recipes as modules of the bot: begun and signalled on the command line and over HTTP, run by its worker."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from bot.cli import main
from bot.demo.bot_process import BotProcess
from bot.demo.waiting import eventually
from bot.programs import load
from durable.postgres import Database
from tests.conftest import StartBot
from tests.support.documents import ROOT
from tests.support.scripted_server import Answer, ScriptedServer

TOKEN = "the-token-of-an-admin"
FOLDER = ROOT / "docs" / "examples"
RECIPES = ",".join(str(FOLDER / f"{name}.py") for name in ("hello_cities", "monitor", "approval", "aggregator"))
FIVE_CITIES = ("Tokyo", "Seattle", "London", "Paris", "Berlin")


@pytest.fixture
def bot(start_bot: StartBot) -> BotProcess:
    return start_bot(VIGIL_MODULES=RECIPES, VIGIL_API_TOKEN=TOKEN)


@pytest.fixture
def shell(database_url: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs `python -m bot workflow …` in this process, and returns what it prints."""
    environment = {"DATABASE_URL": database_url, "VIGIL_MODULES": RECIPES, "PATH": os.environ["PATH"]}

    def run(*words: str) -> str:
        code = main(["workflow", *words], environment, Path("/nowhere/.env"))
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return run


@pytest.mark.parametrize(
    "path", sorted(set(FOLDER.glob("*.py")) - {FOLDER / "__init__.py"}), ids=lambda path: path.stem
)
def test_every_example_can_be_a_module_of_the_bot(path: Path) -> None:
    assert load((str(path),), ROOT / "config" / "flows").workflows


def test_hello_cities_say_from_the_command_line_exactly_what_they_are_known_for(
    bot: BotProcess, shell: Callable[..., str]
) -> None:
    assert json.loads(shell("run", "chaining_orchestration", "--wait")) == [
        f"Hello {city}!" for city in FIVE_CITIES[:3]
    ]
    assert json.loads(shell("run", "fan_out_fan_in_orchestration", "--wait")) == [
        f"Hello {city}!" for city in FIVE_CITIES
    ]


def test_a_monitor_is_run_from_the_command_line(bot: BotProcess, shell: Callable[..., str]) -> None:
    with ScriptedServer(lambda _: Answer({"status": "completed", "conclusion": "success"})) as build:
        assert json.loads(shell("run", "monitor", json.dumps(build.url), "--wait")) == "success"


def test_an_approval_is_asked_for_and_given_on_the_command_line(bot: BotProcess, shell: Callable[..., str]) -> None:
    with ScriptedServer(lambda _: Answer()) as ada:
        shell("run", "approval", json.dumps({"what": "Pay 300 EUR?", "ask": [ada.url]}), "--id", "bill:7")
        shell("signal", "bill:7", "approve", '"Ada"', "--key", "click-1")
        eventually(lambda: "approve by Ada" in shell("show", "bill:7", "--json"))
        assert [request.method for request in ada.requests] == ["POST"]


def test_an_aggregator_is_fed_over_http(bot: BotProcess, database: Database) -> None:
    base = f"{bot.url}/runtime/webhooks/durabletask"
    with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        assert http.post(f"{base}/orchestrators/aggregate/aggregate:roof", json="roof").status_code == 202
        for number in range(1, 101):
            sent = http.post(f"{base}/instances/aggregate:roof/raiseEvent/reading", json=number)
            assert sent.status_code == 202

    def sums() -> list[tuple[str, int, float]]:
        with database.reading() as connection:
            found = connection.execute(text("SELECT sensor, readings, CAST(sum AS float) FROM sums"))
            return [(row[0], row[1], row[2]) for row in found]

    assert eventually(sums, within=20, ignoring=(ProgrammingError,)) == [("roof", 100, 5050.0)]
