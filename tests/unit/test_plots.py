"""Plots: few round ticks, everything inside the box, and nothing but text from outside."""

import itertools
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dashboard import plots
from bot.dashboard.plots import HEIGHT, WIDTH, Span, Tick

VALUES = st.floats(0, 1e9)
SHARES = st.floats(0, 1)
ACROSS = [Tick(0, "begin"), Tick(1, "end")]


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own


def places(svg: str) -> list[float]:
    """Every number that says where something is."""
    within = re.sub(r"<(title|desc|text)[^>]*>[^<]*", "", svg)
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", re.sub(r"viewBox=\"[^\"]*\"", "", within))]


@given(st.floats(1e-3, 1e12))
def test_round_ticks_are_few_evenly_apart_and_reach_the_top(top: float) -> None:
    ticks = plots.round_ticks(top)
    assert ticks[0] == 0
    assert ticks[-1] >= top * (1 - 1e-9)
    assert 2 <= len(ticks) <= 6
    step = ticks[1]
    assert all(later - earlier == pytest.approx(step) for earlier, later in itertools.pairwise(ticks))


@given(st.integers(0, 10**7))
def test_counts_have_whole_ticks(top: int) -> None:
    ticks = plots.count_ticks(top)
    assert all(tick == int(tick) for tick in ticks)
    assert ticks[-1] >= top
    assert ticks == sorted(set(ticks))


@pytest.mark.parametrize(
    ("top", "ticks"),
    [
        (0, [0, 1]),
        (0.35, [0, 0.1, 0.2, 0.3, 0.4]),
        (31, [0, 10, 20, 30, 40]),
        (100, [0, 30, 60, 90, 120]),
        (3 * 3600, [0, 3600, 7200, 10_800]),
        (9 * 86_400, [0, 432_000, 864_000]),
    ],
)
def test_lengths_of_time_have_ticks_as_people_say_them(top: float, ticks: list[float]) -> None:
    assert plots.second_ticks(top) == pytest.approx(ticks)


@given(st.lists(VALUES, max_size=40))
def test_bars_stay_in_their_box_and_are_named_for_who_cannot_see(values: list[float]) -> None:
    svg = plots.bars("Reminders", "So many.", values, [str(number) for number in range(len(values))])
    root = parsed(svg)
    assert (root.get("role"), root.findtext("title"), root.findtext("desc")) == ("img", "Reminders", "So many.")
    assert all(-1 <= place <= WIDTH for place in places(svg))
    assert len(root.findall("rect")) == sum(value > 0 for value in values)


@given(st.lists(st.tuples(SHARES, VALUES), max_size=60), st.booleans())
def test_a_curve_stays_in_its_box(points: list[tuple[float, float]], seconds: bool) -> None:
    svg = plots.curve("Lag", "Told.", sorted(points), ACROSS, seconds=seconds, gap=0.1)
    parsed(svg)
    assert all(-1 <= place <= WIDTH for place in places(svg))


def test_a_curve_is_broken_where_nothing_was_sampled() -> None:
    svg = plots.curve("Lag", "Told.", [(0, 1), (0.01, 2), (0.5, 3), (0.51, 1), (0.9, 4)], ACROSS, gap=0.05)
    root = parsed(svg)
    assert [len(root.findall(f"*[@class='{name}']")) for name in ("curve", "dot")] == [2, 1]


@given(st.lists(st.tuples(SHARES, VALUES, VALUES), max_size=30))
def test_spans_go_from_the_middle_up_to_the_worst(found: list[tuple[float, float, float]]) -> None:
    spans = [Span(at, min(one, other), max(one, other)) for at, one, other in found]
    root = parsed(plots.spans("Late", "Told.", spans, ACROSS))
    lines = root.findall("line[@class='curve']")
    assert len(lines) == len(spans)
    assert all(float(line.get("y1", "")) >= float(line.get("y2", "")) for line in lines)


@given(st.lists(st.lists(st.floats(-1, 2), max_size=5), min_size=1, max_size=8))
def test_dots_of_a_strip_stay_in_their_row(rows: list[list[float]]) -> None:
    svg = plots.strips("Waits", "Told.", [(f"row {number}", places) for number, places in enumerate(rows)], ACROSS)
    dots = parsed(svg).findall("circle")
    assert len(dots) == sum(map(len, rows))
    assert all(0 <= float(dot.get("cx", "")) <= WIDTH and 0 <= float(dot.get("cy", "")) <= HEIGHT for dot in dots)


@pytest.mark.parametrize("hostile", ["</svg><script>alert(1)</script>", '" onload="x', "a & b < c"])
def test_names_from_outside_are_only_text(hostile: str) -> None:
    for svg in (
        plots.bars(hostile, hostile, [1], [hostile]),
        plots.strips(hostile, hostile, [(hostile, [0.5])], [Tick(0.5, hostile)]),
        plots.curve(hostile, hostile, [(0.5, 1)], [Tick(0.5, hostile)]),
    ):
        root = parsed(svg)
        assert hostile in {root.findtext("title"), *(text.text for text in root.iter("text"))}
        assert not list(root.iter("script"))
        assert all("onload" not in element.attrib for element in root.iter())
