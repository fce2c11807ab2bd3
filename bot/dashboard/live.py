"""What has changed on a page since it was sent last.

A template marks what may be replaced by itself, an element with an id, as `<!--[ID-->…<!--]-->`. While nothing but the
content of such regions changes, only those that did are sent; else the whole is. What a `<time>` says is no change: the
page's script keeps that true.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

WHOLE = "main"
"""The id of the element around everything that is kept live."""
_REGION = re.compile(r"<!--\[(?P<id>[\w.:-]+)-->(?P<content>.*?)<!--\]-->", re.DOTALL)
_SAID = re.compile(r"(<time [^>]*>)[^<]*")


@dataclass(frozen=True)
class Shown:
    """A rendered page, taken apart: the frame without its regions, and each region's HTML by its id."""

    whole: str
    frame: str
    regions: Mapping[str, str]


def taken_apart(html: str) -> Shown:
    """Find the regions."""
    regions = {found["id"]: found["content"] for found in _REGION.finditer(html)}
    return Shown(html, _timeless(_REGION.sub(r"<!--\g<id>-->", html)), regions)


def changes(before: Shown, after: Shown) -> dict[str, str]:
    """The HTML to put in place, by element id; empty when all is as it was."""
    if before.frame != after.frame:
        return {WHOLE: after.whole}
    known = before.regions
    return {id_: html for id_, html in after.regions.items() if _timeless(html) != _timeless(known.get(id_, ""))}


def _timeless(html: str) -> str:
    return _SAID.sub(r"\1", html)
