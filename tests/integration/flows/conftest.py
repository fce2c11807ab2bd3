"""Flows of a folder on one database of a module, run by a worker in the test's own thread."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from durable.flows import FlowRun, FlowRuns, Flows, TaskRun, load
from durable.postgres import Database
from durable.testing import InlineWorker
from tests.support.database import Databases


@dataclass(frozen=True)
class Stage:
    """Loaded flows, and a worker that knows them."""

    database: Database
    flows: Flows
    worker: InlineWorker
    runs: FlowRuns

    def run(self, full_name: str, payload: Any = None) -> FlowRun:
        """Start a flow, do all that is due, and say what became of it."""
        run_id = self.runs.start(full_name, {} if payload is None else payload)
        self.worker.run_until_idle()
        return self.runs.get(run_id)


def by_key(run: FlowRun) -> dict[str, TaskRun]:
    """The tasks of a run by name."""
    return {task.key: task for task in run.tasks}


@pytest.fixture(scope="module")
def database(databases: Databases) -> Iterator[Database]:
    with databases.migrated() as url:
        database = Database(url, pool_size=20)
        yield database
        database.close()


@pytest.fixture(scope="module")
def staged(database: Database) -> Iterator[Callable[..., Stage]]:
    """Makes stages from folders of flows."""
    with ExitStack() as stack:

        def make(folder: Path, **options: Any) -> Stage:
            flows = load(folder)
            worker = InlineWorker(database, workflows=flows.workflows(), **options)
            stack.callback(worker.close)
            return Stage(database, flows, worker, FlowRuns(database, flows))

        yield make


def write(folder: Path, flows: str, **tasks: str) -> Path:
    """A folder with a file of flows and files of tasks, by name."""
    (folder / "tasks").mkdir(parents=True, exist_ok=True)
    (folder / "flows.yml").write_text(dedent(flows))
    for name, source in tasks.items():
        (folder / "tasks" / f"{name}.py").write_text("from durable.flows import task\n" + dedent(source))
    return folder
