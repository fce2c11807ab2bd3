"""Workers in processes of their own that tests kill, freeze, and put under other clocks."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Protocol

from durable.postgres import Database
from durable.worker import Worker
from tests.support.forks import FORKS
from tests.support.storm import WORKFLOWS, Outside

SLOTS = 8
CONNECTIONS = SLOTS + 6
GONE_WITHIN_S = 20


class Process(Protocol):
    """A process that somebody started, as `subprocess` and `multiprocessing` know it."""

    @property
    def pid(self) -> int | None: ...

    def kill(self) -> None: ...


class Hand:
    """One worker process. `log` is the file it writes to; `reap` waits for its end, for so many seconds."""

    def __init__(self, process: Process, reap: Callable[[float], object], log: Path) -> None:
        assert process.pid is not None
        self.pid = process.pid
        self.log = log
        self._process = process
        self._reap = reap

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone. Frozen or dead is fine."""
        self._process.kill()
        self._reap(GONE_WITHIN_S)

    def freeze(self) -> None:
        """SIGSTOP: it stands still in the middle of whatever it does."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: it goes on as if no time had passed."""
        os.kill(self.pid, signal.SIGCONT)

    def began(self) -> datetime:
        """When it began, by its own clock."""
        return datetime.fromtimestamp(float(self.log.read_text().partition(" ")[0]), UTC)

    def says(self, words: str) -> bool:
        """Whether its log holds these words."""
        return self.log.exists() and words in self.log.read_text()


Start = Callable[[str, float, Path], Hand]
"""How a worker process is started on a database, with a lease in seconds and a log."""


class Fleet:
    """The workers on one database; each has a log of its own. `lease` is in seconds."""

    def __init__(self, url: str, folder: Path, *, lease: float = 5.0) -> None:
        self.hands: list[Hand] = []
        self._url = url
        self._folder = folder
        self._lease = lease
        self._hired = 0

    def hire(self, start: Start | None = None) -> Hand:
        """One worker more, forked, or started in this way."""
        self._hired += 1
        log = self._folder / f"worker-{self._hired}.log"
        hand = (start or forked)(self._url, self._lease, log)
        self.hands.append(hand)
        return hand

    def replace(self, hand: Hand) -> Hand:
        """SIGKILL this one, and hire another in its place."""
        hand.kill()
        self.hands.remove(hand)
        return self.hire()


@contextmanager
def fleet(url: str, folder: Path, *, lease: float = 5.0) -> Iterator[Fleet]:
    """A fleet without hands yet; all are gone when the block ends."""
    hired = Fleet(url, folder, lease=lease)
    try:
        yield hired
    finally:
        for hand in hired.hands:
            hand.kill()


def forked(url: str, lease: float, log: Path) -> Hand:
    """Fork a worker process from the clean one."""
    process = FORKS.Process(target=work, args=(url, lease, log), daemon=True)
    process.start()
    return Hand(process, process.join, log)


def started_with(environment: Mapping[str, str]) -> Start:
    """Starts a worker as a program of its own, with these variables in its environment."""

    def start(url: str, lease: float, log: Path) -> Hand:
        command = [sys.executable, "-m", __name__, url, str(lease), str(log)]
        process = subprocess.Popen(command, env={**os.environ, **environment})
        return Hand(process, process.wait, log)

    return start


def work(url: str, lease: float, log: Path) -> None:
    """Work until SIGTERM or worse."""
    logging.basicConfig(
        filename=log, level=logging.INFO, format="%(created)f %(levelname)s %(threadName)s: %(message)s"
    )
    stopping = Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    database = Database(url, pool_size=CONNECTIONS)
    worker = Worker(database, workflows=WORKFLOWS, resources={Outside: Outside(url)}, slots=SLOTS, lease=lease)
    worker.start()
    stopping.wait()
    worker.stop()


if __name__ == "__main__":
    work(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
