"""Bots and commands that start at once: forked from a process that has imported the bot, which alone takes more than a
second.

Each is a process like any other, with a pid, a session, an environment, a folder and open files of its own, and dies of
what kills a process. What starting Python and importing add to that is seen by tests of the command line, of the idle
bot and of the demo, which start `python -m bot`.
"""

import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import connection
from pathlib import Path
from threading import Lock
from typing import IO

from bot.demo.bot_process import BotProcess
from tests.support.forks import FORKS, IMPORTED

_lock = Lock()  # multiprocessing reads a process's exit code once; whoever asks beside it gets another


class ForkedBotProcess(BotProcess):
    """The bot as its own process, as `BotProcess` is, without the time Python takes to start."""

    def launch(self, log: IO[bytes]) -> "_Fork":
        """A new process of it that writes to `log`."""
        return _Fork((self.role,), self.environment, self.folder, Path(log.name), Path(log.name))


def run_forked(
    arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path, within: float
) -> subprocess.CompletedProcess[str]:
    """What `python -m bot <arguments>` in this folder ended with and wrote, as `subprocess.run` would tell it. Raises
    `subprocess.TimeoutExpired` when it takes longer than so many seconds."""
    with tempfile.TemporaryDirectory(prefix="vigil-command-") as written:
        out, err = Path(written) / "out", Path(written) / "err"
        fork = _Fork(arguments, environment, folder, out, err)
        try:
            code = fork.wait(within)
        except subprocess.TimeoutExpired:
            os.kill(fork.pid, signal.SIGKILL)
            fork.wait()
            raise
        return subprocess.CompletedProcess(("bot", *arguments), code, out.read_text(), err.read_text())


class _Fork:
    """A forked bot, as `subprocess.Popen` would show it."""

    def __init__(
        self, arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path, out: Path, err: Path
    ) -> None:
        self._process = FORKS.Process(
            target=_be_the_bot, args=(arguments, dict(environment), folder, out, err), daemon=True
        )
        with _lock:
            self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        with _lock:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        connection.wait([self._process.sentinel], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(f"bot {self.pid}", timeout or 0)
        return code


def _be_the_bot(arguments: tuple[str, ...], environment: dict[str, str], folder: Path, out: Path, err: Path) -> None:
    """Become what `python -m bot <arguments>` is, in the forked process."""
    assert sys.modules.keys() >= set(IMPORTED), "not everything was imported before the fork"
    os.setsid()
    os.chdir(folder)
    for path, flags, descriptor in (
        (Path(os.devnull), os.O_RDONLY, 0),
        (out, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 1),
        (err, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 2),
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["bot", *arguments]
    runpy.run_module("bot", run_name="__main__")
