"""A worker in a process of its own, for tests that look at one from outside: `python -m tests.support.worker_process`."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from bot.stopping import Stopping
from durable import sleep, workflow
from durable.postgres import Database
from durable.worker import Worker

SPARE_CONNECTIONS = 6
POOLS = 2
LISTENERS = 1
STOP_WITHIN_S = 20


@workflow
def nap(seconds: float) -> None:
    """Sleeps once, and that is all."""
    sleep(seconds)


def most_connections(slots: int) -> int:
    """How many connections a worker of so many slots may have at any time."""
    return POOLS * (slots + SPARE_CONNECTIONS) + LISTENERS


WORKFLOWS = (nap,)


@contextmanager
def worker_process(url: str, *, slots: int = 8, module: str = __name__) -> Iterator[psutil.Process]:
    """A worker that knows the `WORKFLOWS` of a module, for as long as the block lasts; ended by SIGTERM."""
    process = subprocess.Popen([sys.executable, "-m", __name__, url, str(slots), module])
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(STOP_WITHIN_S)


def main(url: str, slots: int, module: str) -> None:
    """Work until SIGTERM."""
    workflows = importlib.import_module(module).WORKFLOWS
    stopping = Stopping()
    database = Database(url, pool_size=slots + SPARE_CONNECTIONS)
    worker = Worker(database, workflows=workflows, slots=slots)
    worker.start()
    stopping.wait()
    worker.stop()
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
