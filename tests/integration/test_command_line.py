"""The command line as operators meet it: exit codes, one clear line per problem, and never a traceback or a secret.

Each command is a process of its own. Most are forked; `python -m bot`, which takes a second to import what it needs, is
started where its start or its size is what is looked at, and once for each group of commands.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from sqlalchemy import text

from bot.cli import main
from bot.demo.bot_process import BotProcess
from bot.demo.ports import free_port
from bot.manifests import slack_scopes
from bot.postgres_place import LOCATION_FILE
from durable import receive, workflow
from durable.client import Client
from durable.postgres import Database
from tests.support.forked_bot import ForkedBotProcess, run_forked

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "GITHUB_WEBHOOK_SECRET": "webhook-s3cret",
    "GITHUB_TOKEN": "ghp_t0ken",
    "SLACK_BOT_TOKEN": "xoxb-t0ken",
    "SLACK_SIGNING_SECRET": "signing-s3cret",
    "GITHUB_API_URL": "http://127.0.0.1:1",
    "SLACK_API_URL": "http://127.0.0.1:1/api/",
    "VIGIL_CONFIG": str(ROOT / "config" / "vigil.yml"),
}


def vigil(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `python -m bot …` is, forked, in the checkout with this environment alone."""
    return run_forked(arguments, _alone(environment), ROOT, within=60)


def started(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m bot …` in the checkout with this environment alone."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=ROOT,
        env=_alone(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _alone(environment: dict[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "VIGIL_HOME": "/nowhere", **environment}


@workflow
def wait_for_ever(word: str) -> str:
    receive()
    return word


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A VIGIL_HOME that does not exist yet. What lies elsewhere for it, when the tests run as root, is removed."""
    home = tmp_path / "home"
    yield home
    location = home / LOCATION_FILE
    if location.exists():
        shutil.rmtree(location.read_text().strip())


@pytest.fixture
def home_bot(home: Path, tmp_path: Path) -> Iterator[BotProcess]:
    """A bot on its embedded PostgreSQL, as operators start it."""
    yield from _at_home(BotProcess, home, tmp_path)


@pytest.fixture
def forked_home_bot(home: Path, tmp_path: Path) -> Iterator[BotProcess]:
    """The same, forked."""
    yield from _at_home(ForkedBotProcess, home, tmp_path)


def _at_home(kind: type[BotProcess], home: Path, folder: Path) -> Iterator[BotProcess]:
    bot = kind("serve", {**SETTINGS, "PORT": str(free_port()), "VIGIL_HOME": str(home)}, folder)
    bot.start()
    yield bot
    bot.stop()
    print(bot.log_text[-5000:])  # noqa: T201 - shown by pytest when the test failed


def test_without_settings_each_missing_one_is_a_line_and_the_exit_code_is_2() -> None:
    ended = started("serve")

    assert ended.returncode == 2
    named = {line.split(":")[0] for line in ended.stderr.splitlines()}
    assert named == {"GITHUB_TOKEN", "GITHUB_WEBHOOK_SECRET", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"}


@pytest.mark.parametrize(
    ("environment", "start"),
    [
        ({"PORT": "http"}, "PORT: 'http' is not a port"),
        ({"GITHUB_WEBHOOK_SECRET": ""}, "GITHUB_WEBHOOK_SECRET: empty"),
        ({"VIGIL_CONFIG": "missing.yml"}, "missing.yml: cannot be read"),
        ({"HOST": "256.1.1.1"}, "HOST, PORT: cannot listen on 256.1.1.1:8000"),
        (
            {"VIGIL_WORKING_HOURS": "mon-fri 09:00-18:00"},
            "VIGIL_WORKING_HOURS: 'mon-fri 09:00-18:00': working hours other",
        ),
        ({"SLACK_BOT_TOKEN": "xoxb-ä"}, "SLACK_BOT_TOKEN should be printable ASCII"),
    ],
)
def test_a_bad_setting_is_one_line_and_exit_code_2(environment: dict[str, str], start: str) -> None:
    ended = vigil("serve", **{**SETTINGS, **environment})

    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert line.startswith(start)


def test_a_port_that_is_taken_is_told_before_anything_begins(forked_home_bot: BotProcess, tmp_path: Path) -> None:
    forked_home_bot.wait_until_ready()
    port = forked_home_bot.url.rpartition(":")[2]
    ended = vigil("serve", "--port", port, **SETTINGS, VIGIL_HOME=str(tmp_path / "other"))

    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert not (tmp_path / "other").exists()


def test_a_database_that_is_away_is_one_line_without_its_password() -> None:
    ended = started("worker", **SETTINGS, DATABASE_URL="postgres://vigil:hunter2@127.0.0.1:1/vigil")

    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith("DATABASE_URL: postgresql+psycopg2://vigil:***@127.0.0.1:1/vigil does not answer")


def test_a_given_database_is_upgraded_by_command_alone_and_twice_is_harmless(empty_database_url: str) -> None:
    refused = vigil("serve", **SETTINGS, DATABASE_URL=empty_database_url)
    behind = vigil("db", "current", DATABASE_URL=empty_database_url)
    first = started("db", "upgrade", DATABASE_URL=empty_database_url)
    second = vigil("db", "upgrade", DATABASE_URL=empty_database_url)
    current = vigil("db", "current", DATABASE_URL=empty_database_url)

    assert (refused.returncode, behind.returncode) == (1, 1)
    assert "python -m bot db upgrade" in refused.stderr
    assert "python -m bot db upgrade" in behind.stderr
    assert (first.returncode, second.returncode, current.returncode) == (0, 0, 0)
    assert second.stdout == "the schema is current\n"


def test_a_database_of_a_newer_release_is_refused_by_all(database: Database, database_url: str) -> None:
    with database.transaction("test") as connection:
        connection.execute(text("UPDATE vigil.schema_version SET version_num = '9999'"))

    for arguments in (["serve", "--port", "0"], ["worker"], ["db", "upgrade"], ["workflow", "list"]):
        ended = vigil(*arguments, **SETTINGS, DATABASE_URL=database_url)
        assert ended.returncode == 1
        assert "9999" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_workflows_are_listed_shown_and_terminated(database: Database, database_url: str) -> None:
    Client(database).start(wait_for_ever, "x", workflow_id="pr:github.com:acme:api:42")
    Client(database).start(wait_for_ever, "y", workflow_id="other")

    def answer(*arguments: str) -> Any:
        ended = vigil("workflow", *arguments, "--json", DATABASE_URL=database_url)
        assert (ended.returncode, ended.stderr) == (0, "")
        return json.loads(ended.stdout)

    assert [listed["workflow_id"] for listed in answer("list")] == ["other", "pr:github.com:acme:api:42"]
    assert [listed["name"] for listed in answer("list", "--prefix", "pr:")] == ["wait_for_ever"]
    assert answer("list", "--state", "failed") == []
    assert answer("show", "other")["state"] == "ready"
    for arguments in (("list",), ("show", "other")):
        readable = vigil("workflow", *arguments, DATABASE_URL=database_url)
        assert readable.returncode == 0
        assert "other" in readable.stdout
    assert vigil("workflow", "terminate", "other", "--reason", "enough", DATABASE_URL=database_url).returncode == 0
    assert answer("show", "other")["state"] == "terminated"
    again = started("workflow", "terminate", "other", "--reason", "enough", DATABASE_URL=database_url)
    unknown = vigil("workflow", "show", "nobody", DATABASE_URL=database_url)
    assert (again.returncode, unknown.returncode) == (1, 1)
    assert "nobody" in unknown.stderr


def test_commands_attach_to_the_database_of_a_running_bot_and_leave_it_running(
    forked_home_bot: BotProcess, home: Path
) -> None:
    forked_home_bot.wait_until_ready()
    listed = vigil("workflow", "list", "--json", VIGIL_HOME=str(home))

    assert (listed.returncode, listed.stdout) == (0, "[]\n")
    forked_home_bot.wait_until_ready()


def test_a_stop_is_clean_and_quick_and_takes_the_embedded_database_along(home_bot: BotProcess, home: Path) -> None:
    home_bot.wait_until_ready()
    [server] = [line["pid"] for line in home_bot.logs() if line["event"] == "postgres.started"]

    assert home_bot.terminate(within=5) == 0
    assert not psutil.pid_exists(server)
    assert home_bot.logs()[-1]["event"] == "bot.stopped"
    listed = vigil("workflow", "list", VIGIL_HOME=str(home))  # starts it for this command
    assert (listed.returncode, listed.stdout) == (0, "no workflows\n")


def test_a_killed_bot_finds_its_database_again(home_bot: BotProcess) -> None:
    home_bot.wait_until_ready()
    home_bot.kill_and_return()

    assert [line["event"] for line in home_bot.logs() if line["event"].startswith("postgres.")] == [
        "postgres.started",
        "postgres.adopted",
    ]


def test_an_idle_bot_is_small(home_bot: BotProcess) -> None:
    home_bot.wait_until_ready()

    assert psutil.Process(home_bot.pid).memory_info().rss < 150 * 1024 * 1024


def test_no_secret_and_no_plain_line_stands_in_the_log(forked_home_bot: BotProcess) -> None:
    forked_home_bot.wait_until_ready()
    forked_home_bot.terminate()

    lines = forked_home_bot.log_text.splitlines()
    assert len(forked_home_bot.logs()) == len(lines)
    for secret in ("webhook-s3cret", "ghp_t0ken", "xoxb-t0ken", "signing-s3cret"):
        assert secret not in forked_home_bot.log_text


def test_the_doctor_names_each_fault_with_its_remedy_and_no_secret(database_url: str) -> None:
    ended = started("doctor", **SETTINGS, DATABASE_URL=database_url)

    faults = [line for line in ended.stdout.splitlines() if line.startswith("FAULT")]
    assert ended.returncode == 1
    assert {line.split(":")[0] for line in faults} == {"FAULT github token", "FAULT slack token", "FAULT workers"}
    assert all(" -> " in line for line in faults)
    assert "t0ken" not in ended.stdout


def test_the_doctor_takes_bad_settings_as_its_first_findings() -> None:
    ended = vigil("doctor", "--json", PORT="x")

    assert ended.returncode == 1
    assert "PORT: 'x' is not a port; allowed: 0 to 65535" in [finding["seen"] for finding in json.loads(ended.stdout)]


def test_the_doctor_creates_no_database(home: Path) -> None:
    vigil("doctor", **SETTINGS, VIGIL_HOME=str(home))

    assert not home.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["serve"],
        ["web"],
        ["worker"],
        ["db"],
        ["db", "upgrade"],
        ["db", "current"],
        ["workflow"],
        ["workflow", "list"],
        ["workflow", "show"],
        ["workflow", "terminate"],
        ["workflow", "resume"],
        ["workflow", "export"],
        ["replay"],
        ["doctor"],
        ["manifest"],
        ["manifest", "slack"],
        ["manifest", "github"],
    ],
)
def test_every_command_has_help_with_an_example(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--help"], {}, Path("/nowhere")) == 0
    assert "Examples:" in capsys.readouterr().out


def test_a_paused_workflow_is_resumed_and_one_that_is_not_is_told_so(database: Database, database_url: str) -> None:
    client = Client(database)
    for name in ("stuck", "fine"):
        client.start(wait_for_ever, "x", workflow_id=name)
    with database.transaction("test") as connection:
        connection.execute(text("UPDATE durable.workflows SET state = 'paused' WHERE workflow_id = 'stuck'"))
    resumed = vigil("workflow", "resume", "stuck", DATABASE_URL=database_url)
    refused = vigil("workflow", "resume", "fine", DATABASE_URL=database_url)

    assert (resumed.returncode, resumed.stdout, client.describe("stuck").state) == (0, "stuck goes on\n", "ready")
    assert (refused.returncode, refused.stderr) == (1, "workflow fine is ready: resume takes one that is paused\n")


def test_manifests_are_ready_to_paste() -> None:
    slack = yaml.safe_load(vigil("manifest", "slack", "--url", "https://bot.acme.com/").stdout)
    github = started("manifest", "github", "--url", "https://bot.acme.com").stdout

    assert slack["features"]["slash_commands"][0]["url"] == "https://bot.acme.com/slack/events"
    assert yaml.safe_load(github)["hook_attributes"]["url"] == "https://bot.acme.com/github/webhook"
    assert "https://github.com/settings/apps/new?name=Vigil" in github
    assert vigil("manifest", "slack", "--url", "https://x y").returncode == 2


def test_manifests_let_people_sign_in_where_the_public_address_is_set() -> None:
    slack = yaml.safe_load(vigil("manifest", "slack", VIGIL_PUBLIC_URL="https://bot.acme.com").stdout)
    github = vigil("manifest", "github", VIGIL_PUBLIC_URL="https://bot.acme.com").stdout

    assert slack["oauth_config"]["redirect_urls"] == ["https://bot.acme.com/sign-in/slack/done"]
    assert slack["oauth_config"]["scopes"]["user"] == ["openid", "profile"]
    assert yaml.safe_load(github)["callback_urls"] == ["https://bot.acme.com/sign-in/github/done"]
    assert "callback_urls%5B%5D=https%3A%2F%2Fbot.acme.com%2Fsign-in%2Fgithub%2Fdone" in github
    without = yaml.safe_load(vigil("manifest", "slack", "--no-sign-in", VIGIL_PUBLIC_URL="https://bot.acme.com").stdout)
    assert "redirect_urls" not in without["oauth_config"]
    assert "user" not in without["oauth_config"]["scopes"]
    assert "callback_urls" not in vigil("manifest", "github").stdout


def test_every_scope_says_why_it_is_needed() -> None:
    manifest = (ROOT / "config" / "slack_manifest.yml").read_text()

    assert len(slack_scopes()) == len(re.findall(r"^ +- [a-z:.]+ # \w", manifest, re.MULTILINE))


def test_the_procfile_is_the_contracts() -> None:
    assert (ROOT / "Procfile").read_text() == (
        "release: python -m bot db upgrade\nweb: python -m bot web --host 0.0.0.0\nworker: python -m bot worker\n"
    )


def test_the_example_names_every_setting() -> None:
    example = (ROOT / ".env.example").read_text()
    source = (ROOT / "config" / "settings.py").read_text()

    named = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)*)"', source)) - {"VIGIL_DEMO"}
    assert len(named) > 15
    assert {name for name in named if not re.search(rf"^#?{name}=", example, re.MULTILINE)} == set()
