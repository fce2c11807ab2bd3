"""`--watch`: a view that is drawn anew until Ctrl-C, in a process and on a terminal of its own."""

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from durable import sleep, workflow
from durable.client import Client
from durable.postgres import Database

CLEAR = "\033[H\033[2J"
WITHIN_S = 30
ROOT = Path(__file__).parents[3]


@workflow
def nap() -> None:
    sleep(3600)


class Terminal:
    """A command on a pseudo-terminal."""

    def __init__(self, process: subprocess.Popen[bytes], end: int) -> None:
        self.process = process
        self.shown = ""
        self._end = end

    def read_until(self, wanted: str, *, times: int = 1) -> None:
        """Read on until this was shown so often."""
        while self.shown.count(wanted) < times:
            ready, _, _ = select.select([self._end], [], [], WITHIN_S)
            assert ready, self.shown
            self.shown += os.read(self._end, 65_536).decode()


@contextmanager
def terminal(url: str, *arguments: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    environment = {"DATABASE_URL": url, "PATH": os.environ["PATH"], "VIGIL_FLOWS": str(ROOT / "config" / "flows")}
    command = [sys.executable, "-m", "bot", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        yield Terminal(process, ours)
        process.kill()
    os.close(ours)


@pytest.mark.parametrize("command", ["workflow list", "status"])
def test_a_view_is_drawn_anew_until_it_is_interrupted(database_url: str, command: str) -> None:
    database = Database(database_url)
    client = Client(database)
    client.start(nap, workflow_id="nap:1")
    with terminal(database_url, *command.split(), "--watch") as watched:
        watched.read_until(CLEAR)
        client.start(nap, workflow_id="nap:2")
        client.terminate("nap:1", "enough of it")
        watched.read_until(CLEAR, times=3)
        later = watched.shown.split(CLEAR)[2]
        watched.process.send_signal(signal.SIGINT)
        assert watched.process.wait(WITHIN_S) == 130
    database.close()
    assert {"workflow list": "nap:2", "status": "1 terminated"}[command] in later
