"""Side by side: activities and child workflows run in parallel, on any worker, and awaited together."""

from collections.abc import Iterable
from typing import Any, ParamSpec, TypeVar

from durable.context import require_execution
from durable.definitions import Activity, Workflow, registered_activities
from durable.errors import ActivityFailed
from durable.model import MEMBER_MARK, ActivitySpec, AwaitChild, Gather, Member, ParentClose, StartChild
from durable.replay import encode_input

P = ParamSpec("P")
R = TypeVar("R")


def call(function: Activity[P, R] | Workflow[P, R], *args: P.args, **kwargs: P.kwargs) -> Member:
    """A call to be made by `gather` or `first_of`: of an activity, or of a workflow as a child."""
    input_ = encode_input(args, kwargs)
    if isinstance(function, Workflow):
        return Member(function.name, input_, function.options)
    return Member(_member_name(function.spec), input_)


def gather(*calls: Member, wait_for_all: bool = False, raise_failed: bool = False) -> list[Any]:
    """Run all calls in parallel, on any worker, and return their results in the order of the calls.

    The first failure is raised as `ActivityFailed` and ends the others. With `wait_for_all` every call is waited for,
    and a failed one stands in the list as its `ActivityFailed`; with `raise_failed` too, the first of these is raised
    when all have ended, and a rewind runs only those again. A thousand calls wake the workflow once.
    """
    if raise_failed and not wait_for_all:
        raise ValueError(
            "gather: raise_failed says what becomes of failures when all have ended; it needs wait_for_all"
        )
    command = Gather(tuple(calls), fail_fast=not wait_for_all, fail_late=raise_failed)
    answers = require_execution("gather").perform(command)
    return [_answer(answer) for answer in answers]


def first_of(*calls: Member) -> tuple[int, Any]:
    """Run all calls in parallel; returns the number (from 0) and the result of the first to end. The others are
    cancelled: a workflow among them sees `Cancelled` and may clean up. Raises `ActivityFailed` when the first to end has
    failed, and ends the others."""
    if not calls:
        raise ValueError("first_of: no call was given, so none can be the first")
    number, result = require_execution("first_of").perform(Gather(tuple(calls), fail_fast=False, race=True))
    return number, result


class Child:
    """A workflow that this one started; `workflow_id` is its id."""

    def __init__(self, workflow_id: str) -> None:
        self.workflow_id = workflow_id

    def result(self) -> Any:
        """Wait for its end and return its result; raises `ActivityFailed` when it did not complete."""
        return require_execution("result").perform(AwaitChild(self.workflow_id))


def start_child(
    workflow: Workflow[..., Any],
    *args: Any,
    workflow_id: str | None = None,
    on_parent_close: ParentClose = "terminate",
    **kwargs: Any,
) -> Child:
    """Start a workflow and go on. When this one ends first, the child is left alone ("abandon"), asked to end
    ("cancel") or ended ("terminate"). Raises `ActivityFailed` when the id is taken."""
    member = Member(workflow.name, encode_input(args, kwargs), workflow.options)
    return Child(require_execution("start_child").perform(StartChild(member, workflow_id, on_parent_close)))


def runnable(workflows: Iterable[Workflow[..., Any]]) -> dict[str, Workflow[..., Any]]:
    """What a worker can run, by name: its workflows, and one for each activity that a `gather` may ask for.

    Raises `ValueError` for two workflows of one name.
    """
    given = list(workflows)
    named = {workflow.name: workflow for workflow in given}
    if len(named) != len(given):
        raise ValueError(f"two workflows have the same name: {sorted(workflow.name for workflow in given)}")
    members = {_member_name(spec): _member_workflow(spec) for spec in registered_activities()}
    return members | named


def _member_name(spec: ActivitySpec) -> str:
    return f"{MEMBER_MARK}{spec.function.__module__}.{spec.function.__qualname__}"


def _member_workflow(spec: ActivitySpec) -> Workflow[..., Any]:
    activity: Activity[..., Any] = Activity(spec)

    def run_member(*args: Any, **kwargs: Any) -> Any:
        return activity(*args, **kwargs)

    return Workflow(run_member)


def _answer(answer: dict[str, Any]) -> Any:
    if "ok" in answer:
        return answer["ok"]
    failed = answer["failed"]
    return ActivityFailed(failed["name"].removeprefix(MEMBER_MARK), failed["error"], failed["message"])
