"""A database of the engine's, and workers on it, with or without threads."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from durable.postgres import Database
from durable.testing import InlineWorker
from durable.worker import Worker


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, pool_size=30)
    yield database
    database.close()


@pytest.fixture
def inline(database: Database) -> Iterator[Callable[..., InlineWorker]]:
    """Makes workers that run in the test's own thread."""
    with ExitStack() as stack:

        def make(*workflows: Any, **options: Any) -> InlineWorker:
            worker = InlineWorker(database, workflows=workflows, **options)
            stack.callback(worker.close)
            return worker

        yield make


@pytest.fixture
def working(database: Database) -> Iterator[Callable[..., Worker]]:
    """Makes workers with threads, started."""
    with ExitStack() as stack:

        def make(*workflows: Any, **options: Any) -> Worker:
            worker = Worker(database, workflows=workflows, **options)
            worker.start()
            stack.callback(worker.stop)
            return worker

        yield make
