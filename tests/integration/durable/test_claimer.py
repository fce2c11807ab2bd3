"""What wakes the claimer: it is told of whatever its own worker's runs make due, and does not wait for its next poll."""

from collections.abc import Callable

import pytest

from bot.demo.waiting import eventually
from durable import activity, call, gather, sleep, start_child, workflow
from durable.client import Client
from durable.definitions import Workflow
from durable.postgres import Database
from durable.queues import Queues
from durable.worker import Worker

NEVER_S = 3600.0


@activity
def same(number: int) -> int:
    return number


@workflow
def three_naps() -> str:
    for _ in range(3):
        sleep(0.01)
    return "rested"


@workflow
def side_by_side() -> list[int]:
    answers: list[int] = gather(call(same, 1), call(same, 2))
    return answers


@workflow
def child() -> str:
    return "grown up"


@workflow
def parent() -> str:
    return str(start_child(child).result())


@pytest.mark.parametrize(
    ("asked", "result"),
    [(three_naps, "rested"), (side_by_side, [1, 2]), (parent, "grown up")],
    ids=["three_naps", "side_by_side", "parent"],
)
def test_what_a_run_makes_due_is_claimed_without_waiting_for_the_next_poll(
    database: Database,
    working: Callable[..., Worker],
    asked: Workflow[[], object],
    result: object,
) -> None:
    worker = working(three_naps, side_by_side, child, parent, poll=NEVER_S)
    client = Client(database, hint=worker.hint)
    client.start(asked, workflow_id="prompt")
    eventually(lambda: client.describe("prompt").result == result)


@pytest.mark.parametrize("limits", [{"most_running": 1}, {"most_per_worker": 1}, {"most_per_worker": 2, "rate": 1000}])
def test_a_place_that_becomes_free_in_a_full_queue_is_taken_without_waiting_for_the_next_poll(
    database: Database, working: Callable[..., Worker], limits: dict[str, int]
) -> None:
    Queues(database).limit("default", **limits)
    client = Client(database)
    for number in range(20):
        client.start(child, workflow_id=f"queueing-{number}")
    working(child, poll=NEVER_S)
    eventually(lambda: client.overview().counts == {"completed": 20})
