"""How people write a length of time: `3600`, `90s`, `1h`, `1h30m`, `2d`."""

import re
from datetime import timedelta

ALLOWED = "seconds or a duration such as 3600, 90s, 1h, 1h30m, 2d"
LONGEST = timedelta(days=366)

_SECONDS = re.compile(r"\d+(\.\d+)?")
_PARTS = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


def parse_duration(text: str) -> timedelta:
    """The length of time that `text` says; a bare number is seconds. Raises `ValueError` with what is wrong."""
    written = text.strip().lower()
    if _SECONDS.fullmatch(written):
        return _within_reason(text, seconds=float(written))
    parts = _PARTS.fullmatch(written)
    if not written or parts is None:
        raise ValueError(f"{text!r} is not a duration; allowed: {ALLOWED}")
    days, hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return _within_reason(text, seconds=((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _within_reason(text: str, *, seconds: float) -> timedelta:
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"{text!r} is too long; allowed: {ALLOWED}, at most {LONGEST.days}d")
    return timedelta(seconds=seconds)
