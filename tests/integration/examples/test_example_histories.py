"""The histories of the examples: exported, replayed at once, and kept as golden ones."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from docs.examples.aggregator import add, aggregate
from docs.examples.approval import approval
from docs.examples.hello_cities import chaining_orchestration, fan_out_fan_in_orchestration
from docs.examples.monitor import monitor
from docs.examples.naive_pull_request import World, nag_about
from durable.export import export, replay_exported
from durable.replay import Completed, Outcome, Waiting
from durable.testing import InlineWorker
from tests.support.histories import keep_golden
from tests.support.scripted_server import Answer, ScriptedServer

OF_NOBODY = "https://example.com"


class Quiet:
    """An open pull request, and nobody who listens."""

    def is_open(self, number: int) -> bool:
        return number == 7

    def post(self, text: str, key: str) -> None: ...

    def was_posted(self, text: str, key: str) -> bool:
        raise AssertionError(text, key)


GREETED = Completed('["Hello Tokyo!","Hello Seattle!","Hello London!"]')
GREETED_AT_ONCE = Completed('["Hello Tokyo!","Hello Seattle!","Hello London!","Hello Paris!","Hello Berlin!"]')
EXAMPLES = [
    (fan_out_fan_in_orchestration, (), GREETED_AT_ONCE),
    (chaining_orchestration, (), GREETED),
    (nag_about, (7,), Waiting()),
]


@pytest.mark.parametrize(("example", "args", "outcome"), EXAMPLES, ids=lambda value: getattr(value, "name", ""))
def test_the_history_of_each_example_replays(
    inline: Callable[..., InlineWorker], example: Any, args: tuple[Any, ...], outcome: Outcome
) -> None:
    worker = inline(example, resources={World: Quiet()})
    worker.client.start(example, *args, workflow_id=example.name)
    worker.run_for(timedelta(hours=2, minutes=30))
    keep_if_it_replays(worker, example, outcome)


def test_the_history_of_a_monitor_replays(inline: Callable[..., InlineWorker]) -> None:
    worker = inline(monitor)
    with ScriptedServer(lambda _: Answer({"status": "in_progress", "conclusion": None})) as build:
        worker.client.start(monitor, build.url, workflow_id=monitor.name)
        worker.run_for(timedelta(minutes=3))
    keep_if_it_replays(worker, monitor, Waiting(), outside=build.url)


def test_the_history_of_an_approval_replays(inline: Callable[..., InlineWorker]) -> None:
    worker = inline(approval)
    with ScriptedServer(lambda _: Answer()) as people:
        wanted = {"what": "Pay 300 EUR?", "ask": [f"{people.url}/ada", f"{people.url}/grace"]}
        worker.client.start(approval, wanted, workflow_id=approval.name)
        worker.run_for(timedelta(days=1, minutes=1))
    worker.client.signal(approval.name, "approve", "Grace", key="click")
    worker.run_until_idle()
    keep_if_it_replays(worker, approval, Completed('"approve by Grace"'), outside=people.url)


def test_the_history_of_an_aggregator_replays(inline: Callable[..., InlineWorker]) -> None:
    worker = inline(aggregate)
    for number in range(1, 6):
        add(worker.client, "roof", number, key=str(number))
        worker.run_for(timedelta(minutes=2 if number == 3 else 0))
    keep_if_it_replays(worker, aggregate, Waiting(), workflow_id="aggregate:roof")


def keep_if_it_replays(
    worker: InlineWorker, example: Any, outcome: Outcome, *, workflow_id: str | None = None, outside: str = OF_NOBODY
) -> None:
    """Export the run, compare what its replay ends with, and keep it without the address of the test's own server."""
    with worker.database.reading() as connection:
        text = export(connection, workflow_id or example.name).replace(outside, OF_NOBODY)
    assert replay_exported(text, example) == outcome
    keep_golden(example.name, text)
