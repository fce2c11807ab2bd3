"""`workflow export` and `replay`, as operators use them before a deploy."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.cli import main
from durable import sleep, workflow
from durable.client import Client
from durable.postgres import Database
from tests.support.histories import HISTORIES

WATCHING = HISTORIES / "0.1" / "watch-watching.json"


@workflow
def unknown_here() -> None:
    sleep(60)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


def vigil(*arguments: str, **environ: str) -> int:
    return main(arguments, environ, Path("/nowhere"))


def test_histories_that_fit_this_release_are_said_to_fit(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(path) for path in sorted((HISTORIES / "0.1").glob("watch-*.json"))]
    assert vigil("replay", *files) == 0
    assert capsys.readouterr().out.splitlines() == [f"{file}: fits" for file in files]


def test_a_history_that_does_not_fit_is_told_with_what_it_has_and_what_the_code_asks_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = json.loads(WATCHING.read_text(encoding="utf-8"))
    stored["history"][0]["name"] = "other"
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(stored), encoding="utf-8")
    assert vigil("replay", str(WATCHING), str(changed)) == 1
    told = capsys.readouterr()
    assert told.out == f"{WATCHING}: fits\n"
    [unfit, summary] = told.err.splitlines()
    assert "step 1: the history has receive other, the code asks for receive github (" in unfit
    assert "watch.py:" in unfit
    assert summary == "1 of 2 histories do not fit this release"


def test_what_is_exported_from_the_database_is_read_by_replay(
    database: Database, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Client(database).start(unknown_here, workflow_id="one")
    assert vigil("workflow", "export", "one", DATABASE_URL=database_url, VIGIL_HOME=str(tmp_path)) == 0
    file = tmp_path / "one.json"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    assert vigil("replay", str(file)) == 1
    assert "this release knows no workflow 'unknown_here'" in capsys.readouterr().err
    assert vigil("workflow", "export", "nobody", DATABASE_URL=database_url, VIGIL_HOME=str(tmp_path)) == 1
    assert "no workflow has the id 'nobody'" in capsys.readouterr().err


def test_a_file_that_is_no_history_does_not_end_in_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "picture.json"
    file.write_bytes(b"\xff\xfe")
    assert vigil("replay", str(file)) == 1
    assert vigil("replay", str(tmp_path / "nothing.json")) == 2
    assert "Traceback" not in capsys.readouterr().err
