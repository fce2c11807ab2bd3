"""Workflows as data: a plan is a list of lines, each a durable verb, and `follow` does what they say.

What a plan brings forth can be told beforehand: every effect and every note hands on its own key, so a result that
belongs to another step shows.
"""

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock, current_thread
from typing import Any, Literal, Protocol

from sqlalchemy import Connection, text

from durable import (
    ActivityFailed,
    Cancelled,
    Found,
    activity,
    call,
    continue_as_new,
    first_of,
    gather,
    info,
    receive,
    resource,
    rounds,
    sleep,
    start_child,
    transaction,
    workflow,
)
from durable.model import ParentClose
from durable.serde import serializable

HOUR_S = 3600
HALF_AN_HOUR_S = 1800
SET_UP = "CREATE TABLE notes (key text NOT NULL)"


@dataclass
class Outside:
    """The world that effects reach: what happened, in its order, and what should not have.

    A worker that was frozen between its decision and its call, and was overtaken meanwhile, may do what others have done,
    or are about to do: no engine can stop it, and the guarantees say so. Whoever drives such a worker names its thread
    here.
    """

    happened: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    overtaken: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    excused: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def happen(self, key: str) -> str:
        """Let the effect of this key happen."""
        with self._lock:
            if current_thread().name in self.overtaken:
                self.late.add(key)
            if key not in self.happened:
                self.happened.append(key)
            elif key in self.late:
                self.excused[key] += 1
            else:
                self.twice.append(key)
        return key


def _look() -> Found[str] | None:
    key = info().key
    return Found(key) if key in resource(Outside).happened else None


@activity(verify=_look)
def effect() -> str:
    return resource(Outside).happen(info().key)


@transaction
def note(connection: Connection) -> str:
    connection.execute(text("INSERT INTO notes VALUES (:key)"), {"key": info().key})
    return info().key


@activity(non_retryable=(ValueError,))
def broken() -> None:
    raise ValueError("always")


class Line(Protocol):
    """One line of a plan."""

    def play(self, said: list[Any], rest: "Plan") -> list[Any]:
        """Do it; returns what the workflow has to say by now. `rest` are the lines that follow."""
        ...


Plan = tuple[Line, ...]
How = Literal["all", "failing fast", "race"]


@workflow
def follow(plan: Plan, said: list[Any]) -> list[Any]:
    """Do one line after the other; when asked to end, make one effect more, then end."""
    try:
        for number, line in enumerate(plan, start=1):
            said = line.play(said, plan[number:])
    except Cancelled:
        effect()
        raise
    return said


@serializable
@dataclass(frozen=True)
class Do:
    """An effect with `verify`."""

    def play(self, said: list[Any], _rest: Plan) -> list[Any]:
        return [*said, effect()]


@serializable
@dataclass(frozen=True)
class Note:
    """A row, in the transaction of its step."""

    def play(self, said: list[Any], _rest: Plan) -> list[Any]:
        return [*said, note()]


@serializable
@dataclass(frozen=True)
class Fail:
    """An activity that fails for good, and the workflow with it."""

    def play(self, _said: list[Any], _rest: Plan) -> list[Any]:
        broken()
        raise AssertionError("unreachable")


@serializable
@dataclass(frozen=True)
class Nap:
    """A sleep that is over, as are all waits of a plan, half an hour before the full hour: tests move time by hours."""

    hours: int

    def play(self, said: list[Any], _rest: Plan) -> list[Any]:
        sleep(self.hours * HOUR_S - HALF_AN_HOUR_S)
        return said


@serializable
@dataclass(frozen=True)
class Hear:
    """A wait for a signal with one of these names (none: any), for so many hours or for ever."""

    names: tuple[str, ...] = ()
    hours: int | None = None

    def play(self, said: list[Any], _rest: Plan) -> list[Any]:
        timeout = None if self.hours is None else self.hours * HOUR_S - HALF_AN_HOUR_S
        signal = receive(*self.names, timeout=timeout)
        return [*said, signal and signal.key]


@serializable
@dataclass(frozen=True)
class Side:
    """Several at once: a plan is followed by a child, None is one effect, made by a member of its own."""

    members: tuple[Plan | None, ...]
    how: How = "all"

    def play(self, said: list[Any], _rest: Plan) -> list[Any]:
        calls = [call(effect) if plan is None else call(follow, plan, []) for plan in self.members]
        try:
            if self.how == "race":
                return [*said, first_of(*calls)]
            results = gather(*calls, wait_for_all=self.how == "all")
        except ActivityFailed as failure:
            return [*said, failure.error]
        return [*said, [result.error if isinstance(result, ActivityFailed) else result for result in results]]


@serializable
@dataclass(frozen=True)
class Child:
    """A child, an effect beside it, and then perhaps the wait for its end."""

    plan: Plan
    on_parent_close: ParentClose
    joined: bool

    def play(self, said: list[Any], _rest: Plan) -> list[Any]:
        child = start_child(follow, self.plan, [], on_parent_close=self.on_parent_close)
        said = [*said, effect()]
        if not self.joined:
            return said
        try:
            return [*said, child.result()]
        except ActivityFailed as failure:
            return [*said, failure.error]


@serializable
@dataclass(frozen=True)
class Loop:
    """So many rounds of an effect and a sleep."""

    times: int
    hours: int

    def play(self, said: list[Any], _rest: Plan) -> list[Any]:
        for round_ in rounds(said):
            round_.value = [*round_.value, effect()]
            sleep(self.hours * HOUR_S - HALF_AN_HOUR_S)
            if round_.number == self.times:
                return round_.value
        raise AssertionError("unreachable")


@serializable
@dataclass(frozen=True)
class Again:
    """The rest of the plan as a new run."""

    def play(self, said: list[Any], rest: Plan) -> list[Any]:
        continue_as_new(rest, said)
