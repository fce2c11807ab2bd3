"""Histories as files: what is exported replays to the same end, and other code shows where it differs."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from durable import RetryPolicy, activity, now, random, receive, sleep, uuid4, workflow
from durable.errors import Undecodable, WorkflowNotFound
from durable.export import export, replay_exported, workflow_of
from durable.postgres import Database
from durable.replay import Completed, Divergence, Failed, Waiting
from durable.testing import InlineWorker

Inline = Callable[..., InlineWorker]


@activity(retry=RetryPolicy(attempts=1))
def halve(number: int) -> float:
    if number == 0:
        raise ValueError("nothing to halve")
    return number / 2


@workflow
def varied(number: int) -> list[Any]:
    half = halve(number)
    receive(f"{random()} {uuid4()} {now().isoformat()}", timeout=60)
    sleep(3600)
    return [half, None, "Grüße"]


def exported(database: Database, workflow_id: str) -> str:
    with database.reading() as connection:
        return export(connection, workflow_id)


def lived(inline: Inline, number: int, duration: timedelta) -> str:
    worker = inline(varied)
    worker.client.start(varied, number, workflow_id="v")
    worker.run_for(duration)
    return exported(worker.database, "v")


def test_an_exported_history_is_replayed_to_where_it_ends(inline: Inline) -> None:
    assert replay_exported(lived(inline, 3, timedelta(0)), varied) == Waiting()


def test_an_exported_history_that_ended_comes_to_the_same_result(inline: Inline) -> None:
    text = lived(inline, 3, timedelta(hours=2))
    assert replay_exported(text, varied) == Completed('[1.5,null,"Gr\\u00fc\\u00dfe"]')
    assert workflow_of(text) == "varied"


def test_an_exported_failure_fails_again(inline: Inline) -> None:
    assert isinstance(replay_exported(lived(inline, 0, timedelta(0)), varied), Failed)


def test_other_code_than_an_exported_history_says_what_was_expected_and_found_and_where(inline: Inline) -> None:
    text = lived(inline, 3, timedelta(hours=2))

    @workflow
    def varied_now(number: int) -> float:
        sleep(1)
        return halve(number)

    outcome = replay_exported(text, varied_now)
    assert isinstance(outcome, Divergence)
    assert "step 1: the history has activity halve, the code asks for sleep" in outcome.message
    assert "test_export.py" in outcome.message
    assert "in varied_now" in outcome.message


def test_code_that_goes_on_where_a_history_ended_does_not_fit_it(inline: Inline) -> None:
    text = lived(inline, 3, timedelta(hours=2))

    @workflow
    def longer(number: int) -> list[Any]:
        result = varied.function(number)
        halve(4)
        return result

    @workflow
    def other(number: int) -> str:
        varied.function(number)
        return "something else"

    for changed in (longer, other):
        outcome = replay_exported(text, changed)
        assert isinstance(outcome, Divergence)
        assert outcome.message.startswith("the history ended with Completed")


def test_nothing_is_called_while_an_exported_history_is_replayed(inline: Inline) -> None:
    text = lived(inline, 3, timedelta(0))

    @activity
    def never() -> None:
        raise AssertionError

    @workflow
    def impatient(number: int) -> None:
        halve(number)
        receive(f"{random()} {uuid4()} {now().isoformat()}", timeout=60)
        never()

    shortened = json.loads(text)
    shortened["history"][1] |= {"state": "done", "payload": None}
    assert replay_exported(json.dumps(shortened), impatient) == Waiting()


def test_what_is_no_exported_history_is_refused(database: Database) -> None:
    for text in ("", "[]", "{}", '{"format": 99}'):
        with pytest.raises(Undecodable):
            replay_exported(text, varied)
    with pytest.raises(WorkflowNotFound):
        exported(database, "nobody")
