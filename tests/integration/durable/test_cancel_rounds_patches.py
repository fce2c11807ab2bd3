"""Cancelling politely, loops with a bounded history, and changes under `patched`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from durable import (
    Cancelled,
    Park,
    RetryAfter,
    WorkflowClosed,
    activity,
    continue_as_new,
    info,
    patched,
    receive,
    rounds,
    sleep,
    workflow,
)
from durable.testing import InlineWorker

Inline = Callable[..., InlineWorker]
done: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    done.clear()


@activity
def do(what: str) -> str:
    done.append(what)
    return what


@workflow
def careful() -> str:
    try:
        do("begin")
        sleep(timedelta(days=1))
        do("never")
    except Cancelled as cancelled:
        sleep(60)
        do(f"undo: {cancelled}")
        raise
    finally:
        do("clean up")
    return "?"


@workflow
def stubborn() -> str:
    try:
        receive("never")
    except Cancelled:
        sleep(1)
    return "went on"


def state(worker: InlineWorker) -> str:
    return worker.client.describe("w").state


def test_a_cancelled_sleeper_sees_it_once_and_cleans_up_durably(inline: Inline) -> None:
    worker = inline(careful)
    worker.client.start(careful, workflow_id="w")
    worker.run_until_idle()
    assert worker.client.cancel("w", "no longer wanted")
    worker.run_for(timedelta(minutes=2))
    described = worker.client.describe("w")
    assert (described.state, described.reason) == ("cancelled", "no longer wanted")
    assert done == ["begin", "undo: no longer wanted", "clean up"]


def test_a_second_request_to_cancel_changes_nothing(inline: Inline) -> None:
    worker = inline(careful)
    worker.client.start(careful, workflow_id="w")
    worker.run_until_idle()
    assert [worker.client.cancel("w", "one"), worker.client.cancel("w", "two")] == [True, False]
    worker.run_for(timedelta(minutes=2))
    assert done[1] == "undo: one"


def test_code_may_go_on_after_it_saw_its_cancellation(inline: Inline) -> None:
    worker = inline(stubborn)
    worker.client.start(stubborn, workflow_id="w")
    worker.run_until_idle()
    worker.client.cancel("w", "please")
    worker.run_for(timedelta(seconds=5))
    assert (state(worker), worker.client.describe("w").result) == ("completed", "went on")


def test_a_workflow_cancelled_before_it_began_sees_it_at_its_first_step(inline: Inline) -> None:
    worker = inline(careful)
    worker.client.start(careful, workflow_id="w")
    worker.client.cancel("w", "at once")
    worker.run_for(timedelta(minutes=2))
    assert (state(worker), done) == ("cancelled", ["undo: at once", "clean up"])


@pytest.mark.parametrize("hindrance", [RetryAfter(3600), Park("gate", "closed"), OSError("again")])
def test_a_workflow_that_waits_for_a_retry_or_at_a_gate_can_be_cancelled(inline: Inline, hindrance: Exception) -> None:
    @activity
    def hindered() -> None:
        raise hindrance

    @workflow
    def hopeful() -> None:
        hindered()

    worker = inline(hopeful)
    worker.client.start(hopeful, workflow_id="w")
    worker.run_until_idle()
    worker.client.cancel("w", "enough")
    worker.run_until_idle()
    assert state(worker) == "cancelled"


def test_a_cancellation_that_comes_while_it_runs_is_seen_when_it_waits(inline: Inline) -> None:
    @activity
    def cancel_myself() -> None:
        worker.client.cancel(info().workflow_id, "from within")

    @workflow
    def unaware() -> None:
        cancel_myself()
        sleep(timedelta(days=1))

    worker = inline(unaware)
    worker.client.start(unaware, workflow_id="w")
    worker.run_until_idle()
    assert state(worker) == "cancelled"


def test_a_cancellation_survives_continue_as_new(inline: Inline) -> None:
    @activity
    def cancel_once(run: int) -> None:
        if run == 1:
            worker.client.cancel(info().workflow_id, "between the runs")

    @workflow
    def again(run: int) -> None:
        cancel_once(run)
        if run == 1:
            continue_as_new(2)
        sleep(timedelta(days=1))

    worker = inline(again)
    worker.client.start(again, 1, workflow_id="w")
    worker.run_until_idle()
    assert (state(worker), worker.client.describe("w").run) == ("cancelled", 2)


def test_what_has_ended_cannot_be_cancelled(inline: Inline) -> None:
    worker = inline(stubborn)
    worker.client.start(stubborn, workflow_id="w")
    worker.client.terminate("w", "gone")
    with pytest.raises(WorkflowClosed, match="nothing to cancel"):
        worker.client.cancel("w", "late")


@workflow
def looping(most: int) -> list[Any]:
    first = do("before")
    for round_ in rounds(0):
        sleep(60)
        do(f"round {round_.number}")
        round_.value += 10
        if round_.number == most:
            break
    return [first, round_.value, do("after")]


def test_a_loop_in_rounds_goes_on_for_long_with_a_short_history(inline: Inline) -> None:
    worker = inline(looping)
    worker.client.start(looping, 90, workflow_id="w")
    longest = 0
    for _ in range(6):
        worker.run_for(timedelta(minutes=15, seconds=2))
        longest = max(longest, worker.client.describe("w").history_length)
    worker.run_for(timedelta(minutes=5))
    assert worker.client.describe("w").result == ["before", 900, "after"]
    assert longest <= 5
    assert done == ["before", *(f"round {number}" for number in range(1, 91)), "after"]


def test_each_round_has_effects_of_its_own(inline: Inline) -> None:
    keys: list[str] = []

    @activity
    def remember() -> None:
        keys.append(info().key)

    @workflow
    def three() -> None:
        for round_ in rounds(None):
            remember()
            if round_.number == 3:
                return

    worker = inline(three)
    worker.client.start(three, workflow_id="w")
    worker.run_until_idle()
    assert keys == ["w/1/2", "w/1/3", "w/1/4"]


def _version(
    before: Callable[..., Any], after: Callable[..., Any], inline: Inline
) -> tuple[InlineWorker, InlineWorker]:
    declared = []
    for function in (before, after):
        function.__name__ = "released"
        declared.append(workflow(function))
    old, new = inline(declared[0]), inline(declared[1])
    old.client.start(declared[0], workflow_id="w")
    old.run_until_idle()
    new.client.start(declared[1], workflow_id="new")
    return old, new


def test_a_change_under_patched_takes_over_runs_from_before_it(inline: Inline) -> None:
    def before() -> list[str]:
        sleep(60)
        return [do("old")]

    def after() -> list[str]:
        extra = [do("added")] if patched("more") else []
        sleep(60)
        return [*extra, do("old")]

    _, new = _version(before, after, inline)
    new.run_for(timedelta(minutes=2))
    assert new.client.describe("w").result == ["old"]
    assert new.client.describe("new").result == ["added", "old"]


def test_a_run_that_had_not_come_to_the_change_goes_the_new_way(inline: Inline) -> None:
    def before() -> list[str]:
        sleep(60)
        return [do("old")]

    def after() -> list[str]:
        sleep(60)
        return [do("new")] if patched("reword") else [do("old")]

    _, new = _version(before, after, inline)
    new.run_for(timedelta(minutes=2))
    assert new.client.describe("w").result == ["new"]


def test_a_patch_that_was_retired_leaves_its_runs_going(inline: Inline) -> None:
    def marked() -> list[str]:
        first = [do("added")] if patched("more") else []
        sleep(60)
        return first

    def retired() -> list[str]:
        first = [do("added")]
        sleep(60)
        return first

    _, new = _version(marked, retired, inline)
    new.run_for(timedelta(minutes=2))
    assert new.client.describe("w").result == ["added"]
