"""A database and a worker in the test's own thread, for the programs of docs/examples."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from durable.postgres import Database
from durable.testing import InlineWorker


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, pool_size=10)
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
