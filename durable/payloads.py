"""Large payloads: how long a stored text may be, what stands in the place of one that is too long, and how it is put
back. Pure: the table that holds the contents is in `durable.postgres.payloads`.

In the place of a content stands `{"$":"stored","v":"<its SHA-256>"}`. No value is ever encoded like that: within a string
each quote is escaped, and a dict with a key `$` is written in another form. So a reference is found by its pattern,
wherever in a text it stands, and texts may be put together of others without looking into them.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from durable.errors import NotSerializable
from durable.serde import TAG

_REFERENCE = re.compile(r'\{"\$":"stored","v":"([0-9a-f]{64})"\}')
_MARK = '{"$":"stored"'
REFERENCE_LENGTH = len('{"$":"stored","v":""}') + 64
MOST_EVER = 256 * 1024 * 1024
"""PostgreSQL takes a text of 1 GB, and a statement of as much, in which each quote and backslash is escaped."""


@dataclass(frozen=True)
class Payloads:
    """How a process stores large values. Lengths are in characters of the JSON they are encoded to.

    What is longer than `offload_over` goes into a table of its own, once for all who have it (None: nothing does). What
    is longer than `most` is refused. Only writing goes by this: whatever is stored is read by everybody.
    """

    offload_over: int | None = 256 * 1024
    most: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        """Refuse limits that make no sense."""
        if self.offload_over is not None and not REFERENCE_LENGTH <= self.offload_over <= self.most:
            raise ValueError(
                f"Payloads: offload_over is {self.offload_over}, must be None or from {REFERENCE_LENGTH}, the length of "
                f"a reference, to most, which is {self.most}"
            )
        if not 0 < self.most <= MOST_EVER:
            raise ValueError(f"Payloads: most is {self.most}, must be from 1 to {MOST_EVER}")

    @property
    def inline(self) -> int:
        """How long a text may be that stays in the row it belongs to."""
        return self.most if self.offload_over is None else self.offload_over

    def fitting(self, text: str) -> str:
        """The text itself. Raises `NotSerializable` that names the culprit when it is longer than `most`."""
        if len(text) > self.most:
            raise NotSerializable(_refusal(text, self.most))
        return text


@dataclass(frozen=True)
class Stored:
    """Stands for a large value where it is named and not read: its hash, and how many characters of JSON it takes."""

    hash: str
    characters: int


def hash_of(content: str) -> str:
    """What a content is stored under."""
    return hashlib.sha256(content.encode()).hexdigest()


def reference_to(hash_: str) -> str:
    """What stands in the place of the content of this hash."""
    return f'{{"$":"stored","v":"{hash_}"}}'


def is_reference(text: str) -> bool:
    """Whether the text is a reference and nothing else."""
    return len(text) == REFERENCE_LENGTH and _REFERENCE.fullmatch(text) is not None


def refers(text: str | None) -> bool:
    """Whether a text holds a reference."""
    return text is not None and len(text) >= REFERENCE_LENGTH and _MARK in text


def referred_to(text: str) -> frozenset[str]:
    """The hashes of all contents that a text refers to."""
    return frozenset(_REFERENCE.findall(text)) if refers(text) else frozenset()


def expand(text: str, contents: Mapping[str, str]) -> str:
    """The text with each reference replaced by its content, in which references are replaced too. One whose content is
    not given stays."""
    if not refers(text):
        return text
    return _REFERENCE.sub(
        lambda found: expand(contents[found[1]], contents) if found[1] in contents else found[0], text
    )


def _refusal(text: str, most: int) -> str:
    path, size = _culprit(json.loads(text), len(text), most)
    return (
        f"{path}: takes {size} characters of JSON, more than the {most} that are stored of one value; keep it elsewhere and "
        "hand on its name, or give the Database larger Payloads"
    )


def _culprit(value: Any, size: int, most: int) -> tuple[str, int]:
    """The path and the size of the innermost part that is too large by itself."""
    path = "value"
    while True:
        parts = [(len(json.dumps(part, separators=(",", ":"))), step, part) for step, part in _parts(value)]
        largest = max(parts, key=lambda part: part[0], default=None)
        if largest is None or largest[0] <= most:
            return path, size
        size, path, value = largest[0], path + largest[1], largest[2]


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What an encoded value is made of, with the way that leads there."""
    match value:
        case list():
            yield from ((f"[{number}]", part) for number, part in enumerate(value))
        case {"$": "data", "v": fields}:
            yield from ((f".{name}", part) for name, part in fields.items())
        case {"$": "dict", "v": pairs}:
            yield from ((f"[{key!r}]", part) for key, part in pairs)
        case {"$": "tuple" | "set" | "frozenset", "v": parts}:
            yield from _parts(parts)
        case dict() if TAG not in value:
            yield from ((f"[{key!r}]", part) for key, part in value.items())
