"""For tests: catches a workflow's own body when it asks the world for something that replay could not repeat.

A profile function sees every call of a C function that the body makes, in whatever way it was imported, and an audit
hook sees sockets and processes. Both are on only in the body's thread and only while the body itself runs: not
in activities, not in the engine. What a C function calls by itself is not seen. Production installs nothing of it.
"""

import _thread
import functools
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import PurePath
from types import FrameType, ModuleType
from typing import Any

from durable.context import current_execution, executing
from durable.definitions import Workflow
from durable.errors import NotDeterministic

_CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")
_STARTS = ("start_new_thread", "start_joinable_thread")
_FORBIDDEN: dict[Any, tuple[str, str]] = {
    **{getattr(time, name): (f"time.{name}", "durable.now()") for name in _CLOCKS},
    time.sleep: ("time.sleep", "durable.sleep()"),
    os.urandom: ("os.urandom", "an @activity for secrets, or durable.random()"),
    **{getattr(_thread, name): ("a thread", "durable.gather()") for name in _STARTS if hasattr(_thread, name)},
}
_OF_DATES = frozenset({"now", "utcnow", "today"})
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_AUDITED = {
    "socket.": "an @activity",
    "subprocess.Popen": "an @activity",
    "os.system": "an @activity",
    "os.fork": "an @activity",
}
_SHARED_CHANCE = random.random.__self__  # type: ignore[attr-defined] # the module's own generator
_AT_HOME = frozenset({"logging", "importlib._bootstrap"})
"""Who may look at the clock on the body's behalf, as nothing of it comes back to the body."""


class _Here(threading.local):
    watching: bool = False


_here = _Here()
_installing = threading.Lock()
_installed = False


def guarded(workflow: Workflow[..., Any]) -> Workflow[..., Any]:
    """The same workflow, whose body raises `NotDeterministic` where replay could not repeat what it does."""

    @functools.wraps(workflow.function)
    def body(*args: Any, **kwargs: Any) -> Any:
        with executing(_Engine(current_execution())), deterministic():
            return workflow.function(*args, **kwargs)

    return Workflow(body, workflow.options)


@contextmanager
def deterministic() -> Iterator[None]:
    """Raise `NotDeterministic` for what is not, in this thread, until the context ends."""
    _install_audit()
    with _switched(on=True):
        yield


class _Engine:
    """The execution as the body sees it: the engine may look at clocks, so the guard sleeps while it is in there."""

    def __init__(self, execution: Any) -> None:
        self._execution = execution

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._execution, name)
        return _unwatched(value) if callable(value) else value


def _unwatched(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        with _switched(on=False):
            return method(*args, **kwargs)

    return call


@contextmanager
def _switched(*, on: bool) -> Iterator[None]:
    before, profile = _here.watching, sys.getprofile()
    sys.setprofile(_see_call if on else None)
    _here.watching = on
    try:
        yield
    finally:
        _here.watching = before
        sys.setprofile(_see_call if before else profile)


def _see_call(frame: FrameType, event: str, function: Any) -> None:
    if event != "c_call" or not _here.watching:
        return
    found = _described(function)
    if found is not None and not _on_behalf(frame):
        what, instead = found
        if frame.f_globals.get("__name__") == "uuid":
            what, instead = "the uuid module", "durable.uuid4()"
        raise _refused(what, instead)


def _described(function: Any) -> tuple[str, str] | None:
    """What a C function is called and what to use instead, or None when it is harmless."""
    of = getattr(function, "__self__", None)
    if of is _SHARED_CHANCE:
        return "the random module", "durable.random()"
    if isinstance(of, type) and issubclass(of, date) and function.__name__ in _OF_DATES:
        return f"{of.__name__}.{function.__name__}", "durable.now()"
    return _FORBIDDEN.get(function) if isinstance(of, ModuleType) else None


def _on_behalf(frame: FrameType | None) -> bool:
    """Whether logging, an import or an installed library asks: none hands the answer to the body to decide by. A library
    may also be called by the garbage collector, in the middle of anything."""
    if frame is not None and _INSTALLED.intersection(PurePath(frame.f_code.co_filename).parts):
        return True
    while frame is not None and frame.f_globals.get("__name__") != __name__:
        if frame.f_globals.get("__name__") in _AT_HOME:
            return True
        frame = frame.f_back
    return False


def _install_audit() -> None:
    """An audit hook cannot be taken away again; it costs a look at a flag where no guard is on."""
    global _installed  # noqa: PLW0603 - one process, one hook
    with _installing:
        if not _installed:
            sys.addaudithook(_see_event)
            _installed = True


def _see_event(event: str, _arguments: tuple[Any, ...]) -> None:
    if not _here.watching:
        return
    for beginning, instead in _AUDITED.items():
        if event.startswith(beginning):
            raise _refused(event, instead)


def _refused(what: str, instead: str) -> NotDeterministic:
    return NotDeterministic(f"{what} in the body of a workflow: replay would see something else; use {instead}")
