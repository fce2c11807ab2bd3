"""For tests of workflows: die at a point that the code comes to, as abruptly as one process can make it."""

from collections.abc import Iterator
from contextlib import contextmanager

from durable import injection

OF_THE_TEST = "advance"
"""The label of commits that a test makes when it moves time."""


class Crash(BaseException):
    """The process dies here: no `except Exception` catches it."""


@contextmanager
def crash_at(point: str | None = None, *, nth: int = 1) -> Iterator[None]:
    """Die where the code comes to `point` for the `nth` time within the block, and leave the block there.

    A point is e.g. `call.after greet` or `commit.before journal`, see `durable.injection`; None stands for any. Whoever
    worked in the block is dead: close it and go on with a successor. Raises `AssertionError`, with the points there
    were, when the code does not come there.
    """
    passed: list[str] = []

    def die(here: str) -> None:
        if _is_of_the_test(here):
            return
        passed.append(here)
        if (len(passed) if point is None else passed.count(point) * (here == point)) == nth:
            injection.install(None)
            raise Crash(here)

    injection.install(die)
    try:
        yield
    except Crash:
        return
    finally:
        injection.install(None)
    raise AssertionError(f"the code did not come to {point or 'any point'} {nth} times; it passed {passed}")


@contextmanager
def points_passed() -> Iterator[list[str]]:
    """The points that the code passes within the block, in their order: `crash_at(nth=…)` counts them from 1."""
    passed: list[str] = []
    injection.install(lambda here: None if _is_of_the_test(here) else passed.append(here))
    try:
        yield passed
    finally:
        injection.install(None)


def _is_of_the_test(point: str) -> bool:
    return point.endswith(f" {OF_THE_TEST}")
