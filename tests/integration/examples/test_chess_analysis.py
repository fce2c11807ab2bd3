"""The chess analysis as a process of its own: four workers, each position once."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bot.demo.ports import free_port
from bot.demo.waiting import eventually
from durable.client import Client
from durable.postgres import Database

MATE = "8/8/6P1/4R3/8/6k1/2r5/6K1 b - - 0 1"
BACK_RANK = "6k1/5ppp/8/8/8/8/8/R3K3 w - - 0 1"
QUIET = "8/8/4k3/8/8/4K3/8/8 w - - 0 1"
POSITIONS = [MATE, BACK_RANK, QUIET, *(f"8/8/{n}k{7 - n}/8/8/{n}K{7 - n}/8/8 w - - 0 1" for n in range(1, 4))]


@pytest.fixture
def url(database_url: str, tmp_path: Path) -> Iterator[str]:
    positions = tmp_path / "positions.txt"
    positions.write_text("\n".join(POSITIONS * 2))
    port = free_port()
    command = [sys.executable, "-m", "docs.examples.chess_analysis", database_url, str(positions), str(port)]
    process = subprocess.Popen(command)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(30)


def analysis(url: str, fen: str) -> object:
    started = httpx.post(f"{url}/analyze", json={"fen": fen})
    assert started.status_code == 202
    return eventually(lambda: _done(url, started.json()["id"]), within=30)


def _done(url: str, workflow_id: str) -> dict[str, object] | None:
    answer: dict[str, object] = httpx.get(f"{url}/analysis", params={"id": workflow_id}).json()
    assert answer["status"] in ("pending", "done")
    return answer if answer["status"] == "done" else None


def test_positions_are_analysed_in_the_background_and_none_twice(url: str, database_url: str) -> None:
    eventually(lambda: httpx.get(f"{url}/docs").is_success, within=30, ignoring=(httpx.TransportError,))
    assert analysis(url, MATE) == {"status": "done", "mate": ["c2c1", "e5e1", "c1e1"]}
    assert analysis(url, BACK_RANK) == {"status": "done", "mate": ["a1a8"]}
    assert analysis(url, QUIET) == {"status": "done", "mate": None}
    database = Database(database_url)
    client = Client(database)
    eventually(lambda: client.overview().counts == {"completed": len(set(POSITIONS))}, within=60)
    attempts = [entry.attempt for each in client.list() for entry in client.history(each.workflow_id)]
    runs = [each.run for each in client.list()]
    database.close()
    assert (set(attempts), set(runs), len(attempts)) == ({1}, {1}, len(set(POSITIONS)))
