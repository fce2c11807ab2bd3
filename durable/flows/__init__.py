"""Flows: workflows written in YAML, in the format of Celery Director, run as ordinary durable workflows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from durable.definitions import Activity, Workflow
from durable.errors import DurableError
from durable.postgres.database import Database
from durable.retry import RetryPolicy

FlowStatus = Literal["pending", "progress", "success", "error", "canceled"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the flows: the file as it was named, the line (from 1), the key, and what is
    allowed."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        """`file:line: key: message`."""
        where = f"{self.file}:{self.line}"
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class FlowErrors(DurableError):
    """The flows cannot be used. `problems` are all of them; the text is one line for each."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class FlowNotFound(DurableError):
    """No flow has this full name."""


class PayloadRefused(DurableError):
    """The payload does not fit the flow's schema. `errors` says why, one text for each finding."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


@dataclass(frozen=True)
class Task:
    """One task by its name. `retry` and `timeout` (seconds), where given, go before those of its declaration."""

    name: str
    retry: RetryPolicy | None = None
    timeout: float | None = None


@dataclass(frozen=True)
class Group:
    """Side by side: waits for all members, and then fails if one failed. Hands on the list of their results."""

    name: str
    members: tuple["Node", ...]


@dataclass(frozen=True)
class Chain:
    """One after the other, each with the result of the one before. Hands on the last result."""

    name: str
    members: tuple["Node", ...]


Node = Task | Group | Chain


@dataclass(frozen=True)
class Hooks:
    """The tasks that run after a flow has succeeded or failed."""

    success: str | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Routing:
    """Which queue the tasks run on: `customs` by the task's name, else `default`."""

    default: str = "default"
    customs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Periodic:
    """When a flow runs by itself: every `interval` seconds, or by `crontab` (minute hour day month weekday), with
    `payload`."""

    interval: float | None = None
    crontab: str | None = None
    payload: Any = None


@dataclass(frozen=True)
class Flow:
    """One flow as its file says. `retention` is how many of its newest runs are kept (None: all); `raw` is the
    definition as it was read, JSON values only, with the schema in it."""

    project: str
    name: str
    tasks: tuple[Node, ...]
    hooks: Hooks
    queue: Routing
    schema: dict[str, Any] | None
    periodic: Periodic | None
    retention: int | None
    raw: dict[str, Any]

    @property
    def full_name(self) -> str:
        """`project.NAME`."""
        return f"{self.project}.{self.name}"


@dataclass(frozen=True)
class Flows:
    """Every flow of a folder, by full name, and the tasks they use."""

    flows: Mapping[str, Flow]

    def workflows(self) -> list[Workflow[..., Any]]:
        """What a worker needs in order to run them: one durable workflow for each flow, of its full name, and one for
        nested parts."""
        raise NotImplementedError

    def put_schedules(self, database: Database) -> None:
        """Make sure of a schedule `flow:<full name>` for each periodic flow, and delete those whose flow is gone or no
        longer periodic."""
        raise NotImplementedError


@dataclass(frozen=True)
class TaskRun:
    """One task of a run. `id` stays the same for ever. `status` is `pending` also for what will never be reached;
    `reached` tells whether it began. `result` of a failed one is `{"exception": …, "traceback": …}`. `key` is the
    task's name, `previous` the ids of the tasks before it; `task` is the id the engine knows it by, None before it began."""

    id: str
    created: datetime
    updated: datetime
    key: str
    status: FlowStatus
    task: str | None
    previous: list[str]
    result: Any
    is_hook: bool
    reached: bool


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


class FlowRuns:
    """Starts, shows, repeats and cancels runs of flows. `hint` is called after a commit that made something due."""

    def __init__(self, database: Database, flows: Flows, hint: Callable[[], None] | None = None) -> None:
        self._database = database
        self._flows = flows
        self._hint = hint

    def start(self, full_name: str, payload: Any, comment: str | None = None) -> str:
        """Begin a run; returns its id, a UUID. Raises `FlowNotFound`, and `PayloadRefused` by the flow's schema."""
        raise NotImplementedError

    def get(self, id: str) -> FlowRun:  # noqa: A002 - the word of Director's interface
        """One run with its tasks. Raises `WorkflowNotFound`, also for a workflow that is no flow."""
        raise NotImplementedError

    def page(self, page: int, per_page: int) -> list[FlowRun]:
        """Page number `page`, from 1, of all runs, the newest first, without their tasks; empty after the last."""
        raise NotImplementedError

    def count(self) -> int:
        """How many runs there are."""
        raise NotImplementedError

    def relaunch(self, id: str) -> str:  # noqa: A002
        """Begin another run of the same flow with the same payload and comment; returns its id. Raises
        `WorkflowNotFound`, `FlowNotFound`, `PayloadRefused`."""
        raise NotImplementedError

    def cancel(self, id: str) -> None:  # noqa: A002
        """End a run at once, with the tasks it has begun; no hook runs. Raises `WorkflowNotFound`, `WorkflowClosed`."""
        raise NotImplementedError


def task(name: str | None = None, **options: Any) -> Callable[[Callable[..., Any]], Activity[..., Any]]:
    """Declare `function(*args, **kwargs)` as a task: an activity that flows call by `name` (default: the function's).

    `args[0]` is the result of the task before (None for the first, a list after a group), `kwargs["payload"]` is the
    run's payload and `kwargs["workflow_id"]` its id. `options` are those of `@activity`; `bind=True` hands the task
    itself in as first argument.
    """
    raise NotImplementedError


def load(folder: Path) -> Flows:
    """Read `*.yml` and `*.yaml` in `folder`, the JSON Schemas in `schemas/`, and import `tasks/*.py`.

    Raises `FlowErrors` with everything that is wrong.
    """
    raise NotImplementedError


__all__ = [
    "Chain",
    "Flow",
    "FlowErrors",
    "FlowNotFound",
    "FlowRun",
    "FlowRuns",
    "FlowStatus",
    "Flows",
    "Group",
    "Hooks",
    "Node",
    "PayloadRefused",
    "Periodic",
    "Problem",
    "Routing",
    "Task",
    "TaskRun",
    "load",
    "task",
]
