"""A rewind goes on as if the failure had not been: for members, for children, and for the keys of what comes after."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from durable import (
    ActivityFailed,
    RetryPolicy,
    activity,
    call,
    first_of,
    gather,
    info,
    injection,
    receive,
    start_child,
    workflow,
)
from durable.definitions import Found
from durable.operator import Operator
from durable.postgres import Database
from durable.testing import InlineWorker, advance
from durable.worker.orphans import settle_orphans

Inline = Callable[..., InlineWorker]


class World:
    """Who refuses, and what has happened out there: (what, key) pairs."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        self.broken: set[str] = set()
        self.dying: set[str] = set()
        self.done: list[tuple[str, str]] = []
        self.meanwhile: dict[str, Callable[[], object]] = {}

    def names(self) -> list[str]:
        return sorted(what for what, _ in self.done)


world = World()


class Crash(BaseException):
    """The process dies."""


def find(what: str) -> Found[str] | None:
    return next((Found(f"found {done}") for done, key in world.done if key == info().key), None)


@activity(verify=find, retry=RetryPolicy(attempts=1))
def effect(what: str) -> str:
    if what in world.broken:
        raise OSError(f"{what} is down")
    world.done.append((what, info().key))
    world.meanwhile.pop(what, lambda: None)()
    if what in world.dying:
        world.dying.remove(what)
        raise Crash
    return what


@workflow
def all_at_once(*parts: str) -> list[Any]:
    return gather(*(call(effect, part) for part in parts))


@workflow
def two_steps(first: str, second: str) -> str:
    return effect(first) + effect(second)


@workflow
def listening(what: str) -> str:
    effect(what)
    receive("go")
    return f"{what} went"


@workflow
def of_children() -> list[Any]:
    return gather(call(listening, "a"), call(two_steps, "b", "c"), call(effect, "d"))


@workflow
def here() -> str:
    return effect("a")


@workflow
def there() -> str:
    return effect("b")


@workflow
def two_sides() -> list[Any]:
    return gather(call(here), call(there))


@workflow
def race() -> Any:
    return first_of(call(two_steps, "a", "b"), call(listening, "c"))


@workflow
def asking_a_child() -> str:
    child = start_child(two_steps, "a", "b")
    return str(child.result())


@workflow
def beside_a_child() -> str:
    child = start_child(listening, "a")
    effect("b")
    return str(child.result())


@workflow
def beside_two_children() -> list[str]:
    children = [start_child(listening, "a"), start_child(listening, "c")]
    effect("b")
    return [child.result() for child in children]


@workflow
def making_good() -> str:
    """Its second step is another effect when its first succeeds."""
    try:
        effect("a")
    except ActivityFailed:
        effect("apology")
        start_child(listening, "comfort", on_parent_close="abandon")
        effect("z")
    effect("thanks")
    start_child(listening, "joy", on_parent_close="abandon")
    return str(effect("z"))


@pytest.fixture(autouse=True)
def _a_world_untouched() -> None:
    world.begin_anew()


@pytest.fixture
def worker(inline: Inline) -> InlineWorker:
    sided = (asking_a_child, beside_a_child, beside_two_children)
    return inline(all_at_once, two_steps, listening, of_children, race, *sided, making_good)


@pytest.fixture
def operator(database: Database) -> Operator:
    return Operator(database)


def live(worker: InlineWorker) -> None:
    """Do what is due, and what is due once the wait before a look at a doubtful effect is over."""
    for _ in range(3):
        worker.run_until_idle()
        advance(worker.database, timedelta(seconds=2))
        with worker.database.transaction("test") as connection:
            connection.execute(text("UPDATE durable.workflows SET wake_at = durable.now() WHERE wake_real"))
    worker.run_until_idle()


def state(worker: InlineWorker, workflow_id: str = "w") -> str:
    return worker.client.describe(workflow_id).state


def test_of_a_rewound_gather_what_had_completed_is_not_done_again(worker: InlineWorker, operator: Operator) -> None:
    world.broken = {"b"}
    worker.client.start(all_at_once, "a", "b", "c", workflow_id="w")
    live(worker)
    assert state(worker) == "failed"
    done = world.names()
    world.broken = set()
    operator.rewind("w", "mended")
    live(worker)
    assert worker.client.describe("w").result == ["a", "b", "c"]
    assert "a" in done
    assert world.names() == ["a", "b", "c"]


def test_a_member_that_was_ended_in_the_middle_of_its_call_is_looked_into_after_the_rewind(
    operator: Operator, inline: Inline
) -> None:
    worker, other = inline(two_sides, here), inline(two_sides, there)
    world.broken, world.meanwhile = {"b"}, {"a": lambda: live(other)}
    worker.client.start(two_sides, workflow_id="w")
    live(worker)
    assert (state(worker), state(worker, "w~1.1.0")) == ("failed", "terminated")
    world.broken = set()
    operator.rewind("w", "mended")
    live(worker)
    live(other)
    live(worker)
    assert worker.client.describe("w").result == ["found a", "b"]
    assert world.names() == ["a", "b"]


def test_children_that_were_ended_for_the_failure_of_another_go_on_where_they_were(
    worker: InlineWorker, operator: Operator, database: Database
) -> None:
    world.broken = {"c"}
    worker.client.start(of_children, workflow_id="w")
    live(worker)
    assert [state(worker, child) for child in ("w", "w~1.1.0", "w~1.1.1")] == ["failed", "terminated", "failed"]
    world.broken = set()
    operator.rewind("w", "mended")
    live(worker)
    assert settle_orphans(database) == 0
    assert [state(worker, child) for child in ("w", "w~1.1.0", "w~1.1.1")] == ["waiting", "waiting", "completed"]
    worker.client.signal("w~1.1.0", "go", key="1")
    live(worker)
    assert worker.client.describe("w").result == ["a went", "bc", "d"]
    assert world.names() == ["a", "b", "c", "d"]


def test_a_member_that_somebody_else_had_ended_is_begun_once_more_with_keys_of_its_own(
    worker: InlineWorker, operator: Operator
) -> None:
    worker.client.start(of_children, workflow_id="w")
    live(worker)
    worker.client.terminate("w~1.1.0", "not this one")
    live(worker)
    assert (state(worker), worker.client.describe("w").reason) == ("failed", "Terminated: not this one")
    operator.rewind("w", "after all")
    live(worker)
    worker.client.signal("w~1.1.0", "go", key="1")
    live(worker)
    assert worker.client.describe("w").result == ["a went", "bc", "d"]
    assert [key for what, key in world.done if what == "a"] == ["w~1.1.0/1/1", "w~1.1.0/2/1"]


def test_a_member_that_an_operator_has_brought_to_its_end_meanwhile_counts(
    worker: InlineWorker, operator: Operator
) -> None:
    world.broken = {"c"}
    worker.client.start(of_children, workflow_id="w")
    live(worker)
    world.broken = set()
    operator.rewind("w~1.1.1", "this one first")
    live(worker)
    assert state(worker, "w~1.1.1") == "completed"
    operator.rewind("w", "and now the rest")
    live(worker)
    worker.client.signal("w~1.1.0", "go", key="1")
    live(worker)
    assert worker.client.describe("w").result == ["a went", "bc", "d"]
    assert world.names() == ["a", "b", "c", "d"]


def test_a_rewound_race_goes_on_with_everybody_where_they_were(worker: InlineWorker, operator: Operator) -> None:
    world.broken = {"b"}
    worker.client.start(race, workflow_id="w")
    live(worker)
    assert (state(worker), state(worker, "w~1.1.1")) == ("failed", "terminated")
    operator.rewind("w", "too early")
    live(worker)
    assert state(worker) == "failed"
    world.broken = set()
    operator.rewind("w", "mended")
    live(worker)
    assert worker.client.describe("w").result == (0, "ab")
    assert world.names() == ["a", "b", "c"]


def test_a_wait_for_a_child_that_failed_is_rewound_with_the_child(worker: InlineWorker, operator: Operator) -> None:
    world.broken = {"b"}
    worker.client.start(asking_a_child, workflow_id="w")
    live(worker)
    assert worker.client.describe("w").reason == "OSError: b is down"
    operator.rewind("w", "too early")
    live(worker)
    assert state(worker) == "failed"
    world.broken = set()
    operator.rewind("w", "mended")
    live(worker)
    assert worker.client.describe("w").result == "ab"
    assert world.names() == ["a", "b"]


def test_a_child_that_its_parents_failure_had_ended_goes_on_where_it_was(
    worker: InlineWorker, operator: Operator, database: Database
) -> None:
    world.broken = {"b"}
    worker.client.start(beside_a_child, workflow_id="w")
    live(worker)
    settle_orphans(database)
    assert (state(worker), state(worker, "w~1.1.0")) == ("failed", "terminated")
    world.broken = set()
    operator.rewind("w", "mended")
    live(worker)
    settle_orphans(database)
    worker.client.signal("w~1.1.0", "go", key="1")
    live(worker)
    assert worker.client.describe("w").result == "a went"
    assert world.names() == ["a", "b"]


def test_a_rewind_that_comes_while_children_are_being_ended_keeps_those_that_are_left(
    worker: InlineWorker, operator: Operator
) -> None:
    def rewind_after_the_first(point: str) -> None:
        if point == "commit.after orphan":
            injection.install(None)
            world.broken = set()
            operator.rewind("w", "mended")

    world.broken = {"b"}
    worker.client.start(beside_two_children, workflow_id="w")
    injection.install(rewind_after_the_first)
    try:
        live(worker)
    finally:
        injection.install(None)
    children = ("w~1.1.0", "w~1.2.0")
    assert [state(worker, child) for child in children] == ["waiting", "waiting"]
    for child in children:
        worker.client.signal(child, "go", key="1")
    live(worker)
    assert worker.client.describe("w").result == ["a went", "c went"]


def test_what_is_done_in_the_place_of_forgotten_steps_has_keys_and_children_of_its_own(
    worker: InlineWorker, operator: Operator
) -> None:
    world.broken = {"a", "z"}
    worker.client.start(making_good, workflow_id="w")
    live(worker)
    assert state(worker) == "failed"
    world.broken = {"z"}
    operator.rewind("w", "mended", step=1)
    live(worker)
    assert state(worker) == "failed"
    world.broken = set()
    operator.rewind("w", "wholly mended")
    live(worker)
    assert state(worker) == "completed"
    assert world.done == [
        ("apology", "w/1/2"),
        ("comfort", "w~1.3.0/1/1"),
        ("a", "w/1/1"),
        ("thanks", "w/1/2~1"),
        ("joy", "w~1.3.0.1/1/1"),
        ("z", "w/1/4~1"),
    ]


def test_what_is_in_doubt_after_a_rewind_adopts_nothing_of_what_was_forgotten(
    worker: InlineWorker, operator: Operator, inline: Inline
) -> None:
    world.broken = {"a", "z"}
    worker.client.start(making_good, workflow_id="w")
    live(worker)
    world.broken, world.dying = set(), {"thanks"}
    operator.rewind("w", "mended", step=1)
    with pytest.raises(Crash):
        live(worker)
    assert [what for what, _ in world.done].count("thanks") == 1
    worker.close()
    live(inline(making_good, listening))
    entries = worker.client.history("w")
    assert (entries[1].name, entries[1].payload) == ("effect", '"found thanks"')
    assert (state(worker), [what for what, _ in world.done].count("thanks")) == ("completed", 1)


def test_the_next_run_begins_without_the_rewinds_of_the_one_before(worker: InlineWorker, operator: Operator) -> None:
    world.broken = {"a", "z"}
    worker.client.start(making_good, workflow_id="w")
    live(worker)
    world.broken = set()
    operator.rewind("w", "mended", step=1)
    live(worker)
    world.done.clear()
    operator.restart("w")
    live(worker)
    assert ("thanks", "w/2/2") in world.done
