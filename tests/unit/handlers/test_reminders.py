"""When reminders are due, and how they are counted."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.reminders import humane, next_due, ordinal

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_the_next_reminder_is_due_one_interval_after_the_last() -> None:
    assert next_due(NOON, HOUR, chance=0.0) == NOON + HOUR


@settings(deadline=None)
@given(
    every=st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=366)),
    chance=st.floats(min_value=0, max_value=1, exclude_max=True),
)
def test_jitter_is_never_early_and_at_most_a_twentieth(every: timedelta, chance: float) -> None:
    due = next_due(NOON, every, chance)
    assert NOON + every <= due <= NOON + every * 1.05 + timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (13, "13th"),
        (21, "21st"),
        (111, "111th"),
        (1002, "1002nd"),
    ],
)
def test_reminders_are_counted_as_people_count(number: int, said: str) -> None:
    assert ordinal(number) == said


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=0.4), "0 s"),
        (timedelta(seconds=45), "45 s"),
        (timedelta(minutes=1, seconds=59), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (HOUR * 3, "3 h"),
        (HOUR * 3 + timedelta(seconds=40), "3 h"),
        (HOUR * 3 + timedelta(minutes=20), "3 h 20 min"),
        (HOUR * 24, "1 d"),
        (HOUR * 49, "2 d 1 h"),
    ],
)
def test_durations_read_like_speech(duration: timedelta, said: str) -> None:
    assert humane(duration) == said
