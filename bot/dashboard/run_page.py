"""The page of one workflow: a run of it with its steps, what they were given and gave, its signals, kin and acts."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.api.management import Management
from bot.dashboard import gantt, graph, steering
from bot.dashboard.arguments import Arguments
from bot.dashboard.audit import masked
from bot.dashboard.gantt import Bar
from bot.dashboard.pages import Asked, NotThere, Pages, View
from bot.dashboard.values import MANY, Shown, Values
from durable.errors import StepNotFound, Undecodable, WorkflowNotFound
from durable.flows import FlowRun
from durable.inspector import Inspector
from durable.model import MEMBER_MARK, Entry
from durable.postgres import Database
from durable.postgres.inspection import ReceivedSignal, Relative, RunDetail
from durable.postgres.steering import ENDED
from durable.serde import decode
from handlers.records import acts

STEPS = 100
"""Steps on one page: the latest ones, unless earlier ones are asked for."""
_SIGNALS = _CHILDREN = 100
_TASKS = 300
_ACTS = 10
_LARGEST_NUMBER = 2**31 - 1


@dataclass(frozen=True)
class Step:
    """One step as the page shows it. `failure` is the error in a line, `traceback` where it was raised."""

    entry: Entry
    name: str
    state: str
    bar: Bar
    arguments: Shown
    result: Shown
    failure: str
    traceback: Shown
    is_large: bool


@dataclass(frozen=True)
class Received:
    """A signal as the page shows it."""

    signal: ReceivedSignal
    payload: Shown


@dataclass(frozen=True)
class Task:
    """A task of a flow as the page shows it. `previous` are the names of those before it."""

    key: str
    status: str
    reached: bool
    is_hook: bool
    updated: datetime
    result: Shown
    previous: Sequence[str]
    workflow_id: str | None


def add(pages: Pages, management: Management, database: Database, values: Values) -> None:
    """Add it, and the buttons on it."""
    page = _RunPage(management, database, values)
    pages.view("/workflows/{workflow_id}", page.view)
    steering.add(pages, management, page.view)


class _RunPage:
    def __init__(self, management: Management, database: Database, values: Values) -> None:
        self._management = management
        self._database = database
        self._inspector = Inspector(database)
        self._values = values
        self._arguments = Arguments(management.workflows)

    def view(self, asked: Asked, typed: Mapping[str, str] | None = None) -> View:
        """Everything about one run, with what was `typed` in a form. Raises `NotThere`."""
        workflow_id = asked.parameters["workflow_id"]
        run = self._run(workflow_id, asked.query.get("run"))
        before = _number(asked.query.get("before"))
        found = self._inspector.steps(workflow_id, run.run, before=before, limit=STEPS + 1)
        entries = found[-STEPS:]
        began_at = found[0].at if len(found) > STEPS else run.began_at
        bars = gantt.bars_of(entries, began_at)
        is_flow = "." in run.name and not run.name.startswith("@")
        flow = self._flow(run) if is_flow else None
        children = self._inspector.children(workflow_id, limit=_CHILDREN + 1) if run.is_present else []
        every = [*bars, *(_child(child) for child in reversed(children[:_CHILDREN]))]
        is_over = run.state in ENDED
        return View(
            "workflow.html",
            {
                "run": run,
                "typed": typed or {},
                "here": steering.page_of(workflow_id),
                "runs": self._inspector.runs(workflow_id) if run.last_run > 1 else [],
                "is_over": is_over,
                "wakes_at": run.wake_at if run.is_present and run.state in ("waiting", "ready") else None,
                "reason": self._values.text(run.reason or ""),
                "cancel_reason": self._values.text(run.cancel_reason or ""),
                "error": self._values.words(run.error),
                "input": self._values.of(flow.payload if flow else self._arguments.of_run(run.name, run.input)),
                "status": self._values.encoded(run.status),
                "result": self._values.encoded(run.result),
                "chart": gantt.svg(every, run.updated_at if is_over else asked.now),
                "steps": [self._step(entry, bar) for entry, bar in zip(entries, bars, strict=True)],
                "earlier": entries[0].step if len(found) > STEPS else None,
                "is_latest": before is None,
                "whole": self._whole(run, asked.query.get("step")),
                "signals": [self._received(each) for each in self._inspector.signals(workflow_id, limit=_SIGNALS)],
                "parent": self._inspector.parent(workflow_id),
                "children": children[:_CHILDREN],
                "more_children": len(children) > _CHILDREN,
                "flow": flow,
                "graph": graph.svg(flow.tasks) if flow else "",
                "tasks": self._tasks(flow) if flow else [],
                "acts": self._acts(workflow_id),
                "offered": steering.offered(run, is_flow=run.name in self._management.flows.flows),
                "failed_steps": [entry for entry in entries if entry.state == "failed"],
            },
        )

    def _run(self, workflow_id: str, number: str | None) -> RunDetail:
        wanted = None if number is None else _number(number)
        if "\x00" in workflow_id or (number is not None and wanted is None):
            raise NotThere(f"There is no workflow {workflow_id[:300]!r} with a run {(number or '')[:20]!r}.")
        try:
            return self._inspector.run(workflow_id, wanted)
        except WorkflowNotFound:
            which = "" if wanted is None else f" has no run {wanted}, or it"
            raise NotThere(
                f"The workflow {workflow_id[:300]}{which} is not here: it never began, or was forgotten since."
            ) from None

    def _flow(self, run: RunDetail) -> FlowRun | None:
        if not run.is_present:
            return None
        with suppress(WorkflowNotFound):
            return self._management.runs.get(run.workflow_id)
        return None

    def _step(self, entry: Entry, bar: Bar) -> Step:
        failure, traceback = self._failure(entry)
        result = Shown("") if failure or entry.payload is None else self._values.encoded(entry.payload)
        arguments = Shown("") if entry.arguments is None else self._values.of(self._arguments.of_step(entry))
        is_large = bool(result.left_out or arguments.left_out) or "not read here)" in f"{result.text}{arguments.text}"
        state = "waiting" if bar.wait and entry.state == "started" else entry.state
        return Step(entry, bar.name, state, bar, arguments, result, failure, traceback, is_large)

    def _failure(self, entry: Entry) -> tuple[str, Shown]:
        if entry.state != "failed" or entry.payload is None:
            return "", Shown("")
        error: Any = _decoded(entry.payload)
        if not isinstance(error, dict) or "error" not in error:
            return self._values.short(error), Shown("")
        told = f"{error['error']}: {error.get('message', '')}"
        return self._values.text(told), self._values.words(str(error.get("traceback") or ""))

    def _whole(self, run: RunDetail, number: str | None) -> dict[str, Any] | None:
        """One step with all of its values, if that is asked for. Raises `NotThere`."""
        if number is None:
            return None
        try:
            entry = self._inspector.step(run.workflow_id, run.run, _number(number) or 0)
        except StepNotFound:
            raise NotThere(f"Run {run.run} of the workflow {run.workflow_id} has no step {number[:20]}.") from None
        return {
            "entry": entry,
            "arguments": self._values.of(self._arguments.of_step(entry), most=MANY) if entry.arguments else None,
            "result": self._values.encoded(entry.payload, most=MANY) if entry.payload else None,
        }

    def _received(self, signal: ReceivedSignal) -> Received:
        return Received(signal, self._values.encoded(signal.payload))

    def _tasks(self, flow: FlowRun) -> list[Task]:
        names = {task.id: task.key for task in flow.tasks}
        return [
            Task(
                key=task.key,
                status=task.status,
                reached=task.reached,
                is_hook=task.is_hook,
                updated=task.updated,
                result=self._values.of(task.result) if task.result is not None else Shown(""),
                previous=[names.get(id_, id_) for id_ in task.previous],
                workflow_id=task.workflow_id,
            )
            for task in flow.tasks[:_TASKS]
        ]

    def _acts(self, workflow_id: str) -> list[acts.Act]:
        with self._database.reading() as connection:
            found = acts.latest(connection, subject=workflow_id, limit=_ACTS)
        return [masked(act, self._values) for act in found]


def _child(child: Relative) -> Bar:
    is_over = child.state in ENDED
    tones: dict[str, gantt.Tone] = {"completed": "done", "failed": "failed"}
    tone = tones.get(child.state, "cancelled" if is_over else "open")
    name = f"↳ {child.name.rpartition('.')[2].removeprefix(MEMBER_MARK)}"
    waits = child.state in ("waiting", "parked", "paused")
    return Bar(name, child.created_at, child.updated_at if is_over else None, tone, wait=waits)


def _decoded(encoded: str) -> Any:
    try:
        return decode(encoded)
    except Undecodable:
        return encoded


def _number(given: str | None) -> int | None:
    if given is None or not (given.isascii() and given.isdigit() and len(given) < 11):
        return None
    number = int(given)
    return number if number <= _LARGEST_NUMBER else None
