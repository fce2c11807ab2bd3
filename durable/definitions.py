"""The decorators: what a workflow, an activity and a transaction are, declared where they are written."""

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, get_args, overload

from durable import context
from durable.errors import OutsideWorkflow
from durable.model import ActivitySpec, CallActivity, Reuse, WorkflowOptions
from durable.retry import RetryPolicy

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Found(Generic[T]):
    """What `verify` answers when it finds the effect in the world: `value` becomes the activity's result."""

    def __init__(self, value: T) -> None:
        self.value = value


class Workflow(Generic[P, R]):
    """A function whose steps are journaled. Called directly it is the plain function."""

    def __init__(self, function: Callable[P, R], options: WorkflowOptions = WorkflowOptions()) -> None:  # noqa: B008 - frozen
        self.function = function
        self.name = function.__name__
        self.options = options
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The plain call, as part of whoever calls."""
        return self.function(*args, **kwargs)


class Activity(Generic[P, R]):
    """A function that touches the world: journaled inside a workflow, a plain call elsewhere."""

    def __init__(self, spec: ActivitySpec) -> None:
        self.spec = spec
        self.name = spec.name
        self.function: Callable[..., R] = spec.function
        functools.update_wrapper(self, spec.function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Inside a workflow a journaled step, elsewhere the plain call."""
        execution = context.current_execution()
        if execution is not None:
            result: R = execution.perform(CallActivity(self.spec, args, kwargs))
            return result
        if self.spec.transactional:
            raise OutsideWorkflow(
                f"{self.name} is a @transaction: call it inside a workflow, or {self.name}.function(connection, …)"
            )
        return self.function(*args, **kwargs)


class WorkflowDecorator(Protocol):
    """What `@workflow(…)` with options is: it takes a function of any signature."""

    def __call__(self, function: Callable[P, R], /) -> Workflow[P, R]:
        """The function as a workflow."""
        ...


@overload
def workflow(function: Callable[P, R], /) -> Workflow[P, R]: ...
@overload
def workflow(
    *,
    queue: str = "default",
    priority: int = 0,
    deadline: timedelta | None = None,
    retention: timedelta | None = None,
    version: str | None = None,
    reuse: Reuse = "allow_closed",
) -> WorkflowDecorator: ...
def workflow(
    function: Callable[..., Any] | None = None,
    /,
    *,
    queue: str = "default",
    priority: int = 0,
    deadline: timedelta | None = None,
    retention: timedelta | None = None,
    version: str | None = None,
    reuse: Reuse = "allow_closed",
) -> Any:
    """Declare a workflow: an ordinary synchronous function. Its name is the function's.

    `queue` says which workers and which limits go for it. Among what is due, a higher `priority` goes first. A run that
    takes longer than `deadline` is cancelled. An ended one is forgotten after `retention` (None: the engine's 30 days).
    With `version` only workers of that version run it; without, any release may go on with any run.

    `reuse` says what a start makes of an id that was used before: with "allow_closed" an ended workflow begins its next
    run; "reject" raises `WorkflowIdTaken` for it; both change nothing while one runs. With "terminate" one that runs is
    ended at once and the next run begins. `Client.start` may say otherwise, and an operator's restart does not ask.
    `Client.signal_with_start` says what it makes of it. Children, whose ids must be free, and schedules, whose times are
    decided on once, do not go by it. Raises `ValueError` for any other value.
    """
    options = WorkflowOptions(queue, priority, deadline, retention, version, checked_reuse(reuse))

    def declare(inner: Callable[..., Any]) -> Workflow[..., Any]:
        return Workflow(inner, options)

    return declare if function is None else declare(function)


def checked_reuse(reuse: Reuse) -> Reuse:
    """The value itself. Raises `ValueError` that says what it may be."""
    if reuse not in get_args(Reuse):
        raise ValueError(f"reuse is {reuse!r}, must be one of {', '.join(get_args(Reuse))}")
    return reuse


class ActivityDecorator(Protocol):
    """What `@activity(…)` without `verify` is: it takes a function of any signature."""

    def __call__(self, function: Callable[P, R], /) -> Activity[P, R]:
        """The function as an activity."""
        ...


@overload
def activity(function: Callable[P, R], /) -> Activity[P, R]: ...
@overload
def activity(
    *,
    verify: Callable[P, Found[R] | None],
    retry: RetryPolicy = ...,
    non_retryable: tuple[type[Exception], ...] = (),
    timeout: float = 10.0,
) -> Callable[[Callable[P, R]], Activity[P, R]]: ...
@overload
def activity(
    *, retry: RetryPolicy = ..., non_retryable: tuple[type[Exception], ...] = (), timeout: float = 10.0
) -> "ActivityDecorator": ...
def activity(
    function: Callable[..., Any] | None = None,
    /,
    *,
    verify: Callable[..., Any] | None = None,
    retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen: one shared value is what is meant
    non_retryable: tuple[type[Exception], ...] = (),
    timeout: float = 10.0,
) -> Any:
    """Declare an activity, and what a crash in its middle means.

    Without `verify` it is safe to repeat. With it, the engine calls `verify` with the same arguments before it repeats
    a call that may have happened: `Found(result)` is adopted, None means it did not happen, and while `verify` raises
    the effect stays in doubt and is never repeated. `timeout` is in seconds. Errors in `non_retryable` fail at once.
    """

    def declared(inner: Callable[..., Any]) -> Activity[..., Any]:
        return Activity(declare(ActivitySpec(inner.__name__, inner, verify, retry, non_retryable, timeout)))

    return declared if function is None else declared(function)


def transaction(function: Callable[Concatenate[Any, P], R]) -> Activity[P, R]:
    """Declare a step on our own database: it runs in the transaction of its journal row, in a savepoint, so it happens
    exactly once. Its first parameter is the SQLAlchemy connection; the workflow calls it without."""
    return Activity(declare(ActivitySpec(function.__name__, function, transactional=True)))


def declare(spec: ActivitySpec) -> ActivitySpec:
    """The declaration itself, known from now on to every worker in this process."""
    _activities[_full_name(spec)] = spec
    return spec


_activities: dict[str, ActivitySpec] = {}
"""By module and name, so that any worker that loaded the module can run a call for somebody else."""


def _full_name(spec: ActivitySpec) -> str:
    return f"{spec.function.__module__}.{spec.function.__qualname__}"


def registered_activities() -> list[ActivitySpec]:
    """Every activity and transaction that was declared so far, in the modules that were loaded."""
    return list(_activities.values())
