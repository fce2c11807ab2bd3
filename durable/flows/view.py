"""What became of each task of a run, from the histories of the run and of its parts. Pure.

The steps of a history are numbered as `steps_of` numbers what a chain does, so nothing has to be run to know whose a step is.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from durable.flows.definition import Group, Hooks, Task
from durable.flows.running import About, steps_of, steps_of_part
from durable.model import Entry
from durable.postgres.flow_runs import StoredFlowRun
from durable.serde import decode

FlowStatus = Literal["pending", "progress", "success", "error", "canceled"]
SUCCESS_HOOK, FAILURE_HOOK = "success", "failure"
_ENDS: dict[str, FlowStatus] = {
    "completed": "success",
    "failed": "error",
    "terminated": "canceled",
    "cancelled": "canceled",
}
_STEPS: dict[str, FlowStatus] = {
    "started": "progress",
    "retrying": "progress",
    "done": "success",
    "failed": "error",
    "cancelled": "canceled",
}


@dataclass(frozen=True)
class TaskRun:
    """One task of a run. `id` stays the same for ever; `task` is the same, as in Director. `key` is the task's name.

    `status` is `pending` for what waits for its turn and for what will never have one: `reached` tells whether its turn
    came. `previous` are the ids of the tasks before it. `result` of a failed one is `{"exception": …, "traceback": …}`.
    `workflow_id` is the workflow that runs it, where that is not the flow's run itself, while that workflow is kept.
    """

    id: str
    created: datetime
    updated: datetime
    key: str
    status: FlowStatus
    task: str
    previous: list[str]
    result: Any
    is_hook: bool
    reached: bool
    workflow_id: str | None = None


@dataclass(frozen=True)
class FlowRun:
    """One run of a flow. `id` is its workflow id; `tasks` is empty where runs are listed."""

    id: str
    created: datetime
    updated: datetime
    project: str
    name: str
    status: FlowStatus
    periodic: bool
    payload: Any
    comment: str | None
    tasks: list[TaskRun] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        """`project.NAME`."""
        return f"{self.project}.{self.name}"


@dataclass(frozen=True)
class _Fate:
    """What became of one task: `result` is its own, or what `error_of` makes of its failure."""

    status: FlowStatus = "pending"
    result: Any = None
    updated: datetime | None = None
    reached: bool = False


def status_of(run: StoredFlowRun) -> FlowStatus:
    """The status of a run, in Director's words."""
    open_: FlowStatus = "progress" if run.has_begun or run.state != "waiting" else "pending"
    return _ENDS.get(run.state, open_)


def task_id(run_id: str, place: str) -> str:
    """The id of the task at a place of a run's definition."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"flow:{run_id}/{place}"))


def task_runs(about: About, run: StoredFlowRun, parts: Mapping[str, StoredFlowRun]) -> list[TaskRun]:
    """Every task of a run, in the order of its definition, then the hooks: that for success always, that for failure
    once the run has failed."""
    return list(_Sight(about, run, parts).everything())


@dataclass(frozen=True)
class _Sight:
    about: About
    root: StoredFlowRun
    parts: Mapping[str, StoredFlowRun]

    def everything(self) -> Iterator[TaskRun]:
        steps = list(steps_of(self.about.tasks))
        yield from self._chain(steps, self.root, [])[0]
        yield from self._hooks(self.about.hooks, len(steps))

    def _chain(
        self, steps: Iterable[tuple[str, Task | Group]], run: StoredFlowRun | None, previous: list[str]
    ) -> tuple[list[TaskRun], list[str]]:
        """The tasks of a chain, and the ids of those it ends with."""
        found: list[TaskRun] = []
        for step, (place, node) in enumerate(steps, start=1):
            if isinstance(node, Group):
                inside, previous = self._group(place, node, run, step, previous)
                found.extend(inside)
            else:
                found.append(self._shown(place, node.name, previous, self._fate(run, step), self._runner(run, step)))
                previous = [found[-1].id]
            if run is not None and step in run.history and run.history[step].state == "failed":
                run = None  # what comes after a failure is the hook's, not the chain's
        return found, previous

    def _group(
        self, place: str, group: Group, run: StoredFlowRun | None, step: int, previous: list[str]
    ) -> tuple[list[TaskRun], list[str]]:
        entry = None if run is None else run.history.get(step)
        answers = None if entry is None else _answers(entry)
        found: list[TaskRun] = []
        last: list[str] = []
        for number, member in enumerate(group.members):
            here = f"{place}.{number}"
            part = None if entry is None else self._member(run, step, number)
            if isinstance(member, Task):
                answer = None if answers is None else answers[number]
                inside = [self._shown(here, member.name, previous, _of_member(entry, answer, part), part)]
                ends = [inside[0].id]
            else:
                inside, ends = self._chain(steps_of_part(self.about.tasks, here), part, previous)
            found.extend(inside)
            last.extend(ends)
        return found, last

    def _hooks(self, hooks: Hooks, steps: int) -> Iterator[TaskRun]:
        if hooks.success is not None:
            fate = self._fate(self.root, steps + 1) if self._is_through(steps) else _Fate()
            runner = self._member(self.root, steps + 1, 0)
            yield self._shown(SUCCESS_HOOK, hooks.success, [], fate, runner, is_hook=True)
        failed = min((step for step, entry in self.root.history.items() if entry.state == "failed"), default=steps + 1)
        if hooks.failure is not None and failed <= steps and failed + 1 in self.root.history:
            fate, runner = self._fate(self.root, failed + 1), self._member(self.root, failed + 1, 0)
            yield self._shown(FAILURE_HOOK, hooks.failure, [], fate, runner, is_hook=True)

    def _is_through(self, steps: int) -> bool:
        """Whether every step of the flow itself is done, so that what follows is the hook for success."""
        history = self.root.history
        return all(step in history and history[step].state == "done" for step in range(1, steps + 1))

    def _fate(self, run: StoredFlowRun | None, step: int) -> _Fate:
        """What became of the task that is this step: a call, or on a queue of its own the only member of a gather."""
        entry = None if run is None else run.history.get(step)
        if entry is None or entry.kind != "gather":
            return _Fate() if entry is None else _of_entry(entry)
        answers = _answers(entry)
        return _of_member(entry, None if answers is None else answers[0], self._member(run, step, 0))

    def _member(self, run: StoredFlowRun | None, step: int, number: int) -> StoredFlowRun | None:
        return None if run is None else self.parts.get(run.member(step, number))

    def _runner(self, run: StoredFlowRun | None, step: int) -> StoredFlowRun | None:
        """The workflow whose step this is: a member begun for it alone, or the one of the chain it stands in."""
        return self._member(run, step, 0) or run

    def _shown(
        self,
        place: str,
        name: str,
        previous: Sequence[str],
        fate: _Fate,
        runner: StoredFlowRun | None,
        *,
        is_hook: bool = False,
    ) -> TaskRun:
        id_ = task_id(self.root.workflow_id, place)
        stopped = status_of(self.root) == "canceled" and fate.status in ("pending", "progress")
        return TaskRun(
            id=id_,
            created=self.root.created_at,
            updated=fate.updated or (self.root.updated_at if stopped else self.root.created_at),
            key=name,
            status="canceled" if stopped else fate.status,
            task=id_,
            previous=list(previous),
            result=fate.result,
            is_hook=is_hook,
            reached=fate.reached,
            workflow_id=None if runner is None or runner is self.root else runner.workflow_id,
        )


def error_of(failure: Mapping[str, Any]) -> dict[str, str]:
    """A failure as Director shows it."""
    return {"exception": failure["message"], "traceback": failure.get("traceback", "")}


def _of_entry(entry: Entry) -> _Fate:
    if entry.state == "started" and entry.kind == "activity" and entry.attempt == 0:
        return _Fate(reached=True)  # rewound, and not taken up yet
    value: Any = decode(entry.payload or "null") if entry.state in ("done", "failed") else None
    if entry.state == "failed":
        value = error_of(value)
    return _Fate(_STEPS[entry.state], value, entry.at, reached=True)


def _of_member(entry: Entry | None, answer: Mapping[str, Any] | None, member: StoredFlowRun | None) -> _Fate:
    """What became of a member of a gather: it stands in the answer, or else in the member's own history, which has one
    step. It may also be ended, or fail, before that has come to its end."""
    if entry is None:
        return _Fate()
    if answer is not None and "ok" in answer:
        return _Fate("success", answer["ok"], entry.at, reached=True)
    if member is None:
        result = None if answer is None else error_of(answer["failed"])
        return _Fate(_STEPS[entry.state] if answer is None else "error", result, entry.at, reached=True)
    fate = _of_entry(member.history[1]) if 1 in member.history else _Fate(reached=True)
    if fate.status in ("success", "error") or member.state not in _ENDS:
        return fate
    result = error_of({"message": member.reason or ""}) if member.state == "failed" else None
    return _Fate(_ENDS[member.state], result, member.updated_at, reached=True)


def _answers(entry: Entry) -> list[dict[str, Any]] | None:
    """What is known of the members of a gather: all, or in one that was rewound those that do not run again."""
    if entry.payload is None or entry.state == "cancelled":
        return None
    value = decode(entry.payload)
    return value if isinstance(value, list) else None if value is None else value.get("answers")
