"""The replay core: (workflow function, arguments, history) gives an outcome. It knows no clock and no database.

A verb asks for an answer. What the history holds is handed back; what it does not hold, the runtime answers, at once
or by suspending. PostgreSQL's worker and a test are two runtimes.
"""

import random
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from durable.context import executing
from durable.definitions import Workflow
from durable.errors import (
    Abandoned,
    ActivityFailed,
    Cancelled,
    ContinueAsNew,
    Diverged,
    HistoryTooLong,
    NotSerializable,
    Suspended,
    Undecodable,
)
from durable.model import Command, Entry, Patch
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

    def begin_round(self, entry: Entry, first: int) -> None:
        """Store `entry` and forget the steps between it and step `first`, which the round begins with: both with what
        is stored next."""
        ...

    def now(self) -> datetime:
        """The engine's time."""
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


@dataclass(frozen=True)
class Ended:
    """The code let its cancellation end it."""

    reason: str


Outcome = Completed | Failed | Continued | Waiting | Divergence | GivenUp | Ended
MOST_ENTRIES = 10_000
MANY_ENTRIES = 1_000


def encode_input(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """The arguments of a call as JSON text."""
    return encode([list(args), kwargs])


def seed_of(workflow_id: str, run: int, began: datetime) -> str:
    """What a run draws its random numbers from: the same for every worker, whatever time zone its sessions are in."""
    return f"{workflow_id}/{run}/{began.astimezone(UTC).isoformat()}"


class Replay:
    """One pass through a workflow's code against one history."""

    def __init__(self, history: Mapping[int, Entry], runtime: Runtime, *, began: datetime, seed: str) -> None:
        self._history = history
        self._runtime = runtime
        self._now = began
        self._step = 0
        self._last = max(history, default=0)
        self._entries = len(history)
        self._stopped: Suspended | Abandoned | Diverged | None = None
        self.chance = random.Random(seed)  # noqa: S311 - replayable on purpose, documented as no source of secrets

    def now(self) -> datetime:
        """When the last step ended, in UTC whatever time zone a worker's sessions are in."""
        return self._now.astimezone(UTC)

    def set_status(self, value: Any) -> None:
        """Pass a status on; while replaying only the last one counts, and that is the one written next."""
        self._raise_if_stopped()
        self._runtime.set_status(encode(value))

    def perform(self, command: Command) -> Any:
        """Answer `command`: the value, or `ActivityFailed`. Once suspended, every verb suspends again."""
        self._raise_if_stopped()
        if not isinstance(command, Patch):
            self._skip_retired_patches()
        self._step += 1
        entry = self._history.get(self._step)
        try:
            if entry is not None:
                self._compare(entry, command)
            else:
                self._count_one_more()
            if entry is None or entry.state in ("started", "retrying"):
                entry = self._runtime.answer(self._step, command, entry)
        except (Suspended, Abandoned, Diverged) as stop:
            self._stopped = stop
            raise
        return self._value(entry)

    def patched(self, name: str) -> bool:
        """Whether this run goes the new way: it does unless it had come past this place before the change."""
        self._raise_if_stopped()
        following = self._history.get(self._step + 1)
        marked = following is not None and (following.kind, following.name) == ("patch", name)
        if not marked and self._last > self._step:
            return False
        self.perform(Patch(name))
        return True

    def first_round(self, value: Any) -> tuple[int, int, Any]:
        """Enter a bounded loop: the step it is kept at, the number of the round that is on, and its value."""
        self._raise_if_stopped()
        self._skip_retired_patches()
        self._step += 1
        step = self._step
        entry = self._history.get(step)
        if entry is None:
            self._count_one_more()
            self._begin_round(step, 1, value)
            return step, 1, decode(encode(value))
        if entry.kind != "rounds":
            self._stopped = Diverged(step, entry.title, "rounds", _line_of_the_workflow())
            raise self._stopped
        self._now = entry.at
        kept = self._decode(entry)
        self._step = kept["first"] - 1
        return step, kept["number"], kept["value"]

    def next_round(self, step: int, number: int, value: Any) -> Any:
        """Begin the next round of the loop kept at `step`; returns its value as replay will see it."""
        self.check_end()
        self._entries = sum(1 for kept in self._history if kept <= step) + 1
        self._begin_round(step, number, value)
        return decode(encode(value))

    def _begin_round(self, step: int, number: int, value: Any) -> None:
        first = self._step + 1
        payload = encode({"number": number, "value": value, "first": first})
        self._now = self._runtime.now()
        try:
            self._runtime.begin_round(Entry(step, "rounds", "", "done", self._now, payload=payload), first)
        except Abandoned as stop:
            self._stopped = stop
            raise

    def _value(self, entry: Entry) -> Any:
        self._now = entry.at
        value = self._decode(entry)
        if entry.state == "failed":
            raise ActivityFailed(entry.name, value["error"], value["message"])
        if entry.state == "cancelled":
            raise Cancelled(value)
        return value

    def _count_one_more(self) -> None:
        self._entries += 1
        if self._entries > MOST_ENTRIES:
            raise HistoryTooLong(f"more than {MOST_ENTRIES} steps in one run; use rounds() or continue_as_new()")

    def _skip_retired_patches(self) -> None:
        """A mark whose `patched` was taken out of the code stands in nobody's way."""
        while (following := self._history.get(self._step + 1)) is not None and following.kind == "patch":
            self._step += 1

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
        self._skip_retired_patches()
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
    except Cancelled as cancelled:
        return Ended(str(cancelled))
    except Exception as error:  # noqa: BLE001 - the outermost boundary of user code: its error is the run's outcome
        return _failed(error)


def _continued(again: ContinueAsNew) -> Outcome:
    try:
        return Continued(encode_input(again.args_, again.kwargs))
    except NotSerializable as error:
        return _failed(error)


def _failed(error: Exception) -> Failed:
    if isinstance(error, ActivityFailed):
        return Failed(error.error, error.message, "".join(traceback.format_exception(error)))
    return Failed(type(error).__name__, str(error), "".join(traceback.format_exception(error)))


def _line_of_the_workflow() -> str:
    """The innermost source line outside the engine: where the code asked for what history does not hold."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to the caller's line without building a traceback
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "durable":
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
