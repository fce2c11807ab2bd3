"""Times and lengths of time as people read them on a page."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def length(seconds: float) -> str:
    """`850 ms`, `12 s`, `3 min`, `2 h 5 min`, `4 d 2 h`: the two largest units that are not zero."""
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    left = int(seconds)
    for (size, unit), (smaller, its_unit) in pairwise(_STEPS):
        if left >= size:
            rest = left % size // smaller
            return f"{left // size} {unit} {rest} {its_unit}" if rest else f"{left // size} {unit}"
    return f"{left} s"


def ago(moment: datetime, now: datetime) -> str:
    """`just now`, `12 s ago`, `3 min ago`; `in 3 min` for what is yet to come."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    return f"{coarse(seconds)} ago" if seconds > 0 else f"in {coarse(-seconds)}"


def until(moment: datetime, now: datetime) -> str:
    """`in 43 min`, or `due` for what is not in the future."""
    seconds = (moment - now).total_seconds()
    return "due" if seconds <= 0 else f"in {coarse(seconds)}"


def coarse(seconds: float) -> str:
    """The largest unit alone: `12 s`, `3 min`, `2 h`, `4 d`."""
    for size, unit in _STEPS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "1 s"


def stamp(moment: datetime) -> str:
    """`2026-11-22 15:04:05 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def within(duration: timedelta) -> str:
    """A length of time given as such."""
    return length(duration.total_seconds())
