"""A crash at every commit and every call in turn: the end is the crash-free one, and each verified effect happened once."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

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
    injection,
    receive,
    resource,
    rounds,
    sleep,
    start_child,
    workflow,
)
from durable.postgres import Database
from durable.testing import InlineWorker
from tests.support.chaos import EVERY

Inline = Callable[..., InlineWorker]


class Crash(BaseException):
    """The process dies here: nothing catches this."""


class World:
    """Remembers what took effect, by key."""

    def __init__(self) -> None:
        self.effects: dict[str, Any] = {}
        self.twice: list[str] = []

    def happen(self, key: str, what: Any) -> Any:
        if key in self.effects:
            self.twice.append(key)
        self.effects[key] = what
        return what


def look(what: Any) -> Found[Any] | None:
    effects = resource(World).effects
    return Found(effects[info().key]) if info().key in effects else None


@activity(verify=look)
def effect(what: Any) -> Any:
    return resource(World).happen(info().key, what)


@workflow
def steps() -> list[Any]:
    return [effect(1), effect(2), effect(3)]


@workflow
def child(what: int) -> Any:
    sleep(what)
    return effect(what)


@workflow
def fanned_out() -> list[Any]:
    return gather(call(effect, 1), call(child, 2), call(effect, 3))


@workflow
def raced() -> Any:
    return first_of(call(child, 500), call(child, 1))


@workflow
def with_a_child() -> list[Any]:
    begun = start_child(child, 5)
    return [effect("meanwhile"), begun.result()]


@workflow
def in_rounds() -> Any:
    for round_ in rounds(0):
        sleep(10)
        round_.value += effect(round_.number)
        if round_.number == 3:
            return round_.value
    return None


@workflow
def in_runs(number: int = 1) -> Any:
    sleep(10)
    effect(number)
    if number < 3:
        continue_as_new(number + 1)
    return number


@workflow
def cancelled() -> str:
    try:
        effect("begin")
        receive("never")
    except Cancelled:
        sleep(5)
        effect("undo")
    return "undone"


@workflow
def failing() -> str:
    try:
        gather(call(child, 100), call(broken))
    except ActivityFailed as failure:
        return f"{failure.error} {effect('said so')}"
    return "?"


@activity(non_retryable=(ValueError,))
def broken() -> None:
    raise ValueError("always")


WORKFLOWS = (steps, child, fanned_out, raced, with_a_child, in_rounds, in_runs, cancelled, failing)


@pytest.fixture
def no_hook() -> Iterator[None]:
    yield
    injection.install(None)


def live(worker: InlineWorker, database: Database, name: str, function: Any, crash_at: int | None) -> int:
    """Run a workflow to its end with a crash at a point (None: without); returns how many points it passed."""
    passed = 0

    def count(point: str) -> None:
        nonlocal passed
        if not point.endswith((" advance", " start", " test")):
            passed += 1
            if passed == crash_at:
                raise Crash(point)

    worker.client.start(function, workflow_id=name)
    injection.install(count)
    phases = [lambda: worker.run_for(timedelta(seconds=30)), lambda: ask_to_end(worker, name), worker.run_until_idle]
    phases.append(lambda: worker.run_for(timedelta(minutes=2)))
    for phase in phases:
        try:
            phase()
        except Crash:
            come_back(worker, database)
            phase()
    injection.install(None)
    come_back(worker, database)
    worker.run_for(timedelta(minutes=20))
    return passed


def ask_to_end(worker: InlineWorker, name: str) -> None:
    if name.startswith("cancelled") and worker.client.describe(name).state == "waiting":
        worker.client.cancel(name, "please")


def come_back(worker: InlineWorker, database: Database) -> None:
    """What a successor does; what waits on the real clock for a settled answer is due."""
    for _ in range(3):
        with database.transaction("test") as connection:
            due = "UPDATE durable.workflows SET state = 'waiting', wake_at = durable.now() WHERE state = 'running'"
            connection.execute(text(due))
            connection.execute(text("UPDATE durable.workflows SET wake_at = durable.now() WHERE wake_real"))
            connection.execute(
                text("UPDATE durable.history SET due_at = durable.now() WHERE state = 'started' AND kind = 'activity'")
            )
        worker.run_until_idle()


@pytest.mark.chaos
@pytest.mark.parametrize("function", [each for each in WORKFLOWS if each is not child], ids=lambda each: each.name)
def test_wherever_it_crashes_the_end_is_the_same_and_each_effect_happened_once(
    database: Database, inline: Inline, no_hook: None, function: Any
) -> None:
    world = World()
    worker = inline(*WORKFLOWS, resources={World: world})
    points = live(worker, database, f"{function.name}-0", function, None)
    expected = worker.client.describe(f"{function.name}-0")
    effects = sorted(map(str, world.effects.values()))
    assert expected.state == "completed", expected
    assert points > 5
    for nth in range(1, points + 1, EVERY):
        world.effects.clear()
        name = f"{function.name}-{nth}"
        live(worker, database, name, function, nth)
        described = worker.client.describe(name)
        assert (described.state, described.result) == ("completed", expected.result), (nth, described)
        assert (sorted(map(str, world.effects.values())), world.twice) == (effects, []), nth
