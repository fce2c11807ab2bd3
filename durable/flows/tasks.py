"""What a task is: an activity that flows call by its name. Declaring one makes it known in this process."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from durable.definitions import Activity, declare
from durable.flows.definition import Task
from durable.model import ActivitySpec
from durable.retry import RetryPolicy

TIMEOUT_S = 3600.0
"""Celery gives a task all the time in the world. Here one that takes an hour longer without a heartbeat counts as hung."""
AFTER_CRASHES = RetryPolicy(attempts=5)
AT_ONCE: tuple[type[Exception], ...] = (Exception,)
"""An error fails a task at once, as in Celery; only when its worker dies in the middle it is begun again."""

_OPTIONS = ("bind", "retry", "timeout", "verify", "non_retryable")
_OF_CELERY = {
    "max_retries": "retry=RetryPolicy(attempts=…)",
    "default_retry_delay": "retry=RetryPolicy(first=…)",
    "retry_backoff": "retry=RetryPolicy(factor=…)",
    "autoretry_for": "retry=RetryPolicy(…), and non_retryable for what is not",
    "time_limit": "timeout=…",
    "soft_time_limit": "timeout=…",
    "rate_limit": "a queue of its own with a rate",
}
_declared: dict[str, Activity[..., Any]] = {}


def task(name: str, **options: Any) -> Callable[[Callable[..., Any]], Activity[..., Any]]:
    """Declare `function(*args, **kwargs)` as the task called `name`.

    `args[0]` is the result of the task before (None for the first one, a list after a group), `kwargs["payload"]` the
    run's payload, `kwargs["workflow_id"]` its id. `options` are those of `@activity`; with `bind=True` the function gets
    the task itself first. An error fails the task at once unless `retry` or `verify` is given. Without `verify` the task
    is safe to repeat: it is begun again when its worker died in the middle of it.

    Raises `TypeError` for another option, `ValueError` when another function has the name.
    """
    if not isinstance(name, str):
        raise TypeError('a task needs a name: write @task(name="…")')
    for option in options.keys() - set(_OPTIONS):
        instead = _OF_CELERY.get(option, f"there are {', '.join(_OPTIONS)}")
        raise TypeError(f"task {name!r}: option {option!r} is not known here; {instead}")

    def declare_task(function: Callable[..., Any]) -> Activity[..., Any]:
        activity: Activity[..., Any] = Activity(declare(_spec(name, function, **options)))
        if isinstance(activity.function, _Bound):
            activity.function.task = activity
        known = _declared.get(name)
        if known is not None and _origin(known) != _origin(activity):
            raise ValueError(f"task {name!r} is declared twice: by {_origin(known)} and by {_origin(activity)}")
        _declared[name] = activity
        return activity

    return declare_task


def declared_tasks() -> dict[str, Activity[..., Any]]:
    """Every task that was declared so far, by name."""
    return dict(_declared)


def forget_tasks_of(package: str) -> None:
    """Forget the tasks that the modules of a package declared, because they are about to be loaded anew."""
    for name, activity in list(_declared.items()):
        if str(activity.function.__module__).partition(".")[0] == package:
            del _declared[name]


def adapted(activity: Activity[..., Any], node: Task) -> Activity[..., Any]:
    """The task with the retry and the timeout that a flow gives it."""
    spec = activity.spec
    if node.retry is not None:
        given = () if spec.non_retryable == AT_ONCE else spec.non_retryable
        spec = replace(spec, retry=node.retry, non_retryable=given)
    if node.timeout is not None:
        spec = replace(spec, timeout=node.timeout)
    return Activity(spec)


def _spec(
    name: str,
    function: Callable[..., Any],
    *,
    bind: bool = False,
    retry: RetryPolicy | None = None,
    non_retryable: tuple[type[Exception], ...] | None = None,
    timeout: float = TIMEOUT_S,
    verify: Callable[..., Any] | None = None,
) -> ActivitySpec:
    if non_retryable is None:
        non_retryable = AT_ONCE if retry is None and verify is None else ()
    called = _Bound(function) if bind else function
    return ActivitySpec(name, called, verify, retry or AFTER_CRASHES, non_retryable, timeout)


class _Bound:
    """A function that gets its own task first."""

    task: Activity[..., Any]

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it."""
        return self._function(self.task, *args, **kwargs)


def _origin(activity: Activity[..., Any]) -> str:
    return f"{activity.function.__module__}.{activity.function.__qualname__}"
