"""A flow as an ordinary durable workflow: what stands in its YAML is done by the engine's verbs.

The definition travels in the run's input, so a file that is changed never disturbs a run under way. In a run, and in each
nested part, the steps of the history are numbered as the parts of the chain are: task or group number n is step n.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any

from durable.context import info
from durable.definitions import Activity, Workflow, activity
from durable.errors import ActivityFailed
from durable.fanout import gather
from durable.flows.definition import (
    Chain,
    Flow,
    Group,
    Hooks,
    Node,
    Routing,
    Task,
    hooks_of,
    nodes_of,
    retention_of,
    routing_of,
)
from durable.flows.errors import PayloadRefused, TaskUnknown
from durable.flows.schemas import errors_of
from durable.flows.tasks import adapted
from durable.model import MEMBER_MARK, Member, WorkflowOptions
from durable.replay import encode_input
from durable.retry import RetryPolicy
from durable.verbs import continue_as_new

Tasks = Mapping[str, Activity[..., Any]]
PART = "flow_part"
FOR_GOOD = timedelta(days=365 * 100)


@dataclass(frozen=True)
class About:
    """What a run knows beside its payload; it is stored as a plain mapping. `id` is the run's workflow id."""

    id: str
    definition: dict[str, Any]
    comment: str | None = None
    periodic: bool = False

    @property
    def tasks(self) -> tuple[Node, ...]:
        """The parts of the flow."""
        return nodes_of(self.definition["tasks"])

    @property
    def hooks(self) -> Hooks:
        """The hooks of the flow."""
        return hooks_of(self.definition)

    @property
    def routing(self) -> Routing:
        """Which queue each task runs on."""
        return routing_of(self.definition)

    def options(self, queue: str) -> WorkflowOptions:
        """Those of the run and of what is begun for it."""
        return options_of(retention_of(self.definition), queue)


def about_of(given: Mapping[str, Any]) -> About:
    """What a run was told; what only a newer release knows of is left out."""
    return About(**{known.name: given[known.name] for known in fields(About) if known.name in given})


def is_filled_in(given: Mapping[str, Any]) -> bool:
    """Whether a run was told all that it has to know; before that, its history is not that of its tasks."""
    return "id" in given and "definition" in given


def definition_of(flow: Flow) -> dict[str, Any]:
    """What a run has to know of its flow."""
    return {key: flow.raw[key] for key in ("tasks", "hooks", "queue", "retention") if key in flow.raw}


def options_of(newest: int | None, queue: str) -> WorkflowOptions:
    """Where a number of runs is kept their age does not count."""
    return WorkflowOptions(queue=queue, retention=None if newest is None else FOR_GOOD)


def flow_workflow(flow: Flow, tasks: Tasks) -> Workflow[..., Any]:
    """The durable workflow of a flow, of its full name.

    It takes the payload and, as a mapping, what `About` holds. What is not given (a schedule knows no id, whoever starts
    it by hand gives the payload alone) is filled in first, and the run continues as new with it.
    """

    def run(payload: Any = None, about: dict[str, Any] | None = None) -> Any:
        told = about or {}
        if not is_filled_in(told):
            _begin_properly(flow, {} if payload is None else payload, told)
        return _Run(about_of(told), payload, tasks).whole()

    return _named(flow.full_name, run, options_of(flow.retention, flow.queue.default))


def part_workflow(tasks: Tasks) -> Workflow[..., Any]:
    """The durable workflow of a group or chain within a group: it is found by its place in the definition."""

    def run(about: dict[str, Any], payload: Any, place: str, before: Any) -> Any:
        known = about_of(about)
        return _Run(known, payload, tasks).chain(steps_of_part(known.tasks, place), before)

    return _named(PART, run)


def task_workflow(task: Activity[..., Any]) -> Workflow[..., Any]:
    """The durable workflow that runs one task beside others, or on a queue of its own. Only a worker that has the task
    takes it."""

    def run(options: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
        retry = options["retry"]
        node = Task(task.name, None if retry is None else RetryPolicy(**retry), options["timeout"])
        return adapted(task, node)(*args, **kwargs)

    return _named(MEMBER_MARK + task.name, run)


def steps_of(nodes: Sequence[Node], place: str = "") -> Iterator[tuple[str, Task | Group]]:
    """What a chain does step by step, each with its place: a chain within a chain is part of it."""
    for number, node in enumerate(nodes):
        here = f"{place}.{number}".lstrip(".")
        if isinstance(node, Chain):
            yield from steps_of(node.members, here)
        else:
            yield here, node


def steps_of_part(nodes: Sequence[Node], place: str) -> list[tuple[str, Task | Group]]:
    """What the nested part at `place` does step by step."""
    first, *others = (int(number) for number in place.split("."))
    node = nodes[first]
    for number in others:
        if not isinstance(node, Task):
            node = node.members[number]
    return list(steps_of(node.members, place)) if isinstance(node, Chain) else [(place, node)]


@dataclass(frozen=True)
class _Run:
    """One run of a flow, as its body and the bodies of its nested parts see it."""

    about: About
    payload: Any
    tasks: Tasks

    def whole(self) -> Any:
        hooks = self.about.hooks
        try:
            result = self.chain(steps_of(self.about.tasks), None)
        except ActivityFailed:
            if hooks.failure is not None:
                # A member: should the hook fail too, that is no step to rewind to.
                gather(self._member(Task(hooks.failure), ()), wait_for_all=True)
            raise
        if hooks.success is not None:
            self._task(Task(hooks.success), None)
        return result

    def chain(self, steps: Iterable[tuple[str, Task | Group]], before: Any) -> Any:
        for place, step in steps:
            before = self._group(place, step, before) if isinstance(step, Group) else self._task(step, before)
        return before

    def _group(self, place: str, group: Group, before: Any) -> Any:
        members = (self._member(member, (before,), f"{place}.{number}") for number, member in enumerate(group.members))
        return gather(*members, wait_for_all=True, raise_failed=True)

    def _task(self, task: Task, before: Any) -> Any:
        if self.about.routing.queue_of(task.name) != self.about.routing.default:
            [result] = gather(self._member(task, (before,)), wait_for_all=True, raise_failed=True)
            return result
        if task.name not in self.tasks:
            raise TaskUnknown(task.name)
        return adapted(self.tasks[task.name], task)(before, **self._keywords())

    def _member(self, node: Node, args: tuple[Any, ...], place: str = "") -> Member:
        """What runs beside others: a task by itself, on its queue, or all that is nested at this place."""
        if isinstance(node, Task):
            options = {"retry": None if node.retry is None else asdict(node.retry), "timeout": node.timeout}
            input_ = encode_input((options, list(args), self._keywords()), {})
            queue = self.about.routing.queue_of(node.name)
            return Member(MEMBER_MARK + node.name, input_, self.about.options(queue))
        input_ = encode_input((asdict(self.about), self.payload, place, *args), {})
        return Member(PART, input_, self.about.options(self.about.routing.default))

    def _keywords(self) -> dict[str, Any]:
        return {"workflow_id": self.about.id, "payload": self.payload}


@activity
def own_id() -> str:
    """The id of the run that asks."""
    return info().workflow_id


def _begin_properly(flow: Flow, payload: Any, about: dict[str, Any]) -> None:
    errors = [] if flow.schema is None else errors_of(flow.schema, payload)
    if errors:
        raise PayloadRefused(errors)
    continue_as_new(payload, {"definition": definition_of(flow)} | about | {"id": own_id()})


def _named(
    name: str,
    function: Callable[..., Any],
    options: WorkflowOptions = WorkflowOptions(),  # noqa: B008 - frozen
) -> Workflow[..., Any]:
    function.__name__ = function.__qualname__ = name
    return Workflow(function, options)
