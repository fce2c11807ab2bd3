"""Timers, signals, ends and new beginnings."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from durable import (
    Signal,
    WorkflowClosed,
    WorkflowNotFound,
    activity,
    continue_as_new,
    now,
    random,
    receive,
    resource,
    set_status,
    sleep,
    workflow,
)
from durable.client import Client
from durable.postgres import Database
from durable.testing import InlineWorker, advance

Inline = Callable[..., InlineWorker]


@workflow
def sleeper(seconds: float) -> Any:
    began = now()
    sleep(seconds)
    return (now() - began).total_seconds()


@workflow
def listener(timeout: float | None) -> Any:
    signal = receive("go", "stop", timeout=timeout)
    return None if signal is None else (signal.name, signal.payload)


@workflow
def hourly(count: int) -> None:
    set_status(count)
    receive("wake", timeout=timedelta(hours=1))
    continue_as_new(count + 1)


@workflow
def collector(wanted: int) -> list[Any]:
    collected = []
    for _ in range(wanted):
        signal = receive()
        assert signal is not None
        collected.append(signal.payload)
    return collected


def state(worker: InlineWorker, workflow_id: str = "w") -> str:
    return worker.client.describe(workflow_id).state


def result(worker: InlineWorker, workflow_id: str = "w") -> Any:
    return worker.client.describe(workflow_id).result


def test_a_sleeper_wakes_when_it_is_due_and_not_before(database: Database, inline: Inline) -> None:
    worker = inline(sleeper)
    worker.client.start(sleeper, 3600, workflow_id="w")
    worker.run_until_idle()
    advance(database, timedelta(seconds=3598))
    assert worker.run_until_idle() == 0
    advance(database, timedelta(seconds=2))
    assert worker.run_until_idle() == 1
    assert 3600 <= result(worker) < 3602


def test_time_and_chance_are_the_same_in_whatever_time_zone_a_worker_lives(database: Database, inline: Inline) -> None:
    seen: list[Any] = []

    @workflow
    def telling() -> None:
        seen.append([random(), now().isoformat()])
        sleep(60)

    worker = inline(telling)
    worker.client.start(telling, workflow_id="w")
    worker.run_until_idle()
    with database.transaction("test") as connection:
        connection.execute(text(f"ALTER DATABASE \"{database.url.database}\" SET timezone = 'Asia/Tokyo'"))
    database.close()
    worker.run_for(timedelta(minutes=2))
    first, second = seen
    assert first == second
    assert second[1].endswith("+00:00")


def test_a_timer_keeps_its_due_time_when_its_run_is_replayed_in_between(database: Database, inline: Inline) -> None:
    worker = inline(sleeper)
    worker.client.start(sleeper, 3600, workflow_id="w")
    worker.run_until_idle()
    advance(database, timedelta(minutes=20))
    with database.transaction("test") as connection:
        connection.execute(text("UPDATE durable.workflows SET wake_at = durable.now()"))
    assert worker.run_until_idle() == 1
    advance(database, timedelta(minutes=40))
    worker.run_until_idle()
    assert 3600 <= result(worker) < 3602


def test_a_signal_sent_before_the_wait_is_kept_for_it(inline: Inline) -> None:
    worker = inline(listener)
    worker.client.start(listener, None, workflow_id="w")
    worker.client.signal("w", "go", 7, key="k")
    worker.run_until_idle()
    assert result(worker) == ("go", 7)


def test_a_signal_wakes_who_waits_for_it(inline: Inline) -> None:
    worker = inline(listener)
    worker.client.start(listener, 3600, workflow_id="w")
    worker.run_until_idle()
    worker.client.signal("w", "stop", key="k")
    worker.run_until_idle()
    assert result(worker) == ("stop", None)


def test_a_signal_of_another_name_waits_on(inline: Inline) -> None:
    worker = inline(listener)
    worker.client.start(listener, 60, workflow_id="w")
    worker.client.signal("w", "other", key="k")
    worker.run_until_idle()
    assert (state(worker), worker.client.describe("w").unread_signals) == ("waiting", 1)
    worker.run_for(timedelta(seconds=61))
    assert (state(worker), result(worker)) == ("completed", None)


def test_signals_are_read_in_the_order_of_their_arrival_and_each_key_once(inline: Inline) -> None:
    worker = inline(collector)
    worker.client.start(collector, 3, workflow_id="w")
    sent = [
        worker.client.signal("w", "n", payload, key=key) for payload, key in [(1, "a"), (2, "b"), (1, "a"), (3, "c")]
    ]
    worker.run_until_idle()
    assert (sent, result(worker)) == ([True, True, False, True], [1, 2, 3])


def test_a_key_is_remembered_across_continue_as_new(inline: Inline) -> None:
    worker = inline(hourly)
    worker.client.start(hourly, 0, workflow_id="w")
    for _ in range(3):
        worker.client.signal("w", "wake", key="same")
        worker.run_until_idle()
    assert worker.client.describe("w").status == 1


def test_a_week_of_hours_keeps_a_bounded_history(inline: Inline) -> None:
    worker = inline(hourly)
    worker.client.start(hourly, 0, workflow_id="w")
    worker.run_for(timedelta(days=7))
    described = worker.client.describe("w")
    assert (described.status, described.run) == (168, 169)
    assert described.history_length == 1


def test_unread_signals_survive_continue_as_new(inline: Inline) -> None:
    @workflow
    def two_runs(run: int) -> list[Any]:
        if run == 1:
            receive("first")
            continue_as_new(2)
        signal = receive("second")
        assert isinstance(signal, Signal)
        return [signal.payload]

    worker = inline(two_runs)
    worker.client.start(two_runs, 1, workflow_id="w")
    worker.client.signal("w", "second", "kept", key="2")
    worker.client.signal("w", "first", key="1")
    worker.run_until_idle()
    assert result(worker) == ["kept"]


def test_a_signal_with_start_starts_once_and_signals_after(inline: Inline) -> None:
    worker = inline(collector)
    for key in ("a", "b", "a"):
        worker.client.signal_with_start(collector, 2, workflow_id="w", signal="n", payload=key, key=key)
    worker.run_until_idle()
    assert result(worker) == ["a", "b"]


def test_a_signal_with_start_that_nobody_read_begins_the_next_run(database: Database, inline: Inline) -> None:
    client = None

    @activity
    def late_signal() -> None:
        assert client is not None
        client.signal_with_start(greedy, workflow_id="w", signal="again", payload="late", key="late")

    @workflow
    def greedy() -> Any:
        signal = receive("again", timeout=0)
        if signal is None:
            late_signal()
            return "nothing yet"
        return signal.payload

    worker = inline(greedy)
    client = worker.client
    client.start(greedy, workflow_id="w")
    worker.run_until_idle()
    assert (client.describe("w").run, result(worker)) == (2, "late")


@workflow
def handing_over() -> None:
    signal_with_the_next_start()


@workflow(queue="narrow", priority=7, deadline=timedelta(hours=1), retention=timedelta(days=2), version="2")
def bounded() -> None:
    receive("never")


@activity
def signal_with_the_next_start() -> None:
    resource(Client).signal_with_start(bounded, workflow_id="w", signal="again", key="late")


def leave_a_signal_with_start(database: Database, inline: Inline) -> None:
    """Let a workflow's first run end with a signal-with-start unread that asks for `bounded`."""
    worker = inline(handing_over, resources={Client: Client(database)})
    worker.client.start(handing_over, workflow_id="w")
    worker.run_until_idle()


def options_of_the_second_run(database: Database) -> tuple[Any, ...]:
    with database.reading() as connection:
        row = connection.execute(
            text(
                "SELECT w.name, queue, priority, deadline_at - created_at AS deadline, keep_for, version"
                " FROM durable.workflows w JOIN durable.runs r ON workflow_key = key AND r.run = w.run AND w.run = 2"
            )
        )
        return tuple(row.one())


def test_a_run_begun_by_a_leftover_signal_has_the_deadline_and_the_queue_its_start_was_given(
    database: Database, inline: Inline
) -> None:
    leave_a_signal_with_start(database, inline)
    hour, days = timedelta(hours=1), timedelta(days=2)
    assert options_of_the_second_run(database) == ("bounded", "narrow", 7, hour, days, "2")
    worker = inline(bounded, queues=["narrow"], version="2")
    worker.run_for(timedelta(minutes=59))
    assert state(worker) == "waiting"
    worker.run_for(timedelta(minutes=2))
    assert (state(worker), worker.client.describe("w").run) == ("cancelled", 2)


def test_a_run_begun_by_a_signal_of_a_release_that_kept_no_options_has_none_of_its_own(
    database: Database, inline: Inline
) -> None:
    @activity
    def signal_of_old() -> None:
        signal_with_the_next_start()
        with database.transaction("test") as connection:
            connection.execute(text("UPDATE durable.inbox SET start_options = NULL"))

    @workflow(priority=2)
    def of_old() -> None:
        signal_of_old()

    worker = inline(of_old, resources={Client: Client(database)})
    worker.client.start(of_old, workflow_id="w")
    worker.run_until_idle()
    assert options_of_the_second_run(database) == ("bounded", "default", 2, None, None, None)


def test_code_that_ends_without_reading_what_started_it_does_not_go_round_for_ever(inline: Inline) -> None:
    @workflow
    def broken() -> None:
        raise ValueError("before any receive")

    worker = inline(broken)
    worker.client.signal_with_start(broken, workflow_id="w", signal="n", key="a")
    assert worker.run_until_idle() == 1
    described = worker.client.describe("w")
    assert (described.state, described.reason) == ("failed", "ValueError: before any receive")


def test_a_delivery_of_the_past_does_not_begin_a_closed_workflow_again(inline: Inline) -> None:
    worker = inline(collector)

    def send(key: str) -> bool:
        client = worker.client
        return client.signal_with_start(collector, 1, workflow_id="w", signal="n", payload=key, key=key)

    assert send("a")
    worker.run_until_idle()
    assert not send("a")
    assert worker.run_until_idle() == 0
    assert send("b")
    worker.run_until_idle()
    assert (worker.client.describe("w").run, result(worker)) == (2, ["b"])


def test_a_closed_workflow_takes_no_signal_and_an_unknown_one_is_named(inline: Inline) -> None:
    worker = inline(collector)
    worker.client.start(collector, 0, workflow_id="w")
    worker.run_until_idle()
    with pytest.raises(WorkflowClosed, match="workflow w has ended"):
        worker.client.signal("w", "n", key="k")
    with pytest.raises(WorkflowNotFound, match="'nobody'"):
        worker.client.signal("nobody", "n", key="k")


def test_starting_is_idempotent_by_workflow_id(inline: Inline) -> None:
    worker = inline(collector)
    started = [worker.client.start(collector, 1, workflow_id="w") for _ in range(2)]
    assert [start.is_new for start in started] == [True, False]


def test_terminate_ends_a_waiting_workflow_at_once(inline: Inline) -> None:
    worker = inline(sleeper)
    worker.client.start(sleeper, 10, workflow_id="w")
    worker.run_until_idle()
    worker.client.terminate("w", "no longer wanted")
    assert worker.run_for(timedelta(minutes=1)) == 0
    described = worker.client.describe("w")
    assert (described.state, described.reason) == ("terminated", "no longer wanted")
    with pytest.raises(WorkflowClosed, match="nothing to terminate"):
        worker.client.terminate("w", "again")


def test_code_that_changed_pauses_the_workflow_and_it_goes_on_after_the_mend(inline: Inline) -> None:
    def before() -> str:
        sleep(10)
        return "slept"

    def after() -> str:
        receive("other")
        return "received"

    named = []
    for function in (before, after):
        function.__name__ = "changing"
        named.append(workflow(function))
    old = inline(named[0])
    old.client.start(named[0], workflow_id="w")
    old.run_until_idle()
    new = inline(named[1])
    new.run_for(timedelta(seconds=11))
    described = new.client.describe("w")
    assert described.state == "paused"
    assert "the history has sleep, the code asks for receive other" in str(described.reason)
    assert old.client.resume("w")
    old.run_until_idle()
    assert result(old) == "slept"


def test_a_workflow_of_another_release_is_left_for_a_worker_that_knows_it(inline: Inline) -> None:
    worker = inline(sleeper)
    worker.client.start(collector, 0, workflow_id="w")
    assert worker.run_until_idle() == 0
    assert inline(collector).run_until_idle() == 1


def test_list_pages_by_id_and_filters_by_prefix_and_state(inline: Inline) -> None:
    worker = inline(sleeper, collector)
    for number in range(5):
        worker.client.start(sleeper, 60, workflow_id=f"pr:{number}")
    worker.client.start(collector, 0, workflow_id="other_%")
    worker.run_until_idle()
    page = worker.client.list(prefix="pr:", limit=2)
    assert [described.workflow_id for described in page] == ["pr:0", "pr:1"]
    rest = worker.client.list(prefix="pr:", after=page[-1].workflow_id)
    assert [described.workflow_id for described in rest] == ["pr:2", "pr:3", "pr:4"]
    assert [described.workflow_id for described in worker.client.list(states=["completed"])] == ["other_%"]
    assert worker.client.list(prefix="other__") == []


@pytest.mark.parametrize("wrong", ["", "a/b", "a?b", "@a", "a\nb", "x" * 257])
def test_a_workflow_id_that_may_not_be_is_refused(inline: Inline, wrong: str) -> None:
    worker = inline(collector)
    with pytest.raises(ValueError, match="1 to 256 printable characters"):
        worker.client.start(collector, 0, workflow_id=wrong)
