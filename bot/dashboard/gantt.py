"""The steps of a run on a line of time, drawn as SVG. Pure: steps and a moment in, shapes out.

A history says when a step has changed last, and a run takes one step after the other: so a step began when the one before
it had ended.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from markupsafe import Markup

from bot.dashboard import words
from durable.model import MEMBER_MARK, Entry

Tone = Literal["done", "failed", "cancelled", "open"]
_TONES: dict[str, Tone] = {"done": "done", "failed": "failed", "cancelled": "cancelled"}
_WAITS = frozenset({"sleep", "receive", "await", "gather", "first_of"})
_WIDTH, _GUTTER, _ROW, _TOP, _RIGHT = 1100.0, 260.0, 24.0, 26.0, 14.0
_LONGEST_NAME = 36
_STEPS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000, 31536000),
)
_MOST_TICKS = 8


@dataclass(frozen=True)
class Bar:
    """A row of the drawing: what took its time from `begin` to `end` (None: it goes on), attempts included. A `wait` is
    outlined and hatched. `due` is when it will go on: of a step that is tried again, from `end` on it waits for that."""

    name: str
    begin: datetime
    end: datetime | None
    tone: Tone
    wait: bool = False
    attempts: int = 1
    due: datetime | None = None
    step: int | None = None

    def told(self, now: datetime) -> str:
        """The bar in words."""
        took = words.within((self.end or max(now, self.begin)) - self.begin)
        parts = [f"step {self.step}: {self.name}" if self.step is not None else self.name]
        parts.append(f"from {words.stamp(self.begin)}")
        parts.append(f"{'so far ' if self.end is None else 'took '}{took}")
        if self.attempts > 1:
            parts.append(f"{self.attempts} attempts")
        if self.due is not None and (self.end is None or self.tone == "open"):
            parts.append(f"goes on at {words.stamp(self.due)}")
        return ", ".join((*parts, "open" if self.tone == "open" else self.tone))


def bars_of(history: Iterable[Entry], began_at: datetime) -> list[Bar]:
    """One bar for each step, in their order. `began_at` is when the first of them began."""
    found: list[Bar] = []
    begin = began_at
    for entry in history:
        begin = max(begin, found[-1].end or begin) if found else begin
        found.append(_bar(entry, min(begin, entry.at)))
        begin = max(begin, entry.at)
    return found


def axis(bars: Sequence[Bar], now: datetime) -> tuple[datetime, datetime]:
    """From when to when to draw: up to now while something goes on, and on to when that is due if this is near. What goes
    on moves the end by small steps and not with each moment, so that the drawing stays as it is for a while."""
    begin = min(bar.begin for bar in bars)
    ends = [bar.end or now for bar in bars]
    is_open = any(bar.end is None or bar.tone == "open" for bar in bars)
    end = max([*ends, now] if is_open else ends)
    so_far = end - begin
    end = max([end, *(bar.due for bar in bars if bar.tone == "open" and bar.due and bar.due - end <= so_far)])
    if is_open:
        grain = _nice((end - begin).total_seconds() / 50)
        end = begin + timedelta(seconds=grain * (int((end - begin).total_seconds() / grain) + 1))
    return begin, max(end, begin + timedelta(milliseconds=1))


def svg(bars: Sequence[Bar], now: datetime) -> Markup:
    """The drawing; nothing for no bars. What it says stands in words beside it, for whoever does not see it."""
    if not bars:
        return Markup("")
    begin, end = axis(bars, now)
    scale = _Scale(begin, end)
    height = _TOP + _ROW * len(bars) + 6
    parts = [
        Markup(
            '<svg class="plot gantt" viewBox="0 0 {} {}" role="img" aria-label="The steps by time; the table below says the same">'
            '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
            '<line class="hatch" x1="0" y1="0" x2="0" y2="6"/></pattern></defs>'
        ).format(_number(_WIDTH), _number(height)),
        *_ticks(scale, height),
        *(_row(bar, _TOP + _ROW * number, scale, now) for number, bar in enumerate(bars)),
    ]
    if begin <= now < end and any(bar.end is None or bar.tone == "open" for bar in bars):
        x = _number(scale.at(scale.grained(now)))
        parts.append(Markup('<line class="now" x1="{}" x2="{}" y1="18" y2="{}"/>').format(x, x, _number(height - 6)))
    return Markup("").join((*parts, Markup("</svg>")))


@dataclass(frozen=True)
class _Scale:
    begin: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.begin).total_seconds()

    def at(self, moment: datetime) -> float:
        share = (moment - self.begin).total_seconds() / self.seconds
        return _GUTTER + (_WIDTH - _GUTTER - _RIGHT) * min(max(share, 0.0), 1.0)

    def grained(self, now: datetime) -> datetime:
        """Now, as exactly as can be seen."""
        grain = self.seconds / 400
        return self.begin + timedelta(seconds=int((now - self.begin).total_seconds() / grain) * grain)


def _bar(entry: Entry, begin: datetime) -> Bar:
    is_settled = entry.state in _TONES
    tone = _TONES.get(entry.state, "open")
    name = name_of(entry)
    # What is tried again has an end, that of its last attempt, and waits from there.
    end = entry.at if is_settled or entry.state == "retrying" else None
    return Bar(
        name,
        begin,
        end,
        tone,
        wait=entry.kind in _WAITS,
        attempts=max(entry.attempt, 1),
        due=None if is_settled else entry.due_at,
        step=entry.step,
    )


def name_of(entry: Entry) -> str:
    """What a step does, as people say it: `post_message`, `sleep`, `receive approved, rejected`, `gather look x3`."""
    if entry.kind == "activity":
        return entry.name
    plain = " ".join(part.rpartition(".")[2].removeprefix(MEMBER_MARK) for part in entry.name.split(" "))
    return f"{entry.kind} {plain.replace('|', ', ')}".strip()


def _row(bar: Bar, top: float, scale: _Scale, now: datetime) -> Markup:
    middle = top + _ROW / 2
    number = "" if bar.step is None else f"{bar.step}  "
    times = f" x{bar.attempts}" if bar.attempts > 1 else ""
    name = bar.name if len(bar.name) <= _LONGEST_NAME else bar.name[: _LONGEST_NAME - 1] + "…"
    end = bar.end or scale.grained(max(now, bar.begin))
    shapes = [_shape(scale, bar.begin, end, middle, f"{bar.tone} wait" if bar.wait else bar.tone, hatched=bar.wait)]
    if bar.tone == "open" and bar.due is not None and bar.due > end:
        shapes.append(_shape(scale, end, bar.due, middle, "due"))
    return Markup('<g class="{}"><title>{}</title><text x="0" y="{}">{}{}{}</text>{}</g>').format(
        bar.tone, _told(bar, now, scale), _number(middle + 4), number, name, times, Markup("").join(shapes)
    )


def _told(bar: Bar, now: datetime, scale: _Scale) -> str:
    return bar.told(now if bar.end is not None else max(scale.grained(now), bar.begin))


def _shape(scale: _Scale, begin: datetime, end: datetime, middle: float, tone: str, *, hatched: bool = False) -> Markup:
    left, right = scale.at(begin), scale.at(end)
    given = {"x": _number(left), "y": _number(middle - 7), "width": _number(max(right - left, 2.5))}
    box = Markup('<rect class="span {tone}" x="{x}" y="{y}" width="{width}" height="14" rx="2"/>').format(
        tone=tone, **given
    )
    lines = Markup('<rect x="{x}" y="{y}" width="{width}" height="14" rx="2" fill="url(#hatch)"/>').format(**given)
    return box + lines if hatched else box


def _ticks(scale: _Scale, height: float) -> Iterable[Markup]:
    grain = _nice(scale.seconds / _MOST_TICKS)
    for number in range(int(scale.seconds / grain) + 1):
        at = scale.at(scale.begin + timedelta(seconds=number * grain))
        said = "0" if number == 0 else f"+{words.length(number * grain)}"
        anchor = "start" if number == 0 else "end" if at > _WIDTH - _RIGHT - 20 else "middle"
        yield Markup(
            '<line class="grid" x1="{x}" x2="{x}" y1="18" y2="{bottom}"/><text x="{x}" y="12" text-anchor="{anchor}">{said}</text>'
        ).format(x=_number(at), bottom=_number(height - 6), anchor=anchor, said=said)


def _nice(seconds: float) -> float:
    """The next larger length of time that people count in."""
    return next((step for step in _STEPS if step >= seconds), seconds)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
