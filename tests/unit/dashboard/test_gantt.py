"""Steps on a line of time: when each began, what is drawn of it, and that it stays as it is while nothing happens."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bot.dashboard import gantt
from bot.dashboard.gantt import Bar
from durable.model import Entry

BEGAN = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def entry(
    step: int, ended: float, state: Any = "done", kind: str = "activity", name: str = "post", **more: Any
) -> Entry:
    return Entry(step, kind, name, state, at(ended), **more)


HISTORY = [
    entry(1, 2),
    entry(2, 12, kind="sleep", name=""),
    entry(3, 15, "failed", attempt=3),
    entry(4, 15, "started", "receive", "approved|rejected", due_at=at(60)),
]


def drawn(bars: list[Bar], now: datetime) -> ET.Element:
    """The drawing, which has to be well-formed."""
    return ET.fromstring(gantt.svg(bars, now))  # noqa: S314 - our own


def spans(bars: list[Bar], now: datetime) -> list[tuple[str, float, float]]:
    found = [rect for rect in drawn(bars, now).iter("rect") if rect.get("class")]
    return [(rect.get("class", ""), float(rect.get("x", "")), float(rect.get("width", ""))) for rect in found]


def test_a_step_begins_when_the_one_before_it_has_ended() -> None:
    bars = gantt.bars_of(HISTORY, BEGAN)
    assert [(bar.begin, bar.end) for bar in bars] == [
        (at(0), at(2)),
        (at(2), at(12)),
        (at(12), at(15)),
        (at(15), None),
    ]
    assert [bar.tone for bar in bars] == ["done", "done", "failed", "open"]
    assert [bar.wait for bar in bars] == [False, True, False, True]
    assert [bar.name for bar in bars] == ["post", "sleep", "post", "receive approved, rejected"]
    assert [bar.attempts for bar in bars] == [1, 1, 3, 1]


def test_what_is_tried_again_has_ended_and_waits_until_it_is_due() -> None:
    [bar] = gantt.bars_of([entry(1, 5, "retrying", attempt=2, due_at=at(9))], BEGAN)
    assert (bar.end, bar.due, bar.tone) == (at(5), at(9), "open")
    first, second = spans([bar], at(6))
    assert (first[0], second[0]) == ("span open", "span due")
    assert second[1] == pytest.approx(first[1] + first[2], abs=0.2)


def test_a_clock_that_went_back_makes_no_negative_length() -> None:
    bars = gantt.bars_of([entry(1, 5), entry(2, 3), entry(3, 7)], BEGAN)
    assert all(bar.end is not None and bar.end >= bar.begin for bar in bars)
    assert bars[2].begin == at(5)


def test_bars_lie_where_their_times_are() -> None:
    bars = gantt.bars_of([entry(1, 25), entry(2, 100)], BEGAN)
    (_, left, width), (_, then, rest) = spans(bars, at(500))
    assert then == pytest.approx(left + width, abs=0.2)
    assert rest == pytest.approx(3 * width, rel=0.01)


def test_a_step_of_no_time_can_still_be_seen() -> None:
    bars = gantt.bars_of([entry(1, 0.001), entry(2, 86_400, kind="sleep", name="")], BEGAN)
    assert spans(bars, at(90_000))[0][2] >= 2


def test_a_run_of_no_time_at_all_is_drawn() -> None:
    assert spans(gantt.bars_of([entry(1, 0)], BEGAN), BEGAN)


def test_nothing_is_drawn_of_nothing() -> None:
    assert gantt.svg([], BEGAN) == ""


def test_a_line_shows_now_only_while_something_goes_on() -> None:
    waiting, over = gantt.bars_of(HISTORY, BEGAN), gantt.bars_of(HISTORY[:3], BEGAN)
    assert [line.get("class") for line in drawn(waiting, at(30)).iter("line")].count("now") == 1
    assert "now" not in [line.get("class") for line in drawn(over, at(30)).iter("line")]


def test_waits_are_hatched() -> None:
    fills = [rect.get("fill") for rect in drawn(gantt.bars_of(HISTORY, BEGAN), at(30)).iter("rect")]
    assert fills.count("url(#hatch)") == 2


def test_each_bar_says_in_words_what_it_is() -> None:
    titles = [title.text for title in drawn(gantt.bars_of(HISTORY, BEGAN), at(30)).iter("title")]
    assert titles[2] == "step 3: post, from 2026-11-22 15:00:12 UTC, took 3 s, 3 attempts, failed"
    assert titles[3] is not None
    assert titles[3].startswith("step 4: receive approved, rejected, from 2026-11-22 15:00:15 UTC, so far ")
    assert titles[3].endswith("goes on at 2026-11-22 15:01:00 UTC, open")


def test_a_moment_later_the_drawing_is_still_the_same() -> None:
    bars = gantt.bars_of([entry(1, 0, "started", "sleep", "", due_at=at(86_400 * 30))], BEGAN)
    now = at(86_400)
    assert gantt.svg(bars, now) == gantt.svg(bars, now + timedelta(seconds=1))
    assert gantt.svg(bars, now) != gantt.svg(bars, now + timedelta(hours=1))


def test_what_is_due_far_off_does_not_press_the_past_together() -> None:
    bars = gantt.bars_of(HISTORY, BEGAN)
    assert gantt.axis(bars, at(20))[1] < at(22)
    assert at(60) <= gantt.axis(bars, at(40))[1] < at(65)


def test_what_happened_in_milliseconds_and_in_years_has_few_ticks() -> None:
    for seconds in (0.004, 0.3, 7, 400, 9_000, 200_000, 3e6, 9e7, 3e9):
        texts = [text.text for text in drawn(gantt.bars_of([entry(1, seconds)], BEGAN), at(seconds)).iter("text")]
        assert 2 <= sum(1 for text in texts if text and re.match(r"\+|0$", text)) <= 10


def test_names_from_elsewhere_are_only_words() -> None:
    hostile = "</svg><script>alert(1)</script>\"'&"
    bar = gantt.bars_of([entry(1, 5, name=hostile)], BEGAN)[0]
    drawing = drawn([bar, replace(bar, name="x" * 500)], at(9))
    assert not list(drawing.iter("script"))
    assert next(title.text or "" for title in drawing.iter("title")).startswith(f"step 1: {hostile}")
    assert max(len(text.text or "") for text in drawing.iter("text")) < 50
