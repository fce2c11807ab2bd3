"""Two things in the same moment, thousands of times: nothing is lost, nothing doubled, and nobody waits for ever.

In the long form each way a race may end has to have occurred, too: else the two sides did not meet.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from durable import Found, activity, info, receive, workflow
from tests.support.chaos import IS_LONG, Figure, sized
from tests.support.database import Databases
from tests.support.racing import Course, Delay, course

MANY = sized(160, 10_000)
FEWER = sized(96, 2_000)
made: Counter[str] = Counter()


def look() -> Found[None] | None:
    return Found(None) if made[info().key] else None


@activity(verify=look)
def effect() -> None:
    made[info().key] += 1


@workflow
def undecided(hours: int) -> list[Any]:
    signal = receive("go", timeout=timedelta(hours=hours))
    if signal is not None:
        return ["in time", signal.key]
    late = receive("go")
    assert late is not None
    return ["too late", late.key]


@workflow
def collecting(most: int) -> list[str]:
    return [signal.key for _ in range(most) if (signal := receive())]


@workflow
def acting(hours: int) -> None:
    receive("never", timeout=timedelta(hours=hours))
    effect()


@workflow
def idle(hours: int) -> None:
    receive("never", timeout=timedelta(hours=hours))


@workflow
def reopened(hours: int) -> str:
    opened = receive("open")
    receive("never", timeout=timedelta(hours=hours))
    assert opened is not None
    return opened.key


@pytest.fixture(scope="module")
def one_track(databases: Databases) -> Iterator[Course]:
    """The same for all races of this module, as it takes seconds to close it."""
    with databases.migrated() as url, course(url, workflows=[undecided, collecting, acting, idle, reopened]) as track:
        yield track


@pytest.fixture
def track(one_track: Course, caplog: pytest.LogCaptureFixture) -> Iterator[Course]:
    made.clear()
    caplog.set_level(logging.WARNING)
    yield one_track
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert "deadlock" not in caplog.text


def tell(figure: Figure, outcomes: Counter[Any], *expected: Any) -> None:
    """Note how often each race ended how, and see to it that each way occurred and no other."""
    for outcome in expected:
        figure(f"races that ended as {outcome}", outcomes[outcome])
    assert set(outcomes) <= set(expected)
    assert set(outcomes) == set(expected) or not IS_LONG, f"the sides did not meet: {outcomes}"


@pytest.mark.chaos
def test_a_signal_and_a_timeout_are_decided_once_and_the_signal_is_read_once(
    track: Course, record_property: Figure
) -> None:
    delay, outcomes = Delay(), Counter[str]()
    for heat in track.begin(MANY, lambda id_, hour: track.client.start(undecided, hour, workflow_id=id_)):
        deeds = [partial(track.client.signal, id_, "go", key=f"to {id_}") for id_ in heat]
        assert track.race(deeds, delay) == [True] * len(heat)
        ends = track.ends(heat)
        assert [end.state for end in ends] == ["completed"] * len(heat)
        assert [end.result[1] for end in ends] == [f"to {id_}" for id_ in heat]
        outcomes.update(delay.tuned((end.result[0] for end in ends), early="in time"))
    tell(record_property, outcomes, "in time", "too late")


@pytest.mark.chaos
def test_two_signals_to_one_waiter_are_read_once_each_in_the_order_of_their_arrival(
    track: Course, record_property: Figure
) -> None:
    """Each of two senders sends one of its own, and then one that both send under the same key."""
    outcomes = Counter[str]()

    def send(id_: str, own: str) -> tuple[bool, bool]:
        signal = track.client.signal
        return signal(id_, "go", key=own), signal(id_, "go", key="common")

    for heat in track.begin(MANY, lambda id_, _: track.client.start(collecting, 3, workflow_id=id_)):
        deeds = [partial(send, id_, own) for id_ in heat for own in ("a", "b")]
        answers = track.race(deeds, Delay(0.001), timers=False)
        for number, end in enumerate(track.ends(heat)):
            both = answers[2 * number : 2 * number + 2]
            assert sorted(both) == [(True, False), (True, True)]
            assert (end.state, sorted(end.result)) == ("completed", ["a", "b", "common"])
            outcomes[" before ".join(key for key in end.result if key != "common")] += 1
    assert track.read_out_of_order() == 0
    tell(record_property, outcomes, "a before b", "b before a")


@pytest.mark.chaos
def test_who_cancels_what_is_about_to_complete_hears_how_it_went(track: Course, record_property: Figure) -> None:
    delay, outcomes = Delay(), Counter[tuple[str, Any]]()
    for heat in track.begin(MANY, lambda id_, hour: track.client.start(idle, hour, workflow_id=id_)):
        answers = track.race([partial(track.client.cancel, id_, "no more") for id_ in heat], delay)
        ends = zip((end.state for end in track.ends(heat)), answers, strict=True)
        outcomes.update(delay.tuned(ends, early=("cancelled", True)))
    # Who is asked in its very last step may have no step left in which it could see that.
    tell(record_property, outcomes, ("cancelled", True), ("completed", True), ("completed", "WorkflowClosed"))


@pytest.mark.chaos
def test_what_is_terminated_while_it_completes_ends_as_one_of_both(track: Course, record_property: Figure) -> None:
    delay, outcomes = Delay(), Counter[tuple[str, Any, int]]()
    for heat in track.begin(FEWER, lambda id_, hour: track.client.start(acting, hour, workflow_id=id_)):
        answers = track.race([partial(track.client.terminate, id_, "no more") for id_ in heat], delay)
        states = [end.state for end in track.ends(heat)]
        ends = zip(states, answers, (made[f"{id_}/1/2"] for id_ in heat), strict=True)
        outcomes.update(delay.tuned(ends, early=("terminated", None, 0)))
    ended = ("terminated", None, 0), ("terminated", None, 1), ("completed", "WorkflowClosed", 1)
    tell(record_property, outcomes, *ended)


@pytest.mark.chaos
def test_a_signal_with_start_that_meets_the_end_has_a_run_of_its_own(track: Course, record_property: Figure) -> None:
    delay, outcomes = Delay(), Counter[str]()

    def open_(id_: str, hours: int, key: str) -> bool:
        return track.client.signal_with_start(reopened, hours, workflow_id=id_, signal="open", key=key)

    for heat in track.begin(FEWER, lambda id_, hour: open_(id_, hour, "first")):
        assert track.race([partial(open_, id_, 0, "second") for id_ in heat], delay) == [True] * len(heat)
        assert track.ends(heat) == [("completed", "second", 2)] * len(heat)
        outcomes.update(delay.tuned(track.begun_by(heat), early="by the end"))
    tell(record_property, outcomes, "by the end", "by the signal")


@pytest.mark.chaos
def test_what_is_suspended_while_it_wakes_goes_on_later_and_does_nothing_twice(
    track: Course, record_property: Figure
) -> None:
    delay, outcomes = Delay(), Counter[tuple[Any, int]]()
    for heat in track.begin(FEWER, lambda id_, hour: track.client.start(acting, hour, workflow_id=id_)):
        answers = track.race([partial(track.operator.suspend, id_, "wait") for id_ in heat], delay)
        ends = zip(answers, (made[f"{id_}/1/2"] for id_ in heat), strict=True)
        outcomes.update(delay.tuned(ends, early=(None, 0)))
        paused = [id_ for id_, end in zip(heat, track.ends(heat), strict=True) if end.state == "paused"]
        assert len(paused) == answers.count(None)
        for id_ in paused:
            track.operator.resume(id_)
    track.until_all_ended()
    assert set(made.values()) == {1}
    tell(record_property, outcomes, (None, 0), (None, 1), ("WrongState", 1))
