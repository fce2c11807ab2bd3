"""Every command that looks at workflows or steers them, run as an operator runs it, on PostgreSQL."""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.cli import main
from durable import activity, receive, sleep, workflow
from durable.client import Client
from durable.flows import load
from durable.operator import Operator
from durable.postgres import Database
from durable.testing import InlineWorker

MODULE = """
from durable import activity, receive, workflow

@activity
def greet(name):
    return f"Hello {name}!"

@workflow
def welcome(name):
    return greet(name)

@workflow
def patient():
    signal = receive("go")
    return signal.payload
"""
MISSING = {"tea": True}


@activity(non_retryable=(LookupError,))
def take(article: str) -> str:
    if MISSING[article]:
        raise LookupError(f"no {article}")
    return article


@workflow
def serve() -> str:
    return take("tea")


@workflow
def asleep() -> None:
    sleep(3600)


@workflow
def listening() -> Any:
    received = receive("go")
    return received and received.payload


class Shell:
    """Runs `python -m bot` in this process."""

    def __init__(self, url: str, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture
        (folder / "module.py").write_text(MODULE)
        self.flows = folder / "flows"
        self.environment = {
            "DATABASE_URL": url,
            "VIGIL_MODULES": str(folder / "module.py"),
            "VIGIL_FLOWS": str(self.flows),
            "PATH": os.environ["PATH"],
        }

    def __call__(self, line: str, *more: str) -> tuple[int, str, str]:
        code = main([*line.split(), *more], self.environment, Path("/nowhere/.env"))
        out, err = self.capture.readouterr()
        return code, out, err

    def done(self, line: str, *more: str) -> str:
        code, out, err = self(line, *more)
        assert code == 0, (out, err)
        return out.strip()

    def refused(self, line: str, *more: str) -> str:
        code, out, err = self(line, *more)
        assert code == 1, (code, out, err)
        return err.strip()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def shell(database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    shell = Shell(database_url, tmp_path, capsys)
    shell.done("flow init", str(shell.flows))
    return shell


@pytest.fixture
def run(database: Database) -> Iterator[Callable[[], int]]:
    worker = InlineWorker(database, workflows=[serve, asleep, listening])
    yield worker.run_until_idle
    worker.close()


def test_one_workflow_through_all_that_may_be_done_to_it(
    shell: Shell, database: Database, run: Callable[[], int]
) -> None:
    client = Client(database)
    MISSING["tea"] = True
    client.start(serve, workflow_id="meal")
    run()
    assert "LookupError: no tea" in shell.done("workflow show meal")
    MISSING["tea"] = False
    assert shell.done("workflow rewind meal --reason", "tea has come") == "meal goes on from its failed step"
    run()
    assert client.describe("meal").result == "tea"
    assert shell.done("workflow restart meal") == "meal is started, run 2"
    run()
    assert shell.done("workflow restart meal --new-id supper") == "supper is started, run 1"
    assert shell.done("workflow fork meal 1 brunch") == "brunch is started from step 1 of meal"
    run()
    assert client.describe("brunch").result == "tea"
    assert "no failed step" not in shell.refused("workflow rewind meal --reason again")
    assert shell.done("workflow purge meal --dry-run") == "meal, which is completed, would be forgotten"
    assert shell.done("workflow purge meal --yes") == "meal is forgotten"
    assert "no workflow has the id 'meal'" in shell.refused("workflow show meal")


def test_a_waiting_workflow_is_suspended_resumed_signalled_cancelled_and_terminated(
    shell: Shell, database: Database, run: Callable[[], int]
) -> None:
    client = Client(database)
    for number in range(3):
        client.start(listening, workflow_id=f"w{number}")
    run()
    assert shell.done("workflow suspend w0 --reason", "the office moves") == "w0 is paused"
    assert "w0 is paused" in shell.refused("workflow suspend w0 --reason again").replace("workflow w0", "w0")
    assert shell.done("workflow resume w0") == "w0 goes on"
    assert shell.done("workflow signal w0 go", '{"by": "ada"}', "--key", "1") == "go is sent to w0"
    assert shell.done("workflow signal w0 go", "--key", "1") == "go with the key 1 was counted before"
    assert "PAYLOAD is no JSON" in shell.refused("workflow signal w0 go ada")
    run()
    assert client.describe("w0").result == {"by": "ada"}
    assert shell.done("workflow cancel w1 --reason enough") == "w1 is asked to end"
    assert shell.refused("workflow cancel w1 --reason enough") == "w1 was asked to end before"
    run()
    assert client.describe("w1").state == "cancelled"
    assert shell.done("workflow terminate w2 --reason enough") == "w2 is terminated"
    assert "has already ended" in shell.refused("workflow terminate w2 --reason enough")


def test_lists_filter_page_and_speak_json(shell: Shell, database: Database, run: Callable[[], int]) -> None:
    client = Client(database)
    for number in range(5):
        client.start(asleep, workflow_id=f"nap:{number}")
    client.start(listening, workflow_id="ear")
    run()
    shown = shell.done("workflow list --prefix nap: --limit 2")
    assert [line.split()[0] for line in shown.splitlines()[1:3]] == ["nap:4", "nap:3"]
    place = shown.rpartition("--after ")[2]
    assert [line.split()[0] for line in shell.done("workflow list --prefix nap: --after", place).splitlines()[1:]] == [
        *("nap:2", "nap:1", "nap:0")
    ]
    listed = json.loads(shell.done("workflow list --name listening --state waiting --from 2020-01-01 --json"))
    assert [each["workflow_id"] for each in listed] == ["ear"]
    assert shell.done("workflow list --state failed") == "no workflows"
    assert json.loads(shell.done("workflow show ear --json"))["history"][0]["kind"] == "receive"
    told = shell.done("status")
    assert "workflows: 6 waiting" in told
    assert "all gates are open" in told
    assert json.loads(shell.done("status --json"))["counts"] == {"waiting": 6}


def test_what_ended_long_ago_is_forgotten_after_a_dry_run(
    shell: Shell, database: Database, run: Callable[[], int]
) -> None:
    client = Client(database)
    for number in range(3):
        client.start(asleep, workflow_id=f"nap:{number}")
        client.terminate(f"nap:{number}", "enough")
    assert shell.done("workflow purge --older-than 0s --dry-run") == "3 workflows would be forgotten"
    assert shell.done("workflow purge --older-than 1h --yes") == "0 workflows are forgotten"
    assert shell.done("workflow purge --older-than 0s --state terminated --yes") == "3 workflows are forgotten"
    code, _, err = shell("workflow purge --older-than soon")
    assert (code, "is no age" in err) == (2, True)
    code, _, err = shell("workflow purge")
    assert (code, "either a workflow's id or --older-than" in err) == (2, True)


def test_a_workflow_of_a_module_is_run_by_name_and_says_that_it_waits_for_a_worker(
    shell: Shell, database: Database
) -> None:
    code, out, err = shell("workflow run welcome", '"Ada"', "--id", "w")
    assert (code, out) == (0, "w is started\n")
    assert "no worker is alive" in err
    assert Client(database).input("w") == (("Ada",), {})
    assert "w runs already" in shell.refused("workflow run welcome", '"Ada"', "--id", "w")
    assert shell.refused("workflow run hello").startswith("no workflow is called 'hello'; there are: example.ETL, ")
    assert "has not ended within 0.1 s" in shell.refused("workflow run patient --wait --timeout 0.1")


def test_a_history_is_replayed_against_the_code_of_a_module(shell: Shell, database: Database, tmp_path: Path) -> None:
    shell("workflow run patient --id w")
    exported = tmp_path / "w.json"
    exported.write_text(shell.done("workflow export w"))
    assert shell.done("replay", str(exported)).endswith("w.json: fits")
    assert shell.done("workflow replay", str(exported)).endswith("w.json: fits")
    (tmp_path / "module.py").write_text(MODULE.replace("def patient", "def impatient"))
    assert "this release knows no workflow 'patient'" in shell.refused("replay", str(exported))


def test_flows_are_listed_shown_run_and_run_again_in_directors_words(shell: Shell, database: Database) -> None:
    assert shell.done("flow list") == (
        "+-----------------+----------+-------------+\n"
        "| Workflows (2)   | Periodic | Tasks       |\n"
        "+-----------------+----------+-------------+\n"
        "| example.ETL     |    --    | EXTRACT     |\n"
        "|                 |          | TRANSFORM   |\n"
        "|                 |          | LOAD        |\n"
        "+-----------------+----------+-------------+\n"
        "| example.RANDOMS |    --    | Group BOTH: |\n"
        "|                 |          |  └ RANDOM   |\n"
        "|                 |          |  └ RANDOM   |\n"
        "|                 |          | ADD         |\n"
        "+-----------------+----------+-------------+"
    )
    assert "| Default Payload | {} " in shell.done("flow show example.ETL")
    assert [each["fullname"] for each in json.loads(shell.done("flow list --json"))] == [
        "example.ETL",
        "example.RANDOMS",
    ]
    assert shell.done("flow run example.ETL --dry-run") == "example.ETL would be launched"
    launched = shell.done("flow run example.RANDOMS", '{"start": 3, "end": 3}', "--comment", "by hand").split()[1]
    worker = InlineWorker(database, workflows=load(shell.flows).workflows())
    worker.run_until_idle()
    assert Client(database).describe(launched).state == "completed"
    again = shell.done(f"flow relaunch {launched}").split()[1]
    assert again != launched
    assert shell.done(f"flow cancel {again}") == f"Workflow {again} canceled"
    worker.close()


@pytest.mark.parametrize(
    ("line", "more", "told"),
    [
        ("flow run example.NONE", (), "Error: Workflow example.NONE not found\nAborted!"),
        ("flow run example.ETL", ("{",), "Error in the payload : Expecting property name"),
        ("flow cancel 12", (), "Invalid UUID\nAborted!"),
        (
            "flow relaunch 7c0f3b1e-6a2d-4d52-9d3e-0b8f8f1c2a44",
            (),
            "Workflow 7c0f3b1e-6a2d-4d52-9d3e-0b8f8f1c2a44 does not exist\nAborted!",
        ),
        ("flow show example.NONE", (), "Error: Workflow example.NONE not found"),
    ],
)
def test_a_flow_that_is_not_there_ends_as_with_director(
    shell: Shell, line: str, more: tuple[str, ...], told: str
) -> None:
    assert shell.refused(line, *more).startswith(told)


def test_a_folder_of_flows_is_checked_with_file_line_and_what_is_allowed(shell: Shell) -> None:
    assert re.search(r"2 flows, \d+ tasks, all in order$", shell.done("flow check"))
    (shell.flows / "more.yml").write_text("example.BAD:\n  tasks:\n    - NO_SUCH_TASK\n")
    assert f"{shell.flows}/more.yml:3: " in shell.refused("flow check")
    assert "nothing was written" in shell.refused("flow init", str(shell.flows))


def test_schedules_are_listed_paused_resumed_and_triggered(shell: Shell, database: Database) -> None:
    (shell.flows / "often.yml").write_text("example.OFTEN:\n  tasks: [EXTRACT]\n  periodic: {interval: 60}\n")
    load(shell.flows).put_schedules(database)
    assert "flow:example.OFTEN" in shell.done("schedule list")
    assert shell.done("schedule pause flow:example.OFTEN") == "flow:example.OFTEN is paused"
    assert shell.refused("schedule pause flow:example.OFTEN") == "schedule flow:example.OFTEN is paused already"
    assert shell.done("schedule resume flow:example.OFTEN") == "flow:example.OFTEN goes on"
    triggered = shell.done("schedule trigger flow:example.OFTEN")
    assert triggered.endswith(" is started")
    assert shell.done(f"flow relaunch {triggered.split()[0]}").endswith(" relaunched")
    assert shell.done(f"flow cancel {triggered.split()[0]}").endswith(" canceled")
    assert "see `python -m bot schedule list`" in shell.refused("schedule trigger none")
    assert json.loads(shell.done("schedule list --json"))[0]["paused"] is False
    assert shell.done("schedule delete flow:example.OFTEN") == "flow:example.OFTEN is forgotten"
    assert "no schedule has the name" in shell.refused("schedule delete flow:example.OFTEN")


def test_queues_are_limited_and_freed(shell: Shell) -> None:
    assert shell.done("queue list") == "no queues"
    assert shell.done("queue limit slack --rate 0.5 --burst 3") == "slack is limited"
    assert shell.done("queue list").splitlines()[1].split() == ["slack", "0", "-", "-", "0.5", "3"]
    assert shell.done("queue limit slack --most-running 6 --per-worker 2") == "slack is limited"
    assert shell.done("queue list").splitlines()[1].split() == ["slack", "0", "6", "2", "-", "1"]
    assert json.loads(shell.done("queue list --json"))[0]["most_per_worker"] == 2
    assert shell("queue limit slack --per-worker 0")[0] == 2
    assert "give most_running, most_per_worker or rate" in shell.refused("queue limit slack")
    assert shell.done("queue unlimited slack") == "slack is unlimited"
    assert "has no limit" in shell.refused("queue unlimited slack")


def test_a_suspended_workflow_is_told_to_whoever_relaunches_it(shell: Shell, database: Database) -> None:
    client = Client(database)
    client.start(listening, workflow_id="w")
    assert "takes one that is completed" in shell.refused("workflow relaunch w")
    client.terminate("w", "enough")
    assert shell.done("workflow relaunch w").startswith("Workflow ")
    Operator(database).purge("w")


def test_many_are_relaunched_at_once_and_what_cannot_be_is_told(shell: Shell, database: Database) -> None:
    client = Client(database)
    for number in range(3):
        client.start(listening, workflow_id=f"w:{number}")
    for number in range(2):
        client.terminate(f"w:{number}", "enough")
    assert shell.done("workflow relaunch --state terminated --name nobody") == "0 workflows are relaunched"
    assert shell.done("workflow relaunch --state terminated --from 2001-01-01") == "2 workflows are relaunched"
    assert len(client.list(states=["ready", "waiting"])) == 3
    code, out, err = shell("workflow relaunch w:0 w:1 w:2")
    assert (code, out) == (1, "2 workflows are relaunched\n")
    assert "w:2: " in err
    assert "1 of 3 were not relaunched" in err
    for wrong in ("workflow relaunch", "workflow relaunch w:0 --state failed", "workflow relaunch w:0 --name x"):
        assert shell(wrong)[0] == 2
