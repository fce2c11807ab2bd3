"""The replay core: (workflow function, arguments, history) gives an outcome. It knows no clock and no database.

A verb asks for an answer. What the history holds is handed back; what it does not hold, the runtime answers, at once
or by suspending. PostgreSQL's worker and a test are two runtimes.
"""

import random
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from durable.context import executing
from durable.definitions import Workflow
from durable.errors import Abandoned, ActivityFailed, ContinueAsNew, Diverged, NotSerializable, Suspended, Undecodable
from durable.model import Command, Entry
from durable.serde import decode, encode


class Runtime(Protocol):
    """Whoever answers what history does not hold."""

    def answer(self, step: int, command: Command, entry: Entry | None) -> Entry:
        """The entry, done or failed, that answers `command` at `step`. `entry` is what history holds of it so far, if
        anything. Raises `Suspended` when the answer has to be waited for, `Abandoned` when this runtime must stop."""
        ...

    def set_status(self, value: str) -> None:
        """Show this encoded value with the next commit."""
        ...


@dataclass(frozen=True)
class Completed:
    """The function returned; `result` is encoded."""

    result: str


@dataclass(frozen=True)
class Failed:
    """The function raised. `error` is the class name, `detail` the traceback."""

    error: str
    message: str
    detail: str


@dataclass(frozen=True)
class Continued:
    """The run ends and goes on as a new one; `input` is encoded."""

    input: str


@dataclass(frozen=True)
class Waiting:
    """The workflow suspended; its runtime knows for what."""


@dataclass(frozen=True)
class Divergence:
    """The code does not match the history. Nothing was written."""

    message: str


@dataclass(frozen=True)
class GivenUp:
    """The runtime had to stop in the middle; somebody else goes on."""


Outcome = Completed | Failed | Continued | Waiting | Divergence | GivenUp


def encode_input(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """The arguments of a call as JSON text."""
    return encode([list(args), kwargs])


class Replay:
    """One pass through a workflow's code against one history."""

    def __init__(self, history: Mapping[int, Entry], runtime: Runtime, *, began: datetime, seed: str) -> None:
        self._history = history
        self._runtime = runtime
        self._now = began
        self._step = 0
        self._stopped: Suspended | Abandoned | Diverged | None = None
        self.chance = random.Random(seed)  # noqa: S311 - replayable on purpose, documented as no source of secrets

    def now(self) -> datetime:
        """When the last step ended."""
        return self._now

    def set_status(self, value: Any) -> None:
        """Pass a status on; while replaying only the last one counts, and that is the one written next."""
        self._raise_if_stopped()
        self._runtime.set_status(encode(value))

    def perform(self, command: Command) -> Any:
        """Answer `command`: the value, or `ActivityFailed`. Once suspended, every verb suspends again."""
        self._raise_if_stopped()
        self._step += 1
        entry = self._history.get(self._step)
        try:
            if entry is not None:
                self._compare(entry, command)
            if entry is None or entry.state not in ("done", "failed"):
                entry = self._runtime.answer(self._step, command, entry)
        except (Suspended, Abandoned, Diverged) as stop:
            self._stopped = stop
            raise
        self._now = entry.at
        value = self._decode(entry)
        if entry.state == "failed":
            raise ActivityFailed(entry.name, value["error"], value["message"])
        return value

    def _decode(self, entry: Entry) -> Any:
        """The stored answer. One that this code cannot read pauses the workflow: it is never dropped or spun on."""
        try:
            return decode(entry.payload or "null")
        except Undecodable as error:
            self._stopped = Diverged(entry.step, entry.title, f"something else than this code can read: {error}", "")
            raise self._stopped from error

    def check_end(self) -> None:
        """Raise what stopped the code although it swallowed that, or `Diverged` when history holds further steps."""
        self._raise_if_stopped()
        left = self._history.get(self._step + 1)
        if left is not None:
            raise Diverged(left.step, left.title, "the end of the workflow", "it returned before this step")

    def _raise_if_stopped(self) -> None:
        if self._stopped is not None:
            raise self._stopped

    def _compare(self, entry: Entry, command: Command) -> None:
        if (entry.kind, entry.name) != (command.kind, command.name):
            found = f"{command.kind} {command.name}".strip()
            raise Diverged(self._step, entry.title, found, _line_of_the_workflow())


def run(workflow: Workflow[..., Any], input_: str, replay: Replay) -> Outcome:
    """Run the workflow's code to its end, its suspension or its divergence."""
    try:
        args, kwargs = decode(input_)
    except (Undecodable, TypeError, ValueError) as error:
        return Divergence(f"the input cannot be read: {error}")
    try:
        outcome = _call(workflow, args, kwargs, replay)
        replay.check_end()
    except Suspended:
        return Waiting()
    except Abandoned:
        return GivenUp()
    except Diverged as divergence:
        return Divergence(str(divergence))
    return outcome


def _call(workflow: Workflow[..., Any], args: list[Any], kwargs: dict[str, Any], replay: Replay) -> Outcome:
    """What the code ends with. Whether that counts is for `check_end` to say."""
    try:
        with executing(replay):
            result = workflow.function(*args, **kwargs)
        return Completed(encode(result))
    except ContinueAsNew as again:
        return _continued(again)
    except Exception as error:  # noqa: BLE001 - the outermost boundary of user code: its error is the run's outcome
        return _failed(error)


def _continued(again: ContinueAsNew) -> Outcome:
    try:
        return Continued(encode_input(again.args_, again.kwargs))
    except NotSerializable as error:
        return _failed(error)


def _failed(error: Exception) -> Failed:
    return Failed(type(error).__name__, str(error), "".join(traceback.format_exception(error)))


def _line_of_the_workflow() -> str:
    """The innermost source line outside the engine: where the code asked for what history does not hold."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to the caller's line without building a traceback
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "durable":
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
