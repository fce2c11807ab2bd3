"""The core against a runtime of a dozen lines: the seam where PostgreSQL, or anything else, is put in."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durable import (
    ActivityFailed,
    activity,
    continue_as_new,
    now,
    random,
    receive,
    resource,
    set_status,
    sleep,
    uuid4,
    workflow,
)
from durable.errors import ActivityFailed as Failure
from durable.errors import OutsideWorkflow, Suspended
from durable.model import CallActivity, Command, Entry
from durable.replay import Completed, Continued, Divergence, Failed, Outcome, Replay, Waiting, encode_input, run
from durable.serde import decode, encode

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class Memory:
    """Executes activities in place and suspends for everything else that is not answered yet."""

    def __init__(self, history: dict[int, Entry] | None = None) -> None:
        self.history = history or {}
        self.status: Any = None

    def answer(self, step: int, command: Command, entry: Entry | None) -> Entry:
        begun = entry or Entry(step, command.kind, command.name, "started", BEGAN)
        if not isinstance(command, CallActivity):
            self.history[step] = begun
            raise Suspended
        try:
            result = command.activity.function(*command.args, **command.kwargs)
            done = replace(begun, state="done", payload=encode(result), at=BEGAN + timedelta(seconds=step))
        except ZeroDivisionError as error:
            payload = encode({"error": "ZeroDivisionError", "message": str(error)})
            done = replace(begun, state="failed", payload=payload)
        self.history[step] = done
        return done

    def finish(self, step: int, value: Any = None) -> None:
        self.history[step] = replace(self.history[step], state="done", payload=encode(value))

    def set_status(self, value: str) -> None:
        self.status = decode(value)

    def begin_round(self, entry: Entry, first: int) -> None:
        self.history = {step: kept for step, kept in self.history.items() if not entry.step < step < first}
        self.history[entry.step] = entry

    def now(self) -> datetime:
        return BEGAN

    def run(self, function: Any, *args: Any) -> Outcome:
        return run(function, encode_input(args, {}), Replay(self.history, self, began=BEGAN, seed="s"))


calls: list[str] = []


@activity
def note(word: str) -> str:
    calls.append(word)
    return word.upper()


@activity
def divide(by: int) -> float:
    return 1 / by


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


def test_an_activity_is_called_once_however_often_the_workflow_is_replayed() -> None:
    @workflow
    def two_steps() -> list[str]:
        first = note("a")
        sleep(10)
        return [first, note("b")]

    memory = Memory()
    assert memory.run(two_steps) == Waiting()
    assert memory.run(two_steps) == Waiting()
    memory.finish(2)
    assert memory.run(two_steps) == Completed('["A","B"]')
    assert calls == ["a", "b"]


def test_except_exception_does_not_swallow_a_suspension() -> None:
    @workflow
    def careless() -> str:
        try:
            sleep(1)
        except Exception:  # noqa: BLE001 - what authors write
            return "swallowed"
        return "slept"

    assert Memory().run(careless) == Waiting()


def test_a_suspension_that_was_swallowed_all_the_same_still_counts() -> None:
    @workflow
    def stubborn() -> str:
        try:
            sleep(1)
        except BaseException:  # noqa: BLE001 - the worst an author can write
            note("after the end")
        return "done"

    assert Memory().run(stubborn) == Waiting()
    assert calls == []


def test_a_failed_activity_raises_in_the_workflow_what_can_be_caught() -> None:
    @workflow
    def forgiving() -> tuple[str, str, str]:
        try:
            divide(0)
        except ActivityFailed as failure:
            return failure.activity, failure.error, failure.message
        raise AssertionError

    expected = ("divide", "ZeroDivisionError", "division by zero")
    memory = Memory()
    assert [memory.run(forgiving), memory.run(forgiving)] == [Completed(encode(expected))] * 2


def test_an_error_of_the_workflow_is_its_outcome() -> None:
    @workflow
    def broken() -> None:
        raise KeyError("gone")

    outcome = Memory().run(broken)
    assert isinstance(outcome, Failed)
    assert (outcome.error, outcome.message) == ("KeyError", "'gone'")
    assert "in broken" in outcome.detail


def test_a_result_that_cannot_be_stored_fails_the_workflow() -> None:
    @workflow
    def strange() -> object:
        return object()

    outcome = Memory().run(strange)
    assert isinstance(outcome, Failed)
    assert outcome.error == "NotSerializable"


def test_random_numbers_uuids_and_the_time_are_the_same_on_every_replay() -> None:
    @workflow
    def chances() -> list[Any]:
        before = now()
        note("x")
        return [random(), uuid4(), before, now()]

    memory = Memory()
    first, second = memory.run(chances), memory.run(chances)
    assert first == second
    assert isinstance(first, Completed)
    assert decode(first.result)[2:] == [BEGAN, BEGAN + timedelta(seconds=1)]


def _kinds(first: Callable[[], object], second: Callable[[], object]) -> Outcome:
    memory = Memory()
    memory.run(workflow(first))
    return memory.run(workflow(second))


def test_other_code_than_the_history_diverges_and_says_what_was_expected_found_and_where() -> None:
    outcome = _kinds(lambda: note("a"), lambda: divide(1))
    assert isinstance(outcome, Divergence)
    assert "step 1: the history has activity note, the code asks for activity divide" in outcome.message
    assert "test_replay.py" in outcome.message
    assert calls == ["a"]


def test_code_that_ends_before_its_history_diverges() -> None:
    outcome = _kinds(lambda: note("a"), lambda: None)
    assert isinstance(outcome, Divergence)
    assert "the end of the workflow" in outcome.message


def test_changed_arguments_are_no_divergence() -> None:
    assert _kinds(lambda: note("a"), lambda: note("b")) == Completed('"A"')


def test_an_entry_that_cannot_be_read_stops_the_workflow_instead_of_failing_it() -> None:
    @workflow
    def one_step() -> str:
        try:
            return note("a")
        except Exception:  # noqa: BLE001 - must not be caught here
            return "caught"

    memory = Memory()
    memory.run(one_step)
    memory.history[1] = replace(memory.history[1], payload='{"$":"from the future"}')
    outcome = memory.run(one_step)
    assert isinstance(outcome, Divergence)
    assert "from the future" in outcome.message


def test_continue_as_new_hands_over_its_arguments() -> None:
    @workflow
    def again(count: int) -> None:
        continue_as_new(count + 1)

    assert Memory().run(again, 1) == Continued("[[2],{}]")


def test_status_is_passed_on() -> None:
    @workflow
    def talkative() -> None:
        set_status({"phase": "one"})
        sleep(1)

    memory = Memory()
    memory.run(talkative)
    assert memory.status == {"phase": "one"}


def test_an_activity_outside_a_workflow_is_a_plain_call() -> None:
    assert note("a") == "A"


@pytest.mark.parametrize("verb", [lambda: sleep(1), lambda: receive("x"), now, uuid4, lambda: resource(int)])
def test_a_verb_outside_a_workflow_says_so(verb: Callable[[], object]) -> None:
    with pytest.raises(OutsideWorkflow, match="inside a"):
        verb()


def test_receive_refuses_two_ends_and_a_naive_time() -> None:
    with pytest.raises(ValueError, match="not both"):
        receive(timeout=1, until=BEGAN)
    with pytest.raises(ValueError, match="no time zone"):
        receive(until=BEGAN.replace(tzinfo=None))


def test_failure_reads_as_a_sentence() -> None:
    assert str(Failure("post", "Refused", "no")) == "post failed with Refused: no"
