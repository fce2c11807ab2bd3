"""The waits between looks: at once, again after pauses, and once more when the time is over."""

import time

from bot.tries import tries


def test_it_comes_by_at_once_and_once_more_at_the_end() -> None:
    began = time.monotonic()
    looks = [time.monotonic() - began for _ in tries(0.05, every=0.01)]
    assert looks[0] < looks[-1]
    assert looks[-1] >= 0.05


def test_without_time_it_comes_by_once() -> None:
    assert sum(1 for _ in tries(0, every=10)) == 1


def test_pauses_grow_up_to_the_longest() -> None:
    looks = sum(1 for _ in tries(0.06, every=0.001, longest=0.02))  # pauses of 1, 2, 4, 8, 16, 20 ms and the rest
    assert 2 <= looks <= 12
