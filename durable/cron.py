"""Cron expressions and time zones: which wall-clock times match, and where a gap ends. Pure.

APScheduler's CronTrigger computes, in a zone without daylight saving; `durable.schedules` says why.
"""

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

SECOND = timedelta(seconds=1)
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def wall_times(expression: str, begin: datetime, *, both: bool = False) -> Iterator[datetime]:
    """The wall-clock times from `begin` on, naive, in order, that match; raises `ValueError` for a bad expression.

    Of two restricted day fields a day has to match either, or with `both` each."""
    fired = (_fired(one, begin) for one in _triggers(expression, both))
    return (moment.replace(tzinfo=None) for moment in heapq.merge(*fired))


def end_of_gap(inside: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which the clocks go forward, given one later than it by less than the gap."""
    offset = inside.astimezone(zone).utcoffset()
    before, at = inside - timedelta(days=1), inside
    while at - before > SECOND:
        middle = before + (at - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            at = middle
        else:
            before = middle
    return at.replace(microsecond=0)


def zone_named(name: str) -> ZoneInfo:
    """The zone; raises `ValueError` for a name nobody knows."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"time zone {name!r} is unknown; name one of the IANA database, as Europe/Berlin") from error


def _fired(trigger: CronTrigger, begin: datetime) -> Iterator[datetime]:
    moment = trigger.get_next_fire_time(None, begin.replace(tzinfo=UTC))
    while moment is not None:
        yield moment
        moment = trigger.get_next_fire_time(None, moment + SECOND)


@lru_cache(maxsize=1000)
def _triggers(expression: str, both: bool) -> tuple[CronTrigger, ...]:
    try:
        minute, hour, day, month, weekday = expression.split()
        weekdays = _weekdays(weekday)
        either = not both and not day.startswith("*") and not weekday.startswith("*")
        pairs = [(day, "*"), ("*", weekdays)] if either else [(day, weekdays)]
        return tuple(
            CronTrigger(minute=minute, hour=hour, day=one, month=month, day_of_week=other, timezone="UTC")
            for one, other in pairs
        )
    except ValueError as error:
        raise ValueError(
            f"cron expression {expression!r}: {error}; write five fields, minute hour day-of-month month day-of-week, "
            "for example '30 9 * * mon-fri'"
        ) from error


def _weekdays(field: str) -> str:
    """The field in names, because APScheduler 3 counts from Monday as 0 where crontab counts from Sunday."""
    days: set[int] = set()
    for part in field.lower().split(","):
        body, stepped, step = part.partition("/")
        first, ranged, last = ("0", "-", "6") if body == "*" else body.partition("-")
        begin, end = _weekday(first), _weekday(last) if ranged else 6 if stepped else _weekday(first)
        end = 7 if ranged and end == 0 and begin > 0 else end
        if begin > end or (stepped and not (step.isdecimal() and int(step) > 0)):
            raise ValueError(f"day of week {part!r} is no range or step")
        days |= {day % 7 for day in range(begin, end + 1, int(step or 1))}
    return ",".join(WEEKDAYS[day] for day in sorted(days))


def _weekday(given: str) -> int:
    if given in WEEKDAYS:
        return WEEKDAYS.index(given)
    if given.isdecimal() and int(given) <= 7:
        return int(given)
    raise ValueError(f"day of week {given!r} is none of 0 to 7 and sun to sat")
