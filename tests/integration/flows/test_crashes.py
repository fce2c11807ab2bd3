"""Workers that die in the middle of a flow: its tasks are done, once each unless one was in hand, and it ends as ever."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from durable import injection
from durable.flows import FlowRun, FlowRuns, load, task
from durable.postgres import Database
from durable.testing import InlineWorker
from durable.worker.orphans import settle_orphans
from tests.integration.durable.crash_stage import Crash, Fate
from tests.integration.flows.conftest import write
from tests.support.chaos import Figure, sized

EVERY_POINT = sized(9, 1)
FLOWS = """
    crash.WHOLE:
      tasks:
        - COUNT
        - OUTER:
            type: group
            tasks: [COUNT, {LINE: {type: chain, tasks: [COUNT, {INNER: {type: group, tasks: [COUNT, COUNT]}}]}}]
        - COUNT
      hooks: {success: COUNT}
    crash.FAILED: {tasks: [G: {type: group, tasks: [COUNT, WRONG]}], hooks: {failure: COUNT}}
"""
_DEAD = text("UPDATE durable.workers SET lease_until = clock_timestamp() WHERE lease_until > clock_timestamp()")
called: Counter[str] = Counter()


@task(name="COUNT")
def count(*args: Any, **_kwargs: Any) -> list[Any]:
    called["COUNT"] += 1
    return ["counted", *args]


@task(name="WRONG")
def wrong(*_args: Any, **_kwargs: Any) -> None:
    called["WRONG"] += 1
    raise OSError("wrong")


@pytest.fixture(scope="module")
def lives(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Lives a flow to its end, dying at the points that are given; returns its run, and the points of each life."""
    flows = load(write(tmp_path_factory.mktemp("flows"), FLOWS))
    runs = FlowRuns(database, flows)
    workers = [InlineWorker(database, workflows=flows.workflows(), guard=False)]

    def live(name: str, *deaths: int) -> tuple[FlowRun, list[list[str]]]:
        called.clear()
        run_id = runs.start(name, {})
        fate = Fate(deaths)
        injection.install(fate)
        try:
            while True:
                try:
                    workers[-1].run_until_idle()
                    break
                except Crash:
                    workers[-1]._lease.stop()
                    with database.transaction("test") as connection:
                        connection.execute(_DEAD)
                    workers.append(InlineWorker(database, workflows=flows.workflows(), guard=False))
                    workers[-1].take_over()
                    settle_orphans(database)
        finally:
            injection.install(None)
        return runs.get(run_id), fate.lives

    yield live
    workers[-1].close()


@pytest.mark.chaos
@pytest.mark.parametrize(("name", "status", "tasks"), [("crash.WHOLE", "success", 7), ("crash.FAILED", "error", 3)])
def test_wherever_a_worker_dies_the_flow_ends_the_same(
    lives: Callable[..., Any], name: str, status: str, tasks: int, record_property: Figure
) -> None:
    expected, [points] = lives(name)
    assert (expected.status, len(expected.tasks)) == (status, tasks)
    shown = [(task.key, task.status, task.result if task.status == "success" else None) for task in expected.tasks]
    for point in range(1, len(points) + 1, EVERY_POINT):
        ended, [first, *_] = lives(name, point)
        told = [(task.key, task.status, task.result if task.status == "success" else None) for task in ended.tasks]
        assert (ended.status, told) == (status, shown), first[-1]
        again = 1 if first[-1].startswith(("call.after", "commit.before")) else 0
        assert tasks <= called.total() <= tasks + again, first[-1]
    record_property("points", len(points))
