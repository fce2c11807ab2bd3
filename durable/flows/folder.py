"""A folder of flows: `*.yml`, the JSON Schemas in `schemas/`, the tasks in `tasks/`; read as a whole or refused as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from durable.definitions import Activity, Workflow
from durable.flows.definition import Flow
from durable.flows.document import MOST_CHARACTERS, Spot, read
from durable.flows.errors import FlowErrors, Problem
from durable.flows.reading import read_flows
from durable.flows.running import flow_workflow, part_workflow, task_workflow
from durable.flows.schedules import flow_retention, put_schedules
from durable.flows.schemas import errors_of, read_schema
from durable.flows.task_files import import_tasks
from durable.flows.tasks import declared_tasks
from durable.postgres.database import Database


@dataclass(frozen=True)
class Flows:
    """Every flow of a folder, by full name, and every task there is. `owner` is the folder's full path: deployments that
    share a database are told apart by it."""

    flows: Mapping[str, Flow] = field(default_factory=dict)
    tasks: Mapping[str, Activity[..., Any]] = field(default_factory=dict)
    owner: str = ""

    def workflows(self) -> list[Workflow[..., Any]]:
        """What a worker needs in order to run them: a durable workflow for each flow, of its full name, and those for
        nested parts, for single tasks, and for forgetting old runs."""
        own = [flow_workflow(flow, self.tasks) for flow in self.flows.values()]
        return [*own, part_workflow(self.tasks), *map(task_workflow, self.tasks.values()), flow_retention]

    def put_schedules(self, database: Database) -> None:
        """Make sure of a schedule `flow:<full name>` for each periodic flow, and of one for forgetting old runs; delete
        those that this folder put before and whose flow is gone or no longer periodic."""
        flows = {name: (flow, flow_workflow(flow, self.tasks)) for name, flow in self.flows.items()}
        put_schedules(database, self.owner, flows)


def load(folder: Path) -> Flows:
    """Read `*.yml` and `*.yaml` in `folder`, the schemas in `schemas/`, and import `tasks/**/*.py`.

    Tasks that other modules have declared by now may be used too. Raises `FlowErrors` with everything that is wrong.
    """
    if not folder.is_dir():
        raise FlowErrors((Problem(str(folder), 1, "", "there is no such folder"),))
    problems = import_tasks(folder / "tasks")
    tasks = declared_tasks()
    known = None if problems else tasks
    found: dict[str, tuple[Spot, Flow]] = {}
    for path in sorted((*folder.glob("*.yml"), *folder.glob("*.yaml"))):
        document = _document(path, problems)
        if document is not None:
            for spot, flow in read_flows(document, known, lambda named: read_schema(folder / "schemas", named)):
                if flow.full_name in found:
                    first = found[flow.full_name][0]
                    spot.refuse(f"is also in {first.file}:{first.line}")
                found.setdefault(flow.full_name, (spot, flow))
    for spot, flow in found.values():
        _check_periodic_payload(spot, flow)
    if problems:
        once = dict.fromkeys(problems)
        raise FlowErrors(tuple(sorted(once, key=lambda problem: (problem.file, problem.line))))
    return Flows({name: flow for name, (_, flow) in sorted(found.items())}, tasks, str(folder.resolve()))


def _document(path: Path, problems: list[Problem]) -> Spot | None:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST_CHARACTERS + 1)
    except (OSError, ValueError) as problem:
        problems.append(Problem(str(path), 1, "", f"cannot be read: {problem}"))
        return None
    return read(str(path), text, problems)


def _check_periodic_payload(spot: Spot, flow: Flow) -> None:
    """A flow that runs by itself has nobody who would see its payload refused."""
    if flow.periodic is not None and flow.schema is not None:
        for error in errors_of(flow.schema, flow.periodic.payload):
            spot.keys()["periodic"].refuse(f"its payload does not fit the schema: {error}")
