"""The chess analysis as a process of its own: four workers, each position once, and a word for whoever errs."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import chess
import httpx
import pytest
from click.testing import CliRunner

from bot.demo.ports import free_port
from bot.demo.waiting import eventually
from docs.examples.chess_analysis import WORKERS, create_app, main
from durable.client import Client
from durable.postgres import Database
from tests.support.served import served

MATE = "8/8/6P1/4R3/8/6k1/2r5/6K1 b - - 0 1"
BACK_RANK = "6k1/5ppp/8/8/8/8/8/R3K3 w - - 0 1"
QUIET = "8/8/4k3/8/8/4K3/8/8 w - - 0 1"
POSITIONS = [MATE, BACK_RANK, QUIET, *(f"8/8/{n}k{7 - n}/8/8/{n}K{7 - n}/8/8 w - - 0 1" for n in range(1, 4))]
LONG_THOUGHT = chess.Board("r4rk1/1pp1qppp/p1np1n2/2b1p1B1/2B1P1b1/P1NP1N2/1PP1QPPP/R4RK1 w - - 0 10")


class Analysis:
    """The program, begun as a user begins it, on a port and with a file."""

    def __init__(self, database_url: str, file: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.command = [sys.executable, "-m", "docs.examples.chess_analysis", database_url, str(file), str(port)]
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)

    def kill(self) -> None:
        """End it as a power cut does, and begin it anew."""
        self.process.kill()
        self.process.communicate()
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)

    def stop(self) -> str:
        """Ask it to end; returns what it printed."""
        self.process.terminate()
        printed, _ = self.process.communicate(timeout=30)
        assert self.process.returncode == 0
        return printed

    def wait_until_it_answers(self) -> None:
        eventually(lambda: httpx.get(f"{self.url}/docs").is_success, within=30, ignoring=(httpx.TransportError,))

    def of(self, fen: str) -> object:
        """What it answers in the end."""
        begun = httpx.post(f"{self.url}/analyze", json={"fen": fen})
        assert begun.status_code == 202
        return eventually(lambda: self._done(begun.json()["id"]), within=30)

    def _done(self, workflow_id: str) -> dict[str, object] | None:
        answer: dict[str, object] = httpx.get(f"{self.url}/analysis", params={"id": workflow_id}).json()
        assert answer["status"] in ("pending", "done")
        return answer if answer["status"] == "done" else None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "positions.txt"


@pytest.fixture
def analysis(database_url: str, file: Path) -> Iterator[Analysis]:
    file.write_text("\n".join(POSITIONS * 2))
    program = Analysis(database_url, file)
    yield program
    program.process.kill()
    program.process.communicate()


@pytest.fixture
def thinking(database_url: str, file: Path) -> Iterator[Analysis]:
    """The program, with positions that take it most of a second each."""
    moved = [LONG_THOUGHT.copy() for _ in range(8)]
    for board, move in zip(moved, LONG_THOUGHT.legal_moves, strict=False):
        board.push(move)
    file.write_text("\n".join(board.fen() for board in moved))
    program = Analysis(database_url, file)
    yield program
    program.process.kill()
    program.process.communicate()


@pytest.fixture
def http(database: Database) -> Iterator[httpx.Client]:
    """The two routes, without workers behind them."""
    with served(create_app(Client(database))) as url, httpx.Client(base_url=url) as client:
        yield client


def attempts(client: Client) -> dict[str, list[int]]:
    """How often each position was begun, by id, for each step of its history."""
    return {each.workflow_id: [entry.attempt for entry in client.history(each.workflow_id)] for each in client.list()}


def test_positions_are_analysed_in_the_background_and_none_twice(analysis: Analysis, database: Database) -> None:
    analysis.wait_until_it_answers()
    assert analysis.of(MATE) == {"status": "done", "mate": ["c2c1", "e5e1", "c1e1"]}
    assert analysis.of(BACK_RANK) == {"status": "done", "mate": ["a1a8"]}
    assert analysis.of(QUIET) == {"status": "done", "mate": None}
    client = Client(database)
    eventually(lambda: client.overview().counts == {"completed": len(set(POSITIONS))}, within=60)
    assert list(attempts(client).values()) == [[1]] * len(set(POSITIONS))
    assert {each.run for each in client.list()} == {1}
    assert analysis.stop().splitlines()[0].endswith(MATE)


def test_after_a_sigkill_what_was_analysed_is_not_analysed_again(thinking: Analysis, database: Database) -> None:
    client = Client(database)
    eventually(lambda: client.overview().counts.get("completed"), within=30)
    thinking.kill()
    done = {each.workflow_id: client.history(each.workflow_id) for each in client.list(states=["completed"])}
    assert 0 < len(done) < 8
    eventually(lambda: client.overview().counts == {"completed": 8}, within=60)
    assert {workflow_id: client.history(workflow_id) for workflow_id in done} == done
    begun = attempts(client)
    assert [begun[workflow_id] for workflow_id in done] == [[1]] * len(done)
    assert sum(each != [1] for each in begun.values()) <= WORKERS
    assert {each.run for each in client.list()} == {1}


def test_the_same_position_is_one_analysis_whatever_its_move_is_called(http: httpx.Client) -> None:
    ids = {http.post("/analyze", json={"fen": fen}).json()["id"] for fen in (MATE, MATE.replace("0 1", "3 40"))}
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("fen", "told"),
    [
        ("", "empty fen"),
        ("hello", "expected 8 rows in position part of fen: 'hello'"),
        (MATE.replace(" b ", " x "), "expected 'w' or 'b' for turn part of fen"),
        ("8/8/8/8/8/8/8/8 w - - 0 1", "no legal position (NO_WHITE_KING|NO_BLACK_KING|EMPTY)"),
        ("\0", "expected 8 rows in position part of fen: '\\x00'"),
    ],
)
def test_what_is_no_position_is_refused_with_the_reason(
    http: httpx.Client, database: Database, fen: str, told: str
) -> None:
    refused = http.post("/analyze", json={"fen": fen})
    assert (refused.status_code, refused.json()["detail"][: len(told)]) == (422, told)
    assert Client(database).list() == []


@pytest.mark.parametrize("unknown", ["chess:0123456789abcdef", "nope", "", "\0"])
def test_an_id_that_nobody_was_given_is_not_found(http: httpx.Client, unknown: str) -> None:
    missing = http.get("/analysis", params={"id": unknown})
    assert (missing.status_code, missing.json()) == (404, {"detail": f"no analysis has the id {unknown!r}"})


def test_an_analysis_that_was_ended_is_no_longer_pending(http: httpx.Client, database: Database) -> None:
    begun = http.post("/analyze", json={"fen": QUIET}).json()["id"]
    assert http.get("/analysis", params={"id": begun}).json() == {"status": "pending"}
    Client(database).terminate(begun, "not wanted any more")
    assert http.get("/analysis", params={"id": begun}).json() == {
        "status": "terminated",
        "reason": "not wanted any more",
    }


def told_to(*arguments: str) -> tuple[int, str]:
    """The exit code, and what the command line prints."""
    done = CliRunner().invoke(main, arguments)
    return done.exit_code, done.output


def test_a_file_with_wrong_lines_is_refused_and_each_line_is_named(file: Path) -> None:
    file.write_bytes(f"{MATE}\n\nhello\n{QUIET}\n\xff\n".encode("latin-1"))
    code, output = told_to("postgresql://nobody@127.0.0.1:1/nothing", str(file))
    assert code == 1
    assert output.splitlines() == [
        f"Error: {file}:3: expected 8 rows in position part of fen: 'hello'",
        f"{file}:5: expected 8 rows in position part of fen: '\ufffd'",
    ]


def test_the_command_line_says_what_it_takes_and_what_is_wrong(file: Path) -> None:
    code, output = told_to("--help")
    assert code == 0
    assert "DATABASE_URL [FILE] [PORT]" in " ".join(output.split())
    for arguments, wrong in [
        ((), "Missing argument 'DATABASE_URL'"),
        (("nowhere", str(file)), "does not exist"),
        (("nowhere", __file__, "eighty"), "'eighty' is not a valid integer"),
    ]:
        code, output = told_to(*arguments)
        assert code == 2
        assert wrong in output
    code, output = told_to("postgresql://nobody@127.0.0.1:1/nothing")
    assert code == 1
    assert "Connection refused" in output
    assert len(output.splitlines()) == 1
