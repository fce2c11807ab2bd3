"""What a flow is, and how one is made of its definition: JSON values as they stand in the YAML, already checked."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from durable.retry import RetryPolicy

_PARTS = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
_DEFAULT_QUEUE = "default"


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

    default: str = _DEFAULT_QUEUE
    customs: Mapping[str, str] = field(default_factory=dict)

    def queue_of(self, task: str) -> str:
        """The queue of the task of this name."""
        return self.customs.get(task, self.default)


@dataclass(frozen=True)
class Periodic:
    """When a flow runs by itself: every `interval` seconds, or by `crontab` (minute, hour, day of month, month, day of
    week, in UTC); and with what payload."""

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


def flow_of(full_name: str, raw: dict[str, Any]) -> Flow:
    """The flow of a definition that has been checked."""
    project, _, name = full_name.partition(".")
    return Flow(
        project=project,
        name=name,
        tasks=nodes_of(raw["tasks"]),
        hooks=hooks_of(raw),
        queue=routing_of(raw),
        schema=raw.get("schema"),
        periodic=_periodic(raw["periodic"]) if "periodic" in raw else None,
        retention=retention_of(raw),
        raw=raw,
    )


def nodes_of(items: Sequence[Any]) -> tuple[Node, ...]:
    """The parts of a flow from the items of its `tasks`."""
    return tuple(_node(item) for item in items)


def hooks_of(raw: Mapping[str, Any]) -> Hooks:
    """The hooks of a definition."""
    return Hooks(**raw.get("hooks", {}))


def routing_of(raw: Mapping[str, Any]) -> Routing:
    """The queues of a definition."""
    given = raw.get("queue", _DEFAULT_QUEUE)
    if isinstance(given, str):
        return Routing(given)
    return Routing(given.get("default", _DEFAULT_QUEUE), given.get("customs", {}))


def retention_of(raw: Mapping[str, Any]) -> int | None:
    """How many of the newest runs a definition keeps; None for all."""
    offset: int = raw.get("retention", {}).get("offset", -1)
    return offset if offset >= 0 else None


def tasks_in(nodes: Sequence[Node]) -> Iterator[str]:
    """The name of every task, in the order of the file."""
    for node in nodes:
        if isinstance(node, Task):
            yield node.name
        else:
            yield from tasks_in(node.members)


def retry_of(given: dict[str, Any]) -> RetryPolicy:
    """The policy of a `retry`; what it does not say is as `RetryPolicy` has it. Raises `ValueError`."""
    first = seconds(given.get("first", RetryPolicy.first))
    longest = seconds(given.get("longest", max(first, RetryPolicy.longest)))
    return RetryPolicy(
        first, given.get("factor", RetryPolicy.factor), longest, given.get("attempts", RetryPolicy.attempts)
    )


def seconds(given: float | str) -> float:
    """A length of time as people write it: `30`, `90s`, `5m`, `1h30m`, `2d`. Raises `ValueError`."""
    if not isinstance(given, str):
        return float(given)
    parts = _PARTS.fullmatch(given.strip().lower())
    if parts is None or not any(parts.groups()):
        raise ValueError(f"{given!r} is no length of time; allowed: seconds, or one such as 90s, 5m, 1h30m, 2d")
    days, hours, minutes, rest = (float(part or 0) for part in parts.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def crontab_of(schedule: str) -> str:
    """The crontab of a legacy `schedule`, in which the day of the week stands before the day of the month and the month.

    Raises `ValueError` when it has not five fields.
    """
    minute, hour, weekday, day, month = schedule.split()
    return f"{minute} {hour} {day} {month} {weekday}"


def _node(item: Any) -> Node:
    if isinstance(item, str):
        return Task(item)
    [(name, given)] = item.items()
    if "tasks" not in given:
        retry = retry_of(given["retry"]) if "retry" in given else None
        return Task(name, retry, seconds(given["timeout"]) if "timeout" in given else None)
    return (Chain if given["type"] == "chain" else Group)(name, nodes_of(given["tasks"]))


def _periodic(given: dict[str, Any]) -> Periodic:
    payload = given.get("payload", {})
    if "interval" in given:
        return Periodic(interval=float(given["interval"]), payload=payload)
    if "crontab" in given:
        return Periodic(crontab=given["crontab"], payload=payload)
    try:
        return Periodic(interval=float(given["schedule"]), payload=payload)
    except ValueError:
        return Periodic(crontab=crontab_of(given["schedule"]), payload=payload)
