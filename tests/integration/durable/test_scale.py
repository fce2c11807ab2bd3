"""Many members, long chains, many runs: done, with a bounded history. `make chaos` takes ten times as many."""

from collections.abc import Callable

import pytest

from bot.demo.waiting import eventually
from durable import activity, call, continue_as_new, gather, workflow
from durable.client import Client
from durable.postgres import Database
from durable.worker import Worker
from tests.support.chaos import sized

Working = Callable[..., Worker]
MANY = sized(1_000, 10_000)
WITHIN_S = sized(200, 2000)


@activity
def double(number: int) -> int:
    return number * 2


@workflow
def one(number: int) -> int:
    return double(number)


@workflow
def over_children(many: int) -> int:
    return sum(gather(*(call(one, number) for number in range(many))))


@workflow
def over_activities(many: int) -> int:
    return sum(gather(*(call(double, number) for number in range(many))))


@workflow
def chain(many: int) -> int:
    return sum(double(number) for number in range(many))


@workflow
def again_and_again(many: int) -> str:
    if many == 0:
        return "done"
    continue_as_new(many - 1)


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("function", "many", "result", "entries"),
    [
        (over_children, MANY, MANY * (MANY - 1), 1),
        (over_activities, MANY, MANY * (MANY - 1), 1),
        (chain, 1_000, 999_000, 1_000),
        (again_and_again, MANY, "done", 0),
    ],
)
def test_many_are_done_by_two_workers_with_a_bounded_history(
    database: Database, working: Working, function: Callable[[int], object], many: int, result: object, entries: int
) -> None:
    workflows = (one, over_children, over_activities, chain, again_and_again)
    client = Client(database, hint=[working(*workflows), working(*workflows)][0].hint)
    client.start(function, many, workflow_id="w")  # type: ignore[arg-type] # each of these is a workflow
    eventually(lambda: client.describe("w").state == "completed", within=WITHIN_S, every=0.2)
    described = client.describe("w")
    assert (described.result, described.history_length) == (result, entries)
