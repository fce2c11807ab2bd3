"""The one place of the bot that waits between looks at something that no one tells it of."""

import time
from collections.abc import Iterator
from threading import Event


def tries(within: float, *, every: float, longest: float | None = None) -> Iterator[None]:
    """Come by at once, and again after pauses of `every` seconds, which grow up to `longest`, for as long as `within`
    seconds are not over; once more at their end. Whoever has what it looked for breaks out of the loop."""
    over, pause, never = time.monotonic() + within, every, Event()
    while True:
        yield
        left = over - time.monotonic()
        if left <= 0:
            return
        never.wait(min(pause, left))
        pause = min(pause * 2, longest or every)
