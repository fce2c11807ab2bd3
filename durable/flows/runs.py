"""Runs of flows as people and programs ask for them: start, show, repeat, cancel, in Director's words."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

from durable.client import Client
from durable.definitions import Workflow
from durable.errors import NotSerializable, Undecodable
from durable.flows.definition import Flow
from durable.flows.errors import FlowNotFound, PayloadRefused
from durable.flows.folder import Flows
from durable.flows.running import About, about_of, definition_of, is_filled_in
from durable.flows.schemas import errors_of
from durable.flows.view import FlowRun, TaskRun, status_of, task_runs
from durable.postgres import flow_runs
from durable.postgres.database import Database
from durable.postgres.flow_runs import StoredFlowRun
from durable.serde import decode, encode
from durable.worker.orphans import settle_orphans


class FlowRuns:
    """The runs of flows in one database. `hint` is called after a commit that made something due."""

    def __init__(self, database: Database, flows: Flows, hint: Callable[[], None] | None = None) -> None:
        self._database = database
        self._flows = flows.flows
        self._workflows: dict[str, Workflow[..., Any]] = {declared.name: declared for declared in flows.workflows()}
        self._client = Client(database, hint=hint)

    def start(self, full_name: str, payload: Any, comment: str | None = None) -> str:
        """Begin a run; returns its id, a UUID. Raises `FlowNotFound`, and `PayloadRefused` by the flow's schema or when
        it is more than the engine stores."""
        flow = self._flow(full_name)
        try:
            self._database.payloads.fitting(encode(payload))
        except NotSerializable as problem:
            raise PayloadRefused([str(problem)]) from problem
        if flow.schema is not None and (errors := errors_of(flow.schema, payload)):
            raise PayloadRefused(errors)
        about = About(str(uuid4()), definition_of(flow), comment)
        self._client.start(self._workflows[full_name], payload, vars(about), workflow_id=about.id)
        return about.id

    def get(self, id: str) -> FlowRun:  # noqa: A002 - the word of Director's interface
        """One run with its tasks. Raises `WorkflowNotFound`, also for a workflow that is no flow."""
        with self._database.reading() as connection:
            run, parts = flow_runs.flow_run(connection, id)
        about = self._about(run)
        if not is_filled_in(_input_of(run)[1]):
            run = replace(run, history={})  # what is there is not of the tasks
        return self._shown(run, [] if about is None else task_runs(about, run, parts))

    def page(self, page: int, per_page: int) -> list[FlowRun]:
        """Page number `page`, from 1, of all runs, the newest first, without their tasks; empty after the last."""
        with self._database.reading() as connection:
            runs = flow_runs.page(connection, most=per_page, skip=(page - 1) * per_page)
        return [self._shown(run, []) for run in runs]

    def count(self) -> int:
        """How many runs there are."""
        with self._database.reading() as connection:
            return flow_runs.count(connection)

    def relaunch(self, id: str) -> str:  # noqa: A002
        """Begin another run of the same flow, as it is defined now, with the same payload and comment; returns its id.
        Raises `WorkflowNotFound`, `FlowNotFound`, `PayloadRefused`."""
        with self._database.reading() as connection:
            run, _ = flow_runs.flow_run(connection, id)
        payload, about = _input_of(run)
        return self.start(run.name, payload, about.get("comment"))

    def cancel(self, id: str) -> None:  # noqa: A002
        """End a run at once, with the tasks it has begun; no hook runs. Raises `WorkflowNotFound`, `WorkflowClosed`."""
        with self._database.reading() as connection:
            run, parts = flow_runs.flow_run(connection, id)
        self._client.terminate(id, "canceled")
        for parent in (run, *sorted(parts.values(), key=lambda part: part.key)):
            settle_orphans(self._database, parent.key)

    def _flow(self, full_name: str) -> Flow:
        if full_name not in self._flows:
            raise FlowNotFound(full_name)
        return self._flows[full_name]

    def _about(self, run: StoredFlowRun) -> About | None:
        """What the run knows; of one that is not filled in yet, what it will know. None when its flow is gone."""
        _, about = _input_of(run)
        if "definition" not in about and run.name not in self._flows:
            return None
        filled = {"id": run.workflow_id, "definition": about.get("definition") or definition_of(self._flow(run.name))}
        return about_of(about | filled)

    def _shown(self, run: StoredFlowRun, tasks: list[TaskRun]) -> FlowRun:
        payload, about = _input_of(run)
        project, _, name = run.name.partition(".")
        return FlowRun(
            id=run.workflow_id,
            created=run.created_at,
            updated=run.updated_at,
            project=project,
            name=name,
            status=status_of(run),
            periodic=about.get("periodic", False),
            payload=payload,
            comment=about.get("comment"),
            tasks=tasks,
        )


def _input_of(run: StoredFlowRun) -> tuple[Any, dict[str, Any]]:
    """The payload of a run, and what it was told beside it. Whoever starts one by hand gives the payload alone."""
    try:
        args, kwargs = decode(run.input)
    except (Undecodable, TypeError, ValueError):
        return None, {}
    payload = args[0] if args else kwargs.get("payload")
    about = args[1] if len(args) > 1 else kwargs.get("about")
    return {} if payload is None else payload, about if isinstance(about, dict) else {}
