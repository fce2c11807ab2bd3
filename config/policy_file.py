"""Reading the policy file key by key, so that every finding names file, line, key and what is allowed."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Literal, TypeVar

import yaml

from config.durations import parse_duration

HOURS_NOT_BUILT = "working hours other than `always` are not built yet; allowed: always"
KEYS: dict[str, tuple[str, ...]] = {
    "": ("repositories", "people", "admins", "reminders", "channels", "digest"),
    "reminders": ("every", "hours"),
    "channels": ("drafts", "archive_after", "private"),
    "digest": ("channel", "stale_after"),
}

_SLACK_USER = re.compile(r"[UW][A-Z0-9]{2,}")
_SLACK_CHANNEL = re.compile(r"[CG][A-Z0-9]{8,}|#?[^\s#@,.<>&A-Z]{1,80}")
_PATTERN = re.compile(r"\*|[^/\s]+/[^/\s]+")
_Word = TypeVar("_Word", bound=str)


class Reader:
    """One policy file. Each method gives the value of a key (or its default) and notes in `findings` what is wrong."""

    def __init__(self, name: str, text: str) -> None:
        self.findings: list[str] = []
        self._name = name
        self._values: dict[str, yaml.Node] = {}
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as problem:
            self._refuse_syntax(problem)
        else:
            if root is not None and not _is_empty(root):
                self._collect(root, "")

    def patterns(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A list of `owner/name` patterns with `*` and `?`, or `*`."""
        if key not in self._values:
            return default
        found = [
            item.value
            for item in self._items(key)
            if self._is_text(item, key, _PATTERN, "patterns of owner/name, or *")
        ]
        if not found and not self.findings:
            self._refuse(self._values[key], key, 'empty, so nothing would be watched; allowed: patterns, e.g. ["*"]')
        return tuple(found)

    def slack_users(self, key: str) -> tuple[str, ...]:
        """A list of Slack user ids."""
        items = self._items(key)
        return tuple(
            item.value for item in items if self._is_text(item, key, _SLACK_USER, "Slack user ids, e.g. U024BE7LH")
        )

    def slack_channel(self, key: str) -> str | None:
        """A Slack channel by id or by name, as it is written; None where there is none."""
        text = self._scalar(key)
        if text is None or self._is_text(
            self._values[key], key, _SLACK_CHANNEL, 'a Slack channel: its id (C024BE7LH) or its name ("#reviews")'
        ):
            return text
        return None

    def people(self, key: str) -> dict[str, str]:
        """A mapping of GitHub logins (kept in lower case) to Slack user ids or e-mail addresses."""
        found: dict[str, str] = {}
        for login_node, value_node in self._pairs(key):
            login = str(login_node.value).lower()
            where = f"{key}.{login_node.value}"
            if login in found:
                self._refuse(login_node, where, "is there twice; logins are the same whatever their case")
            elif not isinstance(value_node, yaml.ScalarNode) or not _is_slack_person(value_node.value):
                allowed = "a Slack user id (U024BE7LH) or an e-mail address"
                self._refuse(value_node, where, f"{_shown(value_node)} is not allowed; allowed: {allowed}")
            else:
                found[login] = value_node.value
        return found

    def duration(self, key: str, default: timedelta, *, positive: bool) -> timedelta:
        """A length of time; with `positive` more than nothing."""
        text = self._scalar(key)
        if text is None:
            return default
        try:
            length = parse_duration(text)
        except ValueError as problem:
            self._refuse(self._values[key], key, str(problem))
            return default
        if positive and not length:
            self._refuse(self._values[key], key, f"{text!r} is not allowed; allowed: more than 0s")
        return length

    def choice(self, key: str, default: _Word, allowed: tuple[_Word, ...]) -> _Word:
        """One of a few words."""
        text = self._scalar(key)
        if text is None:
            return default
        for word in allowed:
            if text == word:
                return word
        self._refuse(self._values[key], key, f"{text!r} is not allowed; allowed: {', '.join(allowed)}")
        return default

    def working_hours(self, key: str) -> Literal["always"]:
        """Working hours: `always` is all there is so far."""
        node = self._values.get(key)
        if node is not None and not (isinstance(node, yaml.ScalarNode) and node.value == "always"):
            self._refuse(node, key, HOURS_NOT_BUILT)
        return "always"

    def _collect(self, node: yaml.Node, section: str) -> None:
        if not isinstance(node, yaml.MappingNode):
            self._refuse(node, section, f"not a mapping; allowed keys: {', '.join(KEYS[section])}")
            return
        for key_node, value_node in node.value:
            key = f"{section}.{key_node.value}".lstrip(".")
            if key_node.value not in KEYS[section]:
                self._refuse(key_node, key, f"unknown key; allowed: {', '.join(KEYS[section])}")
            elif key in self._values:
                self._refuse(key_node, key, "is there twice")
            elif not _is_empty(value_node):
                self._values[key] = value_node
                if key in KEYS:
                    self._collect(value_node, key)

    def _items(self, key: str) -> list[yaml.Node]:
        node = self._values.get(key)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self._refuse(node, key, f"{_shown(node)} is not allowed; allowed: a list, e.g. [a, b]")
            return []
        return list(node.value)

    def _pairs(self, key: str) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        node = self._values.get(key)
        if isinstance(node, yaml.MappingNode):
            yield from node.value
        elif node is not None:
            self._refuse(
                node, key, f"{_shown(node)} is not allowed; allowed: a mapping, e.g. octocat: octocat@example.com"
            )

    def _scalar(self, key: str) -> str | None:
        node = self._values.get(key)
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode):
            self._refuse(node, key, f"{_shown(node)} is not allowed; allowed: one value")
            return None
        return str(node.value)

    def _is_text(self, node: yaml.Node, key: str, form: re.Pattern[str], allowed: str) -> bool:
        fits = isinstance(node, yaml.ScalarNode) and form.fullmatch(node.value) is not None
        if not fits:
            self._refuse(node, key, f"{_shown(node)} is not allowed; allowed: {allowed}")
        return fits

    def _refuse(self, node: yaml.Node, key: str, reason: str) -> None:
        line = node.start_mark.line + 1
        self.findings.append(": ".join(part for part in (f"{self._name}:{line}", key, reason) if part))

    def _refuse_syntax(self, problem: yaml.YAMLError) -> None:
        mark = getattr(problem, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        reason = getattr(problem, "problem", None) or getattr(problem, "reason", None) or "cannot be read"
        self.findings.append(f"{self._name}:{line}: not YAML: {reason}")


def _is_empty(node: yaml.Node) -> bool:
    """A key without a value, or an empty document: the default holds."""
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _is_slack_person(text: str) -> bool:
    name, at, domain = text.partition("@")
    is_address = bool(name and at and "." in domain and not re.search(r"\s", text))
    return is_address or _SLACK_USER.fullmatch(text) is not None


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value)
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
