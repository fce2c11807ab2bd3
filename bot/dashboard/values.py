"""Values of workflows as people may read them: plain JSON, without secrets, and not longer than can be looked at."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.api.json import json_of
from bot.redaction import MASK, Redactor
from durable.errors import Undecodable
from durable.serde import decode

_MARKS = ("token", "passw", "passphrase", "secret", "authorization", "api", "private", "credential", "cookie")
_HUSHED = r"(?:token|passw(?:or)?d|passphrase|secret|authorization|api[_-]?key|private[_-]?key|credential|cookie)"
_SECRET_KEY = re.compile(_HUSHED, re.IGNORECASE)
# password=…, "password": …, as they stand in an error's text. After a bare word a colon is only punctuation. Nothing
# stands before the word, so that a long text of other words is gone through once.
_ASSIGNED = re.compile(
    rf"""({_HUSHED}[\w-]{{0,40}}(?:\s{{0,5}}=\s{{0,5}}|["']\s{{0,5}}:\s{{0,5}}))("[^"]*"|'[^']*'|[^\s"',;&)}}\]]+)""",
    re.IGNORECASE,
)
_SHORT = 90
_FEW = 2_000
MANY = 200_000
"""Characters of one value that a page shows by itself."""


@dataclass(frozen=True)
class Shown:
    """A value as text. `left_out` is how many characters are not shown of it."""

    text: str
    left_out: int = 0


class Values:
    """Shows values. What `redactor` knows for a secret is masked, and what stands under a key that says it is one."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def text(self, text: str) -> str:
        """Words that come from elsewhere: an error, a reason."""
        lowered = text.lower()
        if any(mark in lowered for mark in _MARKS):  # whatever the pattern matches has one, and most texts have none
            text = _ASSIGNED.sub(rf"\1{MASK}", text)
        return self._redactor.text(text)

    def of(self, value: Any, *, most: int = _FEW) -> Shown:
        """A value on several lines."""
        return _cut(json.dumps(self._plain(value), indent=2, ensure_ascii=False), most)

    def encoded(self, text: str | None, *, most: int = _FEW) -> Shown:
        """A stored value on several lines; of one that this process cannot read, the JSON that is stored."""
        return self.of(_read(text), most=most)

    def words(self, text: str | None, *, most: int = 20_000) -> Shown:
        """A text from elsewhere that may be long, such as a traceback."""
        return _cut(self.text(text or ""), most)

    def short(self, value: Any) -> str:
        """A value in a line: `turn: review_requested, reminders: 3`."""
        line = _line(self._plain(value))
        return line if len(line) <= _SHORT else line[: _SHORT - 1] + "…"

    def short_encoded(self, text: str | None) -> str:
        """A stored value in a line; nothing for none."""
        return "" if text is None else self.short(_read(text))

    def _plain(self, value: Any) -> Any:
        return self._masked(json_of(value))

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                self._redactor.text(key): MASK if _is_secret(key, item) else self._masked(item)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self._masked(item) for item in value]
        return value


def _is_secret(key: str, value: Any) -> bool:
    """Whether a key says that its value is a secret; that there is none, or whether there is one, tells nothing."""
    return value is not None and not isinstance(value, bool) and _SECRET_KEY.search(key) is not None


def _read(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return decode(text)
    except Undecodable:
        pass
    try:
        return json.loads(text)
    except ValueError:
        return text


def _line(value: Any, *, is_inner: bool = False) -> str:
    match value:
        case None:
            return "none" if is_inner else ""
        case dict():
            inner = ", ".join(f"{key}: {_line(item, is_inner=True)}" for key, item in value.items() if item is not None)
            return f"{{{inner}}}" if is_inner else inner
        case list():
            return "[" + ", ".join(_line(item, is_inner=True) for item in value) + "]"
        case str():
            return " ".join(value.split())
        case _:
            return json.dumps(value)


def _cut(text: str, most: int) -> Shown:
    return Shown(text) if len(text) <= most else Shown(text[:most], len(text) - most)
