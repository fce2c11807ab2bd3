"""Who is running here: the workflow or the activity that the current thread serves."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, cast

from durable.errors import OutsideWorkflow
from durable.model import ActivityInfo, Command

T = TypeVar("T")


class Execution(Protocol):
    """What the verbs need of the workflow that runs."""

    def perform(self, command: Command) -> Any:
        """Answer a command from history, in place, or by suspending."""
        ...


class _Here(threading.local):
    execution: Any = None
    info: ActivityInfo | None = None
    resources: Mapping[type, Any] | None = None
    beat: Callable[[], None] | None = None


_here = _Here()


def current_execution() -> Any:
    """The execution whose workflow body runs in this thread, or None."""
    return _here.execution


def require_execution(verb: str) -> Any:
    """The execution, or `OutsideWorkflow` that names the verb."""
    if _here.execution is None:
        raise OutsideWorkflow(
            f"{verb}() works inside a @workflow only, in the thread the workflow runs in; here there is none"
        )
    return _here.execution


@contextmanager
def executing(execution: Execution) -> Iterator[None]:
    """Make `execution` the one the verbs of this thread talk to."""
    before = _here.execution
    _here.execution = execution
    try:
        yield
    finally:
        _here.execution = before


@contextmanager
def serving(
    info: ActivityInfo, resources: Mapping[type, Any], beat: Callable[[], None] | None = None
) -> Iterator[None]:
    """Make this thread serve an activity: verbs are out of reach, `info()`, `resource()` and `heartbeat()` answer."""
    before = (_here.execution, _here.info, _here.resources, _here.beat)
    _here.execution, _here.info, _here.resources, _here.beat = None, info, resources, beat
    try:
        yield
    finally:
        _here.execution, _here.info, _here.resources, _here.beat = before


def info() -> ActivityInfo:
    """The call this activity serves. Raises `OutsideWorkflow` where no activity runs."""
    if _here.info is None:
        raise OutsideWorkflow("info() works inside an activity that a workflow called; here there is none")
    return _here.info


def heartbeat() -> None:
    """Say from within a long activity that it is alive: its time begins anew. Without this, a call that takes a minute
    longer than its `timeout` is taken for hung and given to another worker. Ends the call when that has happened.

    Outside a workflow it does nothing.
    """
    if _here.beat is not None:
        _here.beat()


def resource(kind: type[T]) -> T:
    """What the worker was given under the class `kind` (a Protocol will do). Raises `OutsideWorkflow` without one."""
    if _here.resources is None:
        raise OutsideWorkflow("resource() works inside an activity that a workflow called; here there is none")
    if kind not in _here.resources:
        raise OutsideWorkflow(f"resource({kind.__name__}): this worker was built without one")
    return cast(T, _here.resources[kind])
