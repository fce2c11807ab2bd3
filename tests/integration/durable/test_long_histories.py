"""A run with very many steps: warned of while it goes on, refused at the limit, and read by whoever can read it."""

import logging
from collections.abc import Callable

import pytest
from sqlalchemy import text

from durable import activity, receive, workflow
from durable.postgres import Database
from durable.replay import MANY_ENTRIES, MOST_ENTRIES
from durable.testing import InlineWorker

Inline = Callable[..., InlineWorker]


@activity
def double(number: int) -> int:
    return number * 2


@workflow
def one_after_the_other(many: int) -> int:
    total = sum(double(number) for number in range(many))
    receive("go")
    return total


def has_done(database: Database, steps: int) -> None:
    """Put it into the history of the only workflow that it has done so many steps."""
    with database.transaction("test") as connection:
        connection.execute(
            text(
                "INSERT INTO durable.history (workflow_key, run, step, kind, name, state, payload, attempt, at)"
                " SELECT key, run, step, 'activity', 'double', 'done', ((step - 1) * 2)::text, 1, durable.now()"
                " FROM durable.workflows, generate_series(1, :steps) AS step"
            ),
            {"steps": steps},
        )
        connection.execute(text("UPDATE durable.workflows SET fence = 1"))  # else it is taken to have no history yet


def rewrite(database: Database, payload: str) -> None:
    """Put another result into the second step."""
    with database.transaction("test") as connection:
        connection.execute(text("UPDATE durable.history SET payload = :payload WHERE step = 2"), {"payload": payload})


def test_a_history_of_more_than_a_thousand_entries_is_warned_of_in_the_log_and_in_its_description(
    database: Database, inline: Inline, caplog: pytest.LogCaptureFixture
) -> None:
    worker = inline(one_after_the_other)
    worker.client.start(one_after_the_other, MANY_ENTRIES, workflow_id="w")
    has_done(database, MANY_ENTRIES)
    with caplog.at_level(logging.WARNING):
        worker.run_until_idle()
        assert caplog.messages == []
        assert "1001 entries" in str(worker.client.describe("w").reason)
        worker.client.signal("w", "go", key="go")
        worker.run_until_idle()
    [warning] = caplog.messages
    assert warning == "a history of 1001 entries is replayed at every wake; use rounds() or continue_as_new()"
    assert worker.client.describe("w").result == MANY_ENTRIES * (MANY_ENTRIES - 1)


def test_a_history_of_a_thousand_entries_is_not_warned_of(database: Database, inline: Inline) -> None:
    worker = inline(one_after_the_other)
    worker.client.start(one_after_the_other, MANY_ENTRIES - 1, workflow_id="w")
    has_done(database, MANY_ENTRIES - 1)
    worker.run_until_idle()
    described = worker.client.describe("w")
    assert (described.history_length, described.reason) == (MANY_ENTRIES, None)


def test_the_step_after_the_ten_thousandth_fails_the_workflow_and_names_the_remedy(
    database: Database, inline: Inline
) -> None:
    worker = inline(one_after_the_other)
    worker.client.start(one_after_the_other, MOST_ENTRIES, workflow_id="w")
    has_done(database, MOST_ENTRIES)
    worker.run_until_idle()
    described = worker.client.describe("w")
    assert (described.state, described.history_length) == ("failed", MOST_ENTRIES)
    assert described.reason == "HistoryTooLong: more than 10000 steps in one run; use rounds() or continue_as_new()"


def test_a_history_that_cannot_be_read_pauses_its_workflow_keeps_it_and_disturbs_no_other(
    database: Database, inline: Inline
) -> None:
    worker = inline(one_after_the_other)
    worker.client.start(one_after_the_other, 2, workflow_id="w")
    has_done(database, 2)
    rewrite(database, '{"$": "of a newer release", "v": 1}')
    worker.client.start(one_after_the_other, 0, workflow_id="other")
    assert worker.run_until_idle() == 2
    paused = worker.client.describe("w")
    assert (paused.state, paused.history_length) == ("paused", 2)
    assert "unknown type tag 'of a newer release'" in str(paused.reason)
    assert worker.client.describe("other").state == "waiting"
    rewrite(database, "2")
    worker.client.resume("w")
    worker.client.signal("w", "go", key="go")
    worker.run_until_idle()
    assert worker.client.describe("w").result == 2
