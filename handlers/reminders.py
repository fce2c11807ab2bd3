"""When a reminder is due, and the words that count it and say how long somebody waited."""

from datetime import datetime, timedelta

JITTER = 0.05  # of the interval, at most; it spreads what became due together and never makes a reminder early


def next_due(base: datetime, every: timedelta, chance: float) -> datetime:
    """When the next reminder is due: one interval after `base` (the opening, or the last reminder, a catch-up
    included) and up to 5 % later. `chance` is a random number from 0 up to 1."""
    return base + every * (1 + JITTER * min(max(chance, 0.0), 1.0))


def ordinal(number: int) -> str:
    """A number as it is counted: `1st`, `2nd`, `3rd`, `4th`, `11th`, `21st`."""
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    return f"{number}" + {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def humane(duration: timedelta) -> str:
    """A length of time as people say it, in its two largest units: `45 s`, `3 h`, `3 h 20 min`, `2 d 1 h`.
    What is left over is dropped, so that nobody is said to wait longer than they do."""
    seconds = max(0, int(duration.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3_600, seconds // 86_400
    if days:
        return _two(days, "d", hours % 24, "h")
    if hours:
        return _two(hours, "h", minutes % 60, "min")
    return f"{minutes} min" if minutes else f"{seconds} s"


def _two(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{large} {unit} {small} {small_unit}" if small else f"{large} {unit}"
