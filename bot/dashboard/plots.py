"""Plots as SVG with a title and a description, drawn with the page's colours. Pure: numbers in, markup out.

Everything is in one box of 400 by 180 units, so that its text stays readable on a phone. Places along an axis that are
given from outside are shares of it, from 0 to 1.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bot.dashboard.words import length

WIDTH, HEIGHT = 400, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 10, 22
_ROW_LEFT = 130
_MOST_TICKS = 4
_EDGE = 0.05
_LEAST = 0.001
_ROUND = (1, 2, 5, 10)
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    at: float
    label: str


@dataclass(frozen=True)
class Span:
    """At one place of the axis, from the middle value to the worst."""

    at: float
    middle: float
    worst: float


def round_ticks(top: float) -> list[float]:
    """A few round numbers from 0 to the first at or beyond `top`, in steps of 1, 2 or 5 times a power of ten.
    What is less than a thousandth is drawn as nothing."""
    if not _LEAST <= top < math.inf:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(top / _MOST_TICKS))
    step = next((factor * power for factor in _ROUND if factor * power * _MOST_TICKS >= top), 10 * power)
    return _steps(step, top)


def count_ticks(top: float) -> list[float]:
    """Ticks for what is counted: whole numbers."""
    return [0.0, 1.0] if top <= 1 else _whole(round_ticks(top))


def second_ticks(top: float) -> list[float]:
    """Ticks for lengths of time in seconds: such as people say them."""
    if top <= _SECONDS[0]:
        return round_ticks(top)
    step = next((step for step in _SECONDS if step * _MOST_TICKS >= top), None)
    if step is None:
        return [days * 86_400 for days in round_ticks(top / 86_400)]
    return _steps(step, top)


def bars(title: str, told: str, values: Sequence[float], labels: Sequence[str]) -> Markup:
    """Upright bars, one for each value. A label may be empty: where there are many, few are named."""
    ticks = count_ticks(max(values, default=0))
    wide = (WIDTH - _LEFT - _RIGHT) / max(len(values), 1)
    gap = min(wide * 0.2, 6)
    drawn = []
    for place, (value, label) in enumerate(zip(values, labels, strict=True)):
        left, top = _LEFT + place * wide, _y(value, ticks[-1])
        if value > 0:
            drawn.append(
                Markup('<rect class="bar" x="{}" y="{}" width="{}" height="{}" rx="1"><title>{}</title></rect>').format(
                    _n(left + gap / 2), _n(top), _n(wide - gap), _n(_floor() - top), f"{label}: {value:g}".lstrip(": ")
                )
            )
        if label:
            drawn.append(_text(left + wide / 2, HEIGHT - 6, label, "middle"))
    return _plot(title, told, [*_levels(ticks, _counted), *drawn])


def curve(
    title: str,
    told: str,
    points: Iterable[tuple[float, float]],
    across: Sequence[Tick],
    *,
    seconds: bool = False,
    gap: float = 1.0,
) -> Markup:
    """A line with its area over places in ascending order; where two are further apart than `gap` it is broken."""
    points = list(points)
    top = max((value for _, value in points), default=0)
    ticks = second_ticks(top) if seconds else count_ticks(top)
    drawn: list[Markup] = []
    for piece in _pieces(points, gap):
        places = [f"{_n(_x(at))} {_n(_y(value, ticks[-1]))}" for at, value in piece]
        first, last = _n(_x(piece[0][0])), _n(_x(piece[-1][0]))
        if len(piece) == 1:
            drawn.append(_dot(_x(piece[0][0]), _y(piece[0][1], ticks[-1]), 2))
            continue
        area = f"M{first} {_n(_floor())}L{'L'.join(places)}L{last} {_n(_floor())}Z"
        drawn.append(Markup('<path class="area" d="{}"/>').format(area))
        drawn.append(Markup('<path class="curve" d="M{}"/>').format("L".join(places)))
    return _plot(title, told, [*_levels(ticks, length if seconds else _counted), *drawn, *_across(across)])


def spans(title: str, told: str, found: Iterable[Span], across: Sequence[Tick]) -> Markup:
    """At each place a dot for the middle value, in seconds, and a line from there to the worst."""
    found = list(found)
    ticks = second_ticks(max((one.worst for one in found), default=0))
    drawn: list[Markup] = []
    for one in found:
        x, low, high = _x(one.at), _y(one.middle, ticks[-1]), _y(one.worst, ticks[-1])
        drawn.append(
            Markup('<line class="curve" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(_n(x), _n(x), _n(low), _n(high))
        )
        drawn.append(_dot(x, low, 3))
    return _plot(title, told, [*_levels(ticks, length), *drawn, *_across(across)])


def strips(title: str, told: str, rows: Sequence[tuple[str, Sequence[float]]], across: Sequence[Tick]) -> Markup:
    """A line of dots for each row, at their places; dots that lie on each other look darker."""
    tall = (_floor() - _TOP) / max(len(rows), 1)
    drawn: list[Markup] = []
    for tick in across:
        x = _n(_x(tick.at, _ROW_LEFT))
        drawn.append(Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(x, x, _TOP, _n(_floor())))
    for number, (name, places) in enumerate(rows):
        y = _TOP + tall * (number + 0.5)
        drawn.append(_text(_ROW_LEFT - 8, y + 4, name, "end"))
        drawn.extend(_dot(_x(place, _ROW_LEFT), y, 4, "0.5") for place in places)
    drawn.append(_floor_line(_ROW_LEFT))
    return _plot(title, told, [*drawn, *_across(across, _ROW_LEFT)])


def _plot(title: str, told: str, drawn: Iterable[Markup]) -> Markup:
    return Markup(
        '<svg class="plot" role="img" viewBox="0 0 {} {}" focusable="false"><title>{}</title><desc>{}</desc>{}</svg>'
    ).format(WIDTH, HEIGHT, title, told, Markup("").join(drawn))


def _levels(ticks: Sequence[float], said: Callable[[float], str]) -> list[Markup]:
    """Lines across, and what each stands for; the lowest is the axis."""
    drawn = []
    for tick in ticks[1:]:
        y = _y(tick, ticks[-1])
        drawn.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(_LEFT, WIDTH - _RIGHT, _n(y), _n(y))
        )
        drawn.append(_text(_LEFT - 6, y + 4, said(tick), "end"))
    return [*drawn, _text(_LEFT - 6, _floor() + 4, "0", "end"), _floor_line(_LEFT)]


def _across(ticks: Sequence[Tick], left: float = _LEFT) -> list[Markup]:
    return [_text(_x(tick.at, left), HEIGHT - 6, tick.label, _anchor(tick)) for tick in ticks]


def _anchor(tick: Tick) -> str:
    """So that nothing is cut off at the edges."""
    if tick.at < _EDGE:
        return "start"
    return "end" if tick.at > 1 - _EDGE else "middle"


def _floor_line(left: float) -> Markup:
    return Markup('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
        left, WIDTH - _RIGHT, _n(_floor()), _n(_floor())
    )


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(_n(x), _n(y), anchor, text)


def _dot(x: float, y: float, radius: float, opacity: str = "1") -> Markup:
    return Markup('<circle class="dot" cx="{}" cy="{}" r="{}" fill-opacity="{}"/>').format(
        _n(x), _n(y), radius, opacity
    )


def _pieces(points: Sequence[tuple[float, float]], gap: float) -> list[list[tuple[float, float]]]:
    pieces: list[list[tuple[float, float]]] = []
    for point in points:
        if pieces and point[0] - pieces[-1][-1][0] <= gap:
            pieces[-1].append(point)
        else:
            pieces.append([point])
    return pieces


def _steps(step: float, top: float) -> list[float]:
    """From 0 up to the first multiple that is not below `top`."""
    many = math.ceil(round(top / step, 9))
    return [round(step * number, 9) for number in range(many + 1)]


def _whole(ticks: Sequence[float]) -> list[float]:
    whole = [tick for tick in ticks if tick == int(tick)]
    return whole if whole[-1] == ticks[-1] else [*whole, float(math.ceil(ticks[-1]))]


def _counted(value: float) -> str:
    thousand = 1000
    return f"{value:g}" if value < 10 * thousand else f"{value / thousand:g}k"


def _floor() -> float:
    return HEIGHT - _BOTTOM


def _x(share: float, left: float = _LEFT) -> float:
    return left + min(max(share, 0.0), 1.0) * (WIDTH - _RIGHT - left)


def _y(value: float, top: float) -> float:
    return _floor() - (value / top if top else 0) * (_floor() - _TOP)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
