"""The durable verbs a workflow is written with."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Generic, NoReturn, TypeVar
from uuid import UUID

from durable.context import require_execution
from durable.errors import ContinueAsNew
from durable.model import Receive, Signal, Sleep

T = TypeVar("T")


def _seconds(duration: float | timedelta) -> float:
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)


def sleep(duration: float | timedelta) -> None:
    """Wait for `duration` (seconds, or a timedelta). The due time is stored once; crashes and deploys do not move it."""
    require_execution("sleep").perform(Sleep(max(0.0, _seconds(duration))))


def receive(*names: str, timeout: float | timedelta | None = None, until: datetime | None = None) -> Signal | None:
    """Wait for the next signal with one of `names` (none given: any), oldest first; None when the time is over.

    `timeout` is in seconds; `until` is an aware time; with neither it waits for ever. A signal sent before the wait
    began is kept for it. Signal against timeout is decided once, under the workflow's row lock.
    """
    if timeout is not None and until is not None:
        raise ValueError("receive: give timeout or until, not both")
    if until is not None and until.tzinfo is None:
        raise ValueError(f"receive: until is {until!r}, which has no time zone; use durable.now()")
    seconds = None if timeout is None else max(0.0, _seconds(timeout))
    signal: Signal | None = require_execution("receive").perform(Receive(names, seconds, until))
    return signal


def now() -> datetime:
    """The engine's time (aware, UTC) at which the last step ended; at the start, when the run began. It stands still
    between two steps, so that replay sees the same."""
    moment: datetime = require_execution("now").now()
    return moment


def random() -> float:
    """A number in [0, 1), the same on every replay. Not for secrets."""
    number: float = require_execution("random").chance.random()
    return number


def uuid4() -> UUID:
    """A random UUID, the same on every replay. Not for secrets."""
    return UUID(int=require_execution("uuid4").chance.getrandbits(128), version=4)


def set_status(value: Any) -> None:
    """Show `value` (anything JSON can hold) in `describe` and `list`, from the next commit on. Not journaled."""
    require_execution("set_status").set_status(value)


def continue_as_new(*args: Any, **kwargs: Any) -> NoReturn:
    """End this run and begin a new one of the same workflow with these arguments. The history starts afresh, unread
    signals and their keys stay."""
    require_execution("continue_as_new")
    raise ContinueAsNew(args, kwargs)


class Round(Generic[T]):
    """One round of a bounded loop: its `number`, from 1, and the `value` that the next round begins with."""

    def __init__(self, number: int, value: T) -> None:
        self.number = number
        self.value = value


def rounds(initial: T) -> Iterator[Round[T]]:
    """A loop whose history stays bounded.

    Written `for round_ in rounds(0): … round_.value += 1`. Each round forgets the steps of the one before. What the next round needs is its `value` (anything JSON can hold);
    other variables that change in the loop are not remembered across a wake.
    """
    execution = require_execution("rounds")
    step, number, value = execution.first_round(initial)
    while True:
        round_ = Round(number, value)
        yield round_
        number += 1
        value = execution.next_round(step, number, round_.value)


def patched(name: str) -> bool:
    """Whether this run goes the new way of a change to a workflow's code. A run that had come past this place before
    the change was released goes the old way. When no such run is left, take the call and the old way out."""
    answer: bool = require_execution("patched").patched(name)
    return answer
