"""What has changed on a page since it was sent last.

A template marks what may be replaced by itself, an element with an id, as `<!--[ID-->…<!--]-->`. While nothing but the
content of such regions changes, only those that did are sent; else the whole is. Where regions may come, go and change
places, as rows of a table do, the element around them says so by its id: `<!--{ID-->…<!--}-->` around nothing but regions.
What a `<time>` says is no change: the page's script keeps that true.
"""

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WHOLE = "main"
"""The id of the element around everything that is kept live."""
_SAID = re.compile(r"(<time [^>]*>)[^<]*")

Moves = list[tuple[str, str | None]]
"""In this order: which element comes behind which other one; behind None is at the top."""
GONE = ""
"""What stands in the place of the HTML of an element that is no longer there."""


@dataclass(frozen=True)
class Shown:
    """A rendered page, taken apart: the frame without its regions, each region's HTML by its id, and the ids in each
    list of regions, in their order."""

    whole: str
    frame: str
    regions: Mapping[str, str]
    lists: Mapping[str, Sequence[str]]


def taken_apart(html: str) -> Shown:
    """Find the regions and the lists of them."""
    frame, contents = _cut_out(html, "<!--{", "<!--}-->")
    regions: dict[str, str] = {}
    lists: dict[str, Sequence[str]] = {}
    for id_, content in contents.items():
        _, members = _cut_out(content, "<!--[", "<!--]-->")
        lists[id_] = list(members)
        regions |= members
    frame, others = _cut_out(frame, "<!--[", "<!--]-->")
    return Shown(html, _timeless(frame), regions | others, lists)


def _cut_out(html: str, opening: str, closing: str) -> tuple[str, dict[str, str]]:
    """What is around the marked parts, and these by id. Half a megabyte is looked through each second: without patterns."""
    around, *parts = html.split(opening)
    kept = [around]
    found: dict[str, str] = {}
    for part in parts:
        id_, _, rest = part.partition("-->")
        content, _, behind = rest.partition(closing)
        found[id_] = content
        kept += (opening, id_, closing, behind)
    return "".join(kept), found


def changes(before: Shown, after: Shown) -> dict[str, str | Moves]:
    """What to put in place, by element id, empty when all is as it was: an element's HTML, `GONE`, or what has moved in
    a list."""
    if before.frame != after.frame:
        return {WHOLE: after.whole}
    changed: dict[str, str | Moves] = {id_: GONE for id_ in before.regions if id_ not in after.regions}
    for id_, order in after.lists.items():
        moved = moves(before.lists[id_], order)
        if moved:
            changed[id_] = moved
    known = before.regions
    new = {id_: html for id_, html in after.regions.items() if _timeless(html) != _timeless(known.get(id_, ""))}
    return changed | new


def moves(before: Sequence[str], after: Sequence[str]) -> Moves:
    """The fewest moves that bring a list from one order into the other, once those that are gone have gone."""
    places = {id_: place for place, id_ in enumerate(before)}
    stay = _longest_rising([places[id_] for id_ in after if id_ in places])
    behind = [None, *after]
    return [(id_, behind[at]) for at, id_ in enumerate(after) if places.get(id_) not in stay]


def _longest_rising(numbers: Sequence[int]) -> set[int]:
    """The members of a longest rising subsequence: `tops[n]` is the smallest number that ends one of n + 1."""
    tops: list[int] = []
    befores: dict[int, int | None] = {}
    for number in numbers:
        length = bisect_left(tops, number)
        befores[number] = tops[length - 1] if length else None
        tops[length : length + 1] = [number]
    found: set[int] = set()
    last = tops[-1] if tops else None
    while last is not None:
        found.add(last)
        last = befores[last]
    return found


def _timeless(html: str) -> str:
    return _SAID.sub(r"\1", html)
