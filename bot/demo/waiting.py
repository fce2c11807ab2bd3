"""Waiting for something to become true, with a deadline and without sleeping blindly."""

import time
from collections.abc import Callable
from threading import Event
from typing import TypeVar

Value = TypeVar("Value")


def eventually(
    condition: Callable[[], Value | None],
    *,
    within: float = 10.0,
    every: float = 0.05,
    ignoring: tuple[type[BaseException], ...] = (AssertionError,),
) -> Value:
    """Ask `condition` every `every` seconds until it answers something true, and return that.

    Errors named in `ignoring` count as "not yet". After `within` seconds raises AssertionError with the last answer
    or error, so that a failing test says what it saw.
    """
    deadline = time.monotonic() + within
    pause = Event()
    while True:
        try:
            value = condition()
            if value:
                return value
            seen = repr(value)
        except ignoring as error:
            seen = repr(error)
        if time.monotonic() >= deadline:
            raise AssertionError(f"not true within {within:g} s; last seen: {seen}")
        pause.wait(every)
