"""The processes of a soak: `python -m tests.soak.process worker|feeder URL`, until SIGTERM."""

import sys
from threading import Event

from bot.stopping import Stopping
from durable.postgres import Database
from durable.worker import Worker, upkeep
from tests.soak.load import RETENTION, WORKFLOWS, one_second_of_load, route

SLOTS = 6
CONNECTIONS = SLOTS + 6
FEEDERS_CONNECTIONS = 2
PRUNED_EVERY_S = 10
A_SECOND = 1.0


def work(url: str, stopped: Event) -> None:
    """A worker like any other, but for what it forgets: after a minute instead of weeks, so that pruning is part of it."""
    for what in upkeep.KEEP:
        upkeep.KEEP[what] = min(upkeep.KEEP[what], RETENTION)
    database = Database(url, pool_size=CONNECTIONS)
    worker = Worker(database, workflows=WORKFLOWS, routes={"web": route}, slots=SLOTS)
    worker._upkeep._metronome.every(PRUNED_EVERY_S, worker._upkeep.prune, "prune often")
    worker.start()
    stopped.wait()
    worker.stop()
    database.close()


def feed(url: str, stopped: Event) -> None:
    """Ask the same of the engine each second."""
    database = Database(url, pool_size=FEEDERS_CONNECTIONS)
    ask = one_second_of_load(database)
    while not stopped.wait(A_SECOND):
        ask()
    database.close()


def main(role: str, url: str) -> None:
    """Be a worker or a feeder until SIGTERM."""
    stopped = Event()
    Stopping().on_stop(stopped.set)
    {"worker": work, "feeder": feed}[role](url, stopped)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
