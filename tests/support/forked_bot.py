"""Bots that start at once: forked from a process that has imported the bot, which alone takes more than a second.

Each is a process like any other, with a pid, a session, an environment, a folder and open files of its own, and dies of
what kills a process. What starting Python and importing add to that is seen by the tests of the command line, of the
idle bot and of the demo, which start `python -m bot`.
"""

import os
import runpy
import subprocess
import sys
from multiprocessing import connection
from pathlib import Path
from threading import Lock
from typing import IO

from bot.demo.bot_process import BotProcess, Role
from tests.support.forks import FORKS, IMPORTED

_lock = Lock()  # multiprocessing reads a process's exit code once; whoever asks beside it gets another


class ForkedBotProcess(BotProcess):
    """The bot as its own process, as `BotProcess` is, without the time Python takes to start."""

    def launch(self, log: IO[bytes]) -> "_Fork":
        """A new process of it that writes to `log`."""
        return _Fork(self.role, self.environment, self.folder, Path(log.name))


class _Fork:
    """A forked bot, as `subprocess.Popen` would show it."""

    def __init__(self, role: Role, environment: dict[str, str], folder: Path, log: Path) -> None:
        self._process = FORKS.Process(target=_be_the_bot, args=(role, environment, folder, log), daemon=True)
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


def _be_the_bot(role: Role, environment: dict[str, str], folder: Path, log: Path) -> None:
    """Become what `python -m bot <role>` is, in the forked process."""
    assert sys.modules.keys() >= set(IMPORTED), "not everything was imported before the fork"
    os.setsid()
    os.chdir(folder)
    for path, flags, descriptors in ((os.devnull, os.O_RDONLY, (0,)), (log, os.O_WRONLY | os.O_APPEND, (1, 2))):
        opened = os.open(path, flags)
        for descriptor in descriptors:
            os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["bot", role]
    runpy.run_module("bot", run_name="__main__")
