"""A YAML file as a tree of spots, each of which knows its line and its key; and how its text becomes one, whatever it is.

Only what JSON can hold gets through: there are no dates, no tags and no keys but texts.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import yaml

from durable.flows.errors import Problem

MOST_CHARACTERS = 1024 * 1024
MOST_VALUES = 50_000
DEEPEST = 50
_TEXT, _NULL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"
_PLAIN = (_TEXT, _NULL, *(f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float")))
_MERGE = "tag:yaml.org,2002:merge"
_SHOWN = {"null": "nothing", "bool": "a yes or no", "int": "a number", "float": "a number", "timestamp": "a date"}
_UNREADABLE = (yaml.YAMLError, RecursionError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError)
"""What PyYAML raises: for an escape beyond Unicode it is a ValueError, for an empty `!!int` an IndexError."""


@dataclass(frozen=True)
class Spot:
    """A value in a file, where it stands, and the list that takes what is wrong with it."""

    file: str
    key: str
    node: yaml.Node
    problems: list[Problem]

    @property
    def line(self) -> int:
        """The line it begins at, from 1."""
        return int(self.node.start_mark.line) + 1

    def refuse(self, message: str) -> None:
        """Note what is wrong here."""
        self.problems.append(Problem(self.file, self.line, self.key, message))

    @property
    def is_mapping(self) -> bool:
        """Whether it has keys."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_text(self) -> bool:
        """Whether it is a text."""
        return self.node.tag == _TEXT and isinstance(self.node, yaml.ScalarNode)

    def text(self, allowed: str) -> str | None:
        """The text that is here; notes what else it is, and what is `allowed`."""
        if self.is_text and self.node.value.strip():
            return str(self.node.value)
        self.refuse(f"{self.shown} is not allowed; allowed: {allowed}")
        return None

    def items(self, allowed: str) -> list["Spot"]:
        """The items of the list that is here."""
        if isinstance(self.node, yaml.SequenceNode) and self.node.value:
            return [self._at(f"[{number}]", item) for number, item in enumerate(self.node.value)]
        self.refuse(f"{self.shown} is not allowed; allowed: {allowed}")
        return []

    def keys(self, allowed: Sequence[str] | None = None) -> dict[str, "Spot"]:
        """The values of the mapping that is here, by key; `allowed` are all keys there may be (None: any)."""
        if not self.is_mapping:
            keys = f"a mapping with {', '.join(allowed)}" if allowed else "a mapping"
            self.refuse(f"{self.shown} is not allowed; allowed: {keys}")
            return {}
        found: dict[str, Spot] = {}
        mark = "." if ": " in self.key else ": " if self.key else ""
        for key, value in _pairs(self.node):
            spot = self._at(f"{mark}{_name(key)}", value)
            at_key = Spot(self.file, spot.key, key, self.problems)
            if not at_key.is_text:
                at_key.refuse("only a text may be a key here; write it in quotes")
            elif allowed is not None and key.value not in allowed:
                at_key.refuse(f"unknown key; allowed: {', '.join(allowed)}")
            elif key.value in found:
                at_key.refuse("is there twice")
            else:
                found[key.value] = spot
        return found

    def plain(self) -> Any:
        """The value as JSON knows it; notes each part of it that JSON does not know."""
        if isinstance(self.node, yaml.SequenceNode):
            return [self._at(f"[{number}]", item).plain() for number, item in enumerate(self.node.value)]
        if self.is_mapping:
            return {key: spot.plain() for key, spot in self.keys().items()}
        if self.node.tag in _PLAIN:
            try:
                value = yaml.constructor.SafeConstructor().construct_object(self.node)
            except _UNREADABLE:
                value = math.nan
            if not isinstance(value, float) or math.isfinite(value):
                return value
        self.refuse(f"{self.node.value!r} has no form in JSON; write it in quotes")
        return None

    @property
    def shown(self) -> str:
        """How an error calls the value."""
        if self.is_text:
            return repr(self.node.value[:100])
        if isinstance(self.node, yaml.ScalarNode):
            kind = _SHOWN.get(self.node.tag.rpartition(":")[2], f"of the type {self.node.tag}")
            return f"{self.node.value[:100]}, {kind}," if self.node.value else kind
        kind = "mapping" if self.is_mapping else "list"
        return f"a {kind}" if self.node.value else f"an empty {kind}"

    def _at(self, key: str, node: yaml.Node) -> "Spot":
        return Spot(self.file, self.key + key, node, self.problems)


def read(file: str, text: str, problems: list[Problem]) -> Spot | None:
    """The root of a YAML document; None when there is nothing in it, or when it is not YAML, which is noted then."""
    if len(text) > MOST_CHARACTERS:
        problems.append(Problem(file, 1, "", f"has {len(text)} characters; allowed: {MOST_CHARACTERS}"))
        return None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except _UNREADABLE as problem:
        problems.append(_not_yaml(file, problem))
        return None
    if root is None or root.tag == _NULL:
        return None
    if not _is_bounded(root):
        allowed = f"{MOST_VALUES} values, those behind an alias counted each time, at most {DEEPEST} deep"
        problems.append(Problem(file, 1, "", f"holds too much; allowed: {allowed}"))
        return None
    return Spot(file, "", root, problems)


def _not_yaml(file: str, problem: BaseException) -> Problem:
    mark = getattr(problem, "problem_mark", None)
    said = getattr(problem, "problem", None) or getattr(problem, "reason", None) or type(problem).__name__
    return Problem(file, 1 if mark is None else mark.line + 1, "", f"not YAML: {said}")


def _is_bounded(root: yaml.Node) -> bool:
    """Whether the document can be walked through: an alias may stand for what it stands in."""
    count, level = 0, [root]
    for _ in range(DEEPEST):
        count += len(level)
        if not level or count > MOST_VALUES:
            break
        level = list(islice((below for node in level for below in _below(node)), MOST_VALUES + 1))
    return not level


def _below(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair


def _pairs(node: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
    """Keys and values of a mapping. What is merged into it by `<<` comes last, without what it says itself."""
    pairs = [pair for pair in node.value if pair[0].tag != _MERGE]
    known = {_name(key) for key, _ in pairs}
    for pair in _merged_into(node):
        if _name(pair[0]) not in known:
            known.add(_name(pair[0]))
            pairs.append(pair)
    return pairs


def _merged_into(node: yaml.Node) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    for merge in (value for key, value in node.value if key.tag == _MERGE):
        for source in merge.value if isinstance(merge, yaml.SequenceNode) else [merge]:
            if isinstance(source, yaml.MappingNode):
                yield from _pairs(source)


def _name(key: yaml.Node) -> str:
    return key.value if isinstance(key, yaml.ScalarNode) else "?"
