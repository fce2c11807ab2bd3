"""The histories of the examples: exported, replayed at once, and kept as golden ones."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from docs.examples.hello_cities import chaining_orchestration, fan_out_fan_in_orchestration
from docs.examples.naive_pull_request import World, nag_about
from durable.export import export, replay_exported
from durable.replay import Completed, Outcome, Waiting
from durable.testing import InlineWorker
from tests.support.histories import keep_golden


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
    with worker.database.reading() as connection:
        text = export(connection, example.name)
    assert replay_exported(text, example) == outcome
    keep_golden(example.name, text)
