"""Two workers that know every program, on a database by its address; and what is left where nothing goes wrong."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from durable.client import Client
from durable.postgres import Database
from durable.worker import Worker
from tests.support.database import Databases
from tests.support.programs import WORKFLOWS, Deeds, Remains, ask, prepare, remains, schedule

CONNECTIONS = 14
"""As many as a worker of 8 slots asks for."""


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """The database at this address."""
    database = Database(url, pool_size=CONNECTIONS)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def two_workers(url: str, deeds: Deeds, **options: Any) -> Iterator[Sequence[Worker]]:
    """Two workers, each with connections of its own as in a process of its own, for as long as the block lasts."""
    with ExitStack() as stack:
        workers = []
        for _ in range(2):
            database = stack.enter_context(opened(url))
            worker = Worker(database, workflows=WORKFLOWS, resources={Deeds: deeds}, **options)
            worker.start()
            stack.callback(worker.stop)
            workers.append(worker)
        yield workers


def without_trouble(databases: Databases) -> Remains:
    """What one copy of every program leaves where nothing goes wrong."""
    deeds = Deeds()
    with databases.migrated() as url, opened(url) as database:
        prepare(database)
        schedule(database)
        with two_workers(url, deeds) as workers:
            ask(Client(database, hint=workers[0].hint), copies=1)
            left = remains(database, deeds, copies=1)
    assert not left.repeated
    return left
