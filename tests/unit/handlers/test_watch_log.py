"""What a watch remembers of what happened to it, and what people may ask of it."""

from datetime import timedelta
from typing import Any

import pytest

from durable import Signal
from handlers.asks import Ask, ask_of
from handlers.watch_log import MOST, Kind, Log, gist_of, told
from tests.unit.handlers.sample import NOON, OPEN, delivery, review


def log_of(*kinds: tuple[Kind, dict[str, Any]]) -> Log:
    """What is kept of these, a minute apart."""
    log: Log = ()
    for minute, (kind, facts) in enumerate(kinds):
        log = told(log, NOON + timedelta(minutes=minute), kind, facts)
    return log


def reminded(number: int) -> tuple[Kind, dict[str, Any]]:
    return "reminded", {"first": number, "last": number, "since": NOON + timedelta(hours=number)}


TIMER: tuple[Kind, dict[str, Any]] = ("timer", {"what": "reminder", "until": NOON})


def test_reminders_with_nothing_but_their_timers_between_them_are_one_entry() -> None:
    log = log_of(TIMER, reminded(1), TIMER, reminded(2), TIMER, reminded(3), TIMER)
    assert [happening.kind for happening in log] == ["timer", "reminded", "timer"]
    assert log[1].facts == {"first": 1, "last": 3, "since": NOON + timedelta(hours=1)}
    assert log[1].at == NOON + timedelta(minutes=5)


def test_reminders_with_something_between_them_are_not() -> None:
    log = log_of(reminded(1), TIMER, ("heard", {"action": "labeled"}), reminded(2))
    assert [happening.kind for happening in log] == ["reminded", "timer", "heard", "reminded"]


def test_people_invited_together_are_one_entry() -> None:
    [invited] = log_of(("invited", {"who": ["ann"]}), ("invited", {"who": ["ben"]}))
    assert invited.facts == {"who": ["ann", "ben"]}


def test_only_the_latest_happenings_are_kept() -> None:
    log = log_of(*[("heard", {"action": str(number)}) for number in range(MOST + 20)])
    assert len(log) == MOST
    assert [log[0].facts["action"], log[-1].facts["action"]] == ["20", str(MOST + 19)]


def test_a_delivery_is_kept_with_who_did_what() -> None:
    assert gist_of(delivery("labeled", OPEN)) == {"id": "delivery-labeled", "action": "labeled", "by": "eve"}
    assert gist_of(review(OPEN, "changes_requested"))["review"] == "changes_requested"


@pytest.mark.parametrize(
    ("payload", "ask"),
    [
        (Ask("zoe"), Ask("zoe")),
        ({"by": "zoe", "until": NOON.isoformat()}, Ask("zoe", NOON)),
        ({"by": "zoe", "until": NOON}, Ask("zoe", NOON)),
        ({"until": "tomorrow"}, Ask("an operator")),
        ({"until": "2026-03-02T12:00:00"}, Ask("an operator")),
        ({"by": "x" * 1000}, Ask("x" * 100)),
        (None, Ask("an operator")),
        (["odd"], Ask("an operator")),
    ],
)
def test_what_an_operator_signals_by_hand_is_read_without_trust(payload: object, ask: Ask) -> None:
    assert ask_of(Signal("snooze", payload, "1", NOON)) == ask
