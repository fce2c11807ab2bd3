"""Many members, long chains, many runs: done by two worker processes, with a bounded history and bounded memory.

`make chaos` takes ten times as many as `make test`.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psutil
import pytest

from bot.demo.waiting import eventually
from durable import Workflow
from durable.client import Client
from durable.postgres import Database
from tests.support import large_programs
from tests.support.chaos import Figure, sized
from tests.support.large_programs import again_and_again, chain, over_activities, over_children
from tests.support.worker_process import worker_process

MANY = sized(1_000, 10_000)
WITHIN_S = sized(200, 2000)
MEGABYTE = 2**20
MOST_GROWTH = 100 * MEGABYTE
"""A process's memory for ten thousand members, their results, and what Python keeps of it."""


@pytest.fixture
def workers(database_url: str) -> Iterator[list[psutil.Process]]:
    with ExitStack() as stack:
        yield [stack.enter_context(worker_process(database_url, module=large_programs.__name__)) for _ in range(2)]


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("declared", "many", "result", "entries"),
    [
        (over_children, MANY, MANY * (MANY - 1), 1),
        (over_activities, MANY, MANY * (MANY - 1), 1),
        (chain, 1_000, 999_000, 1_000),
        (again_and_again, MANY, "done", 0),
    ],
    ids=["children", "activities", "steps", "runs"],
)
def test_many_are_done_by_two_workers_with_bounded_history_and_memory(
    database: Database,
    workers: list[psutil.Process],
    declared: Workflow[[int], Any],
    many: int,
    result: object,
    entries: int,
    record_property: Figure,
) -> None:
    client = Client(database)
    eventually(lambda: len(client.workers()) == len(workers))
    idle = [worker.memory_info().rss for worker in workers]
    growth = 0

    def is_done() -> bool:
        nonlocal growth
        growth = max(growth, *(worker.memory_info().rss - was for worker, was in zip(workers, idle, strict=True)))
        return client.describe("w").state == "completed"

    began = time.monotonic()
    client.start(declared, many, workflow_id="w")
    eventually(is_done, within=WITHIN_S, every=0.1)
    described = client.describe("w")
    assert (described.result, described.history_length) == (result, entries)
    assert growth < MOST_GROWTH
    record_property(
        f"{many} {declared.name}", f"{time.monotonic() - began:.1f} s, +{growth / MEGABYTE:.0f} MB a worker"
    )
