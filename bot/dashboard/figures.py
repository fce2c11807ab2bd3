"""What is drawn on the page of insights, each figure made of numbers that were read before. Pure.

A figure says the same twice: as a plot and as a table, for whoever would rather read it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

from markupsafe import Markup

from bot.dashboard import plots
from bot.dashboard.plots import Span, Tick
from bot.dashboard.words import coarse, length
from handlers.records.samples import Lateness, Sample

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DELIVERIES_FOR = 3 * HOUR
LAG_FOR = DAY
REMINDERS_FOR = 30
_LAG_STEP = 10 * MINUTE
_AGES = (
    (HOUR, "< 1 h", "less than 1 h"),
    (4 * HOUR, "< 4 h", "1 h to 4 h"),
    (DAY, "< 1 d", "4 h to 1 d"),
    (3 * DAY, "< 3 d", "1 d to 3 d"),
    (7 * DAY, "< 7 d", "3 d to 7 d"),
    (14 * DAY, "< 14 d", "7 d to 14 d"),
    (28 * DAY, "< 28 d", "14 d to 28 d"),
    (timedelta.max, "more", "more than 28 d"),
)
_WAITS = (60, 600, 3600, 6 * 3600, 86_400, 7 * 86_400, 28 * 86_400, 365 * 86_400)


@dataclass(frozen=True)
class Figure:
    """A plot with its table. `plot` is None while there is nothing to draw: then `empty` says when there will be."""

    id: str
    heading: str
    note: str
    plot: Markup | None
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    empty: str


def ages(watched_for: Sequence[float]) -> Figure:
    """For how many seconds each open pull request has been watched."""
    counts = [0] * len(_AGES)
    for seconds in watched_for:
        counts[next(place for place, (end, *_) in enumerate(_AGES) if seconds < end.total_seconds())] += 1
    told = f"{len(watched_for)} open pull requests by how long they have been watched."
    return Figure(
        "age",
        "Age of open pull requests",
        f"How long each has been watched; half of them for more than {_middle(watched_for)}." if watched_for else "",
        plots.bars("Age of open pull requests", told, counts, [label for _, label, _ in _AGES])
        if watched_for
        else None,
        ("Watched for", "Pull requests"),
        [(name, str(count)) for (*_, name), count in zip(_AGES, counts, strict=True)],
        "Shown once a pull request is watched.",
    )


def waits(waiting: Mapping[str, Sequence[float]]) -> Figure:
    """For how many seconds each open pull request has waited, by whose turn it is."""
    rows = sorted(waiting.items(), key=lambda row: -len(row[1]))
    longest = max((seconds for _, waited in rows for seconds in waited), default=0.0)
    end = next((wait for wait in _WAITS[2:] if wait >= longest), max(longest, _WAITS[-1]))
    across = [Tick(_logarithmic(wait, end), coarse(wait)) for wait in _WAITS if wait <= end and wait != _WAITS[3]]
    drawn = [(name, [_logarithmic(seconds, end) for seconds in waited]) for name, waited in rows]
    told = "; ".join(f"{name}: {len(waited)}, half of them longer than {_middle(waited)}" for name, waited in rows)
    return Figure(
        "waiting",
        "Waiting time by turn",
        "One dot for each open pull request: how long its turn has lasted." if rows else "",
        plots.strips("Waiting time by turn", told, drawn, across) if rows else None,
        ("Turn", "Pull requests", "Half wait longer than", "Longest"),
        [(name, str(len(waited)), _middle(waited), length(max(waited))) for name, waited in rows],
        "Shown once it is somebody's turn.",
    )


def reminders(found: Iterable[tuple[date, int]], today: date) -> Figure:
    """How many reminders were posted on each of the last days."""
    counts = dict(found)
    days = [today - timedelta(days=ago) for ago in range(REMINDERS_FOR - 1, -1, -1)]
    values = [counts.get(day, 0) for day in days]
    labels = [_day(day) if (today - day).days % 7 == 0 else "" for day in days]
    labels[-1] = ""  # it would not fit at the edge; the one a week before stands for the rhythm
    total = sum(values)
    return Figure(
        "reminders",
        "Reminders a day",
        f"{total} in {REMINDERS_FOR} days, {values[-1]} of them today (UTC)." if total else "",
        plots.bars("Reminders a day", f"{total} reminders in the last {REMINDERS_FOR} days.", values, labels)
        if total
        else None,
        ("Day", "Reminders"),
        [(_day(day), str(value)) for day, value in zip(days, values, strict=True)],
        "The first bar appears with the first reminder.",
    )


def deliveries(samples: Sequence[Sample], now: datetime) -> Figure:
    """How many deliveries came in each minute."""
    begin = now - DELIVERIES_FOR
    shown = [sample for sample in samples if sample.minute >= begin]
    points = [(_share(sample.minute, begin, now), float(sample.deliveries)) for sample in shown]
    total, most = sum(sample.deliveries for sample in shown), max((one.deliveries for one in shown), default=0)
    told = f"{total} deliveries in 3 h, at most {most} in a minute."
    gap = 2.5 * MINUTE / DELIVERIES_FOR
    return Figure(
        "deliveries",
        "Deliveries a minute",
        told if shown else "",
        plots.curve("Deliveries a minute", told, points, _hours(begin, now, 1), gap=gap) if shown else None,
        ("Minute (UTC)", "Deliveries"),
        [(f"{sample.minute:%H:%M}", str(sample.deliveries)) for sample in reversed(shown)],
        "The first point appears within a minute.",
    )


def lag(samples: Sequence[Sample], now: datetime) -> Figure:
    """For how long the oldest of what was due had waited for a worker: the longest in each ten minutes."""
    begin = now - LAG_FOR
    worst: dict[datetime, float] = {}
    for sample in samples:
        step = sample.minute - timedelta(minutes=sample.minute.minute % 10)
        worst[step] = max(worst.get(step, 0.0), sample.lag_seconds)
    points = [(_share(step, begin, now), seconds) for step, seconds in sorted(worst.items())]
    top = max(worst.values(), default=0.0)
    told = f"In 24 h nothing waited for a worker for more than {length(top)}." if top else "Nothing waited in 24 h."
    across = _hours(begin, now, 6)
    drawn = plots.curve("Queue lag", told, points, across, seconds=True, gap=2.5 * _LAG_STEP / LAG_FOR)
    return Figure(
        "lag",
        "Queue lag",
        told if worst else "",
        drawn if worst else None,
        ("Ten minutes from (UTC)", "Longest wait for a worker"),
        [(f"{step:%b} {step.day}, {step:%H:%M}", length(worst[step])) for step in sorted(worst, reverse=True)],
        "The first point appears within a minute.",
    )


def lateness(found: Sequence[Lateness], now: datetime) -> Figure:
    """How late reminders were posted, hour by hour."""
    begin = (now - LAG_FOR).replace(minute=0, second=0, microsecond=0)
    drawn = [Span(_share(one.hour + HOUR / 2, begin, now), one.middle, one.worst) for one in found]
    many = sum(one.many for one in found)
    told = f"{many} reminders in 24 h, the latest {_worst(found)} after it was due."
    return Figure(
        "lateness",
        "Timer lateness",
        f"{told} A dot is the middle one of its hour, its line ends at the latest." if found else "",
        plots.spans("Timer lateness", told, drawn, _hours(begin, now, 6)) if found else None,
        ("Hour (UTC)", "Reminders", "Half within", "95 of 100 within", "Latest"),
        [
            (
                f"{one.hour:%b} {one.hour.day}, {one.hour:%H:%M}",
                str(one.many),
                *map(length, (one.middle, one.most, one.worst)),
            )
            for one in reversed(found)
        ],
        "The first dot appears with the first reminder.",
    )


def _worst(found: Sequence[Lateness]) -> str:
    return length(max((one.worst for one in found), default=0.0))


def _middle(seconds: Sequence[float]) -> str:
    return coarse(median(seconds)) if seconds else "-"


def _logarithmic(seconds: float, end: float) -> float:
    """Where a wait stands between a minute and `end`, each ten times as long equally far from the last."""
    first = _WAITS[0]
    return math.log(max(seconds, first) / first) / math.log(end / first)


def _share(moment: datetime, begin: datetime, end: datetime) -> float:
    return (moment - begin) / (end - begin)


def _hours(begin: datetime, end: datetime, step: int) -> list[Tick]:
    """The full hours of UTC that `step` divides."""
    hour = begin.replace(minute=0, second=0, microsecond=0)
    ticks = []
    while (hour := hour + HOUR) <= end:
        if hour.hour % step == 0:
            ticks.append(Tick(_share(hour, begin, end), f"{hour:%H:%M}"))
    return ticks


def _day(day: date) -> str:
    return f"{day:%b} {day.day}"
