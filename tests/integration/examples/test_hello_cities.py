"""Hello Cities gives exactly what it is known for."""

from collections.abc import Callable

from docs.examples.hello_cities import chaining_orchestration, fan_out_fan_in_orchestration
from durable.testing import InlineWorker


def test_hello_cities_are_greeted_one_after_the_other(inline: Callable[..., InlineWorker]) -> None:
    worker = inline(chaining_orchestration)
    worker.client.start(chaining_orchestration, workflow_id="chain")
    worker.run_until_idle()
    assert worker.client.describe("chain").result == ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]
    assert [entry.title for entry in worker.client.history("chain")] == ["activity say_hello"] * 3


def test_hello_cities_are_greeted_all_at_once(inline: Callable[..., InlineWorker]) -> None:
    worker = inline(fan_out_fan_in_orchestration)
    worker.client.start(fan_out_fan_in_orchestration, workflow_id="fan")
    worker.run_until_idle()
    assert worker.client.describe("fan").result == [
        "Hello Tokyo!",
        "Hello Seattle!",
        "Hello London!",
        "Hello Paris!",
        "Hello Berlin!",
    ]
    assert len(worker.client.history("fan")) == 1
