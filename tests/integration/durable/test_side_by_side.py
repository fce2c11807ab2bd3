"""Fan-out and fan-in, races, children."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from bot.demo.waiting import eventually
from durable import (
    ActivityFailed,
    RetryPolicy,
    activity,
    call,
    continue_as_new,
    first_of,
    gather,
    now,
    receive,
    sleep,
    start_child,
    workflow,
)
from durable.client import Client
from durable.postgres import Database
from durable.testing import InlineWorker, advance
from durable.worker import Worker

Inline = Callable[..., InlineWorker]
Working = Callable[..., Worker]
calls: list[Any] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


@activity(retry=RetryPolicy(attempts=1))
def double(number: int) -> int:
    calls.append(number)
    if number < 0:
        raise ValueError(f"negative: {number}")
    return number * 2


@workflow
def child_of(number: int) -> int:
    sleep(number)
    return double(number)


@workflow
def doubling(numbers: list[int], wait_for_all: bool = False) -> list[Any]:
    answers = gather(*(call(double, number) for number in numbers), wait_for_all=wait_for_all)
    return [str(answer) if isinstance(answer, ActivityFailed) else answer for answer in answers]


@workflow
def with_children(numbers: list[int]) -> list[int]:
    return gather(*(call(child_of, number) for number in numbers))


@workflow
def racing() -> Any:
    return first_of(call(child_of, 100), call(child_of, 10), call(child_of, 1000))


@activity
def make_the_bed(number: int) -> None:
    calls.append(number)


@workflow
def guest(seconds: int) -> int:
    try:
        sleep(seconds)
    finally:
        make_the_bed(seconds)
    return seconds


@workflow
def race_of_guests() -> Any:
    return first_of(call(guest, 60), call(guest, 5))


@workflow
def hotel() -> list[Any]:
    return gather(call(guest, 60), call(guest, 50))


@workflow
def waits_for_ever() -> None:
    receive("never")


def result(worker: InlineWorker) -> Any:
    described = worker.client.describe("w")
    assert described.error is None, described.error
    return described.result


def test_gathered_results_come_in_the_order_of_the_calls(inline: Inline) -> None:
    worker = inline(doubling)
    worker.client.start(doubling, [3, 1, 2], workflow_id="w")
    worker.run_until_idle()
    assert result(worker) == [6, 2, 4]


def test_gathering_nothing_gives_nothing(inline: Inline) -> None:
    worker = inline(doubling)
    worker.client.start(doubling, [], workflow_id="w")
    worker.run_until_idle()
    assert result(worker) == []


def test_a_gather_is_one_entry_wakes_the_parent_once_and_leaves_no_rows(database: Database, inline: Inline) -> None:
    worker = inline(doubling)
    worker.client.start(doubling, list(range(200)), workflow_id="w")
    wakes = worker.run_until_idle()
    assert (result(worker), wakes) == ([number * 2 for number in range(200)], 202)
    assert [entry.title for entry in worker.client.history("w")] == [
        "gather @tests.integration.durable.test_side_by_side.double x200"
    ]
    with database.reading() as connection:
        counted = (
            "SELECT (SELECT count(*) FROM durable.{}), (SELECT count(*) FROM durable.{}), count(*) FROM durable.{}"
        )
        left = connection.execute(text(counted.format("fans", "links", "workflows"))).one()
    assert tuple(left) == (0, 0, 1)


def test_the_first_failure_fails_the_gather_and_names_its_cause(inline: Inline) -> None:
    worker = inline(doubling)
    worker.client.start(doubling, [1, -1], workflow_id="w")
    worker.run_until_idle()
    described = worker.client.describe("w")
    assert (described.state, described.reason) == ("failed", "ValueError: negative: -1")


def test_waiting_for_all_gives_failures_their_place(inline: Inline) -> None:
    worker = inline(doubling)
    worker.client.start(doubling, [1, -1, 2], True, workflow_id="w")
    worker.run_until_idle()
    first, second, third = result(worker)
    assert (first, third) == (2, 4)
    assert "failed with ValueError: negative: -1" in second


def test_children_sleep_side_by_side(inline: Inline) -> None:
    worker = inline(with_children, child_of)
    worker.client.start(with_children, [30, 10, 20], workflow_id="w")
    worker.run_for(timedelta(seconds=31))
    assert (result(worker), calls) == ([60, 20, 40], [10, 20, 30])


def test_the_first_of_a_race_wins_and_the_losers_are_cancelled(inline: Inline) -> None:
    worker = inline(racing, child_of)
    worker.client.start(racing, workflow_id="w")
    worker.run_for(timedelta(hours=1))
    assert (result(worker), calls) == ((1, 20), [10])
    losers = [each.state for each in worker.client.list(prefix="w~")]
    assert losers == ["cancelled", "completed", "cancelled"]


def test_the_loser_of_a_race_cleans_up_durably(inline: Inline) -> None:
    worker = inline(race_of_guests, guest)
    worker.client.start(race_of_guests, workflow_id="w")
    worker.run_for(timedelta(minutes=2))
    assert (result(worker), calls) == ((1, 5), [5, 60])
    assert worker.client.describe("w~1.1.0").state == "cancelled"


def test_the_members_of_a_workflow_that_is_cancelled_are_cancelled_with_it(inline: Inline, database: Database) -> None:
    worker = inline(hotel, guest)
    worker.client.start(hotel, workflow_id="w")
    worker.run_until_idle()
    worker.client.cancel("w", "closed for the winter")
    worker.run_until_idle()
    assert worker.client.describe("w").state == "cancelled"
    assert [guest.state for guest in worker.client.list(prefix="w~")] == ["cancelled", "cancelled"]
    assert sorted(calls) == [50, 60]
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM durable.fans")).scalar_one() == 0


def test_a_failing_gather_ends_the_members_that_still_run(inline: Inline) -> None:
    @workflow
    def mixed() -> Any:
        return gather(call(child_of, 1000), call(double, -1))

    worker = inline(mixed, child_of)
    worker.client.start(mixed, workflow_id="w")
    worker.run_for(timedelta(hours=1))
    assert worker.client.describe("w").state == "failed"
    assert (calls, [each.state for each in worker.client.list(prefix="w~")]) == ([-1], ["terminated"])


def test_members_run_on_any_worker_in_parallel(database: Database, working: Working) -> None:
    barrier = threading.Barrier(4, timeout=20)

    @activity
    def meet() -> int:
        return barrier.wait()

    @workflow
    def meeting() -> list[int]:
        return sorted(gather(*(call(meet) for _ in range(4))))

    client = Client(database, hint=[working(meeting, slots=2), working(meeting, slots=2)][0].hint)
    client.start(meeting, workflow_id="w")
    eventually(lambda: client.describe("w").result == [0, 1, 2, 3], within=20)


def test_a_child_is_started_once_and_its_result_awaited(inline: Inline) -> None:
    @workflow
    def parent() -> Any:
        child = start_child(child_of, 60, workflow_id="the-child")
        sleep(1)
        return child.workflow_id, child.result(), child.result()

    worker = inline(parent, child_of)
    worker.client.start(parent, workflow_id="w")
    worker.run_for(timedelta(minutes=2))
    assert (result(worker), calls) == (("the-child", 120, 120), [60])


def test_a_childs_failure_is_raised_where_its_result_is_asked_for(inline: Inline) -> None:
    @workflow
    def parent() -> str:
        child = start_child(child_of, -5)
        try:
            child.result()
        except ActivityFailed as failure:
            return f"{failure.error}: {failure.message}"
        return "?"

    worker = inline(parent, child_of)
    worker.client.start(parent, workflow_id="w")
    worker.run_for(timedelta(minutes=2))
    assert result(worker) == "ValueError: negative: -5"


def test_a_child_whose_id_is_taken_is_refused(inline: Inline) -> None:
    @workflow
    def parent() -> str:
        try:
            start_child(child_of, 1, workflow_id="taken")
        except ActivityFailed as failure:
            return failure.error
        return "?"

    worker = inline(parent, child_of, waits_for_ever)
    worker.client.start(waits_for_ever, workflow_id="taken")
    worker.client.start(parent, workflow_id="w")
    worker.run_until_idle()
    assert result(worker) == "WorkflowIdTaken"


@pytest.mark.parametrize(
    ("policy", "state"), [("abandon", "waiting"), ("cancel", "cancelled"), ("terminate", "terminated")]
)
def test_a_child_fares_as_its_start_said_when_its_parent_ends_first(inline: Inline, policy: Any, state: str) -> None:
    @workflow
    def parent() -> None:
        start_child(waits_for_ever, workflow_id="child", on_parent_close=policy)

    worker = inline(parent, waits_for_ever)
    worker.client.start(parent, workflow_id="w")
    worker.run_until_idle()
    assert worker.client.describe("child").state == state


def test_members_of_a_parent_with_the_longest_id_have_ids_that_may_be(inline: Inline) -> None:
    worker = inline(doubling)
    worker.client.start(doubling, [1, 2], workflow_id="x" * 256)
    worker.run_until_idle()
    assert worker.client.describe("x" * 256).result == [2, 4]


def test_the_times_of_a_history_never_go_back_whoever_tells_them(database: Database, working: Working) -> None:
    """A run reckons its time from its claim, ahead of the database's by what the answer took; a gather is told it."""

    @workflow
    def mixed() -> None:
        double(1)
        gather(call(double, 2))
        double(3)
        start_child(child_of, 4).result()
        double(5)

    client = Client(database, hint=working(mixed, child_of).hint)
    names = [f"mixed-{number}" for number in range(20)]
    for name in names:
        client.start(mixed, workflow_id=name)
    eventually(lambda: all(client.describe(name).state == "completed" for name in names))
    for name in names:
        times = [entry.at for entry in client.history(name)]
        assert times == sorted(times), name


def test_the_time_does_not_go_back_from_one_run_to_the_next(database: Database, inline: Inline) -> None:
    @activity
    def let_an_hour_pass() -> None:
        advance(database, timedelta(hours=1))

    @workflow
    def again(began: datetime | None = None) -> bool:
        if began is None:
            let_an_hour_pass()
            receive(timeout=0)
            continue_as_new(now())
        before = now()
        double(1)
        return began <= before <= now()

    worker = inline(again)
    worker.client.start(again, workflow_id="w")
    worker.run_until_idle()
    assert result(worker) is True
