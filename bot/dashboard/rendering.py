"""From templates to HTML: what every page is given, and the files that go with them."""

import hashlib
import json
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from bot.dashboard import words

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class StaticFile:
    """One file that a page loads, and its type."""

    content: bytes
    media_type: str

    @cached_property
    def version(self) -> str:
        """Changes with the content: in the address, so that a browser may keep the file for ever."""
        return hashlib.sha256(self.content).hexdigest()[:12]


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Every file below `static`, by its path from there. They are read once."""
    folder = _HERE / "static"
    return {
        path.relative_to(folder).as_posix(): StaticFile(
            path.read_bytes(), mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Rendering:
    """Renders templates. Everything is escaped unless it is `Markup`, and a name that a template does not get is an
    error."""

    def __init__(self) -> None:
        self._environment = _environment()

    def page(self, template: str, facts: Mapping[str, Any]) -> str:
        """The whole document."""
        return self._environment.get_template(template).render(facts)

    def live(self, template: str, facts: Mapping[str, Any]) -> str:
        """The element that is kept live alone: the block `main` of the template, in its element."""
        found = self._environment.get_template(template)
        context = found.new_context(dict(facts))
        return f'<main id="main" tabindex="-1">{"".join(found.blocks["main"](context))}</main>'


@cache
def _environment() -> Environment:
    """One for all applications of the process: a template is compiled once."""
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "ago": _ago,
        "until": _until,
        "stamp": words.stamp,
        "lasting": words.length,
        "json": _json,
        "segment": _segment,
    }
    environment.globals["static"] = lambda name: f"/static/{name}?v={static_files()[name].version}"
    return environment


@pass_context
def _ago(context: Context, moment: datetime | None) -> Markup:
    """`3 min ago`, which the page's script keeps true."""
    return _time(context, moment, "ago")


@pass_context
def _until(context: Context, moment: datetime | None) -> Markup:
    """`in 43 min`, which the page's script counts down."""
    return _time(context, moment, "until")


def _time(context: Context, moment: datetime | None, kind: str) -> Markup:
    if moment is None:
        return Markup('<span class="quiet">-</span>')
    said = (words.ago if kind == "ago" else words.until)(moment, context["now"])
    # Put together at once, as a board has a thousand of them: nothing in it is from outside.
    return Markup(f'<time datetime="{moment.isoformat()}" title="{words.stamp(moment)}" data-{kind}>{said}</time>')  # noqa: S704


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _segment(text: str) -> str:
    """Text as one segment of a path."""
    return quote(text, safe=":@")
