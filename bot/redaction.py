"""Masking what must not be read in a log: the secrets we were given, and whatever looks like one."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "[hidden]"
_SHORTEST = 6  # a shorter "secret" would blank out ordinary words and protects nothing
_LOOKS_SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\bxox[a-z](?:\.xox[a-z])?-[\w-]+"  # Slack's tokens: bot, user, refresh, rotated
    r"|\bxapp-[\w-]+"
    r"|\bgh[pousr]_\w+"  # GitHub's tokens
    r"|\bgithub_pat_\w+"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]+"  # a JSON web token, as a GitHub App signs them
    r"|(?<=hooks\.slack\.com/)[^\s\"'<>]+"  # a response_url answers in somebody's name
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)",  # name and password in an address
    re.DOTALL,
)
# One of these stands in whatever the pattern matches: to look for them takes a hundredth of the time.
_MARKS = (
    "-----BEGIN ",
    "xox",
    "xapp-",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "eyJ",
    "hooks.slack",
    "://",
)
_AUTHORIZATION = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE)


class Redactor:
    """Masks the given secrets and everything that looks like a token, in any text or nested value."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        longest_first = sorted({secret for secret in secrets if len(secret) >= _SHORTEST}, key=len, reverse=True)
        self._secrets = longest_first
        self._known = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, text: str) -> str:
        """The text with every secret masked."""
        if any(secret in text for secret in self._secrets):
            text = self._known.sub(MASK, text)
        if any(mark in text for mark in _MARKS):
            text = _LOOKS_SECRET.sub(MASK, text)
        lowered = text.lower()
        if "bearer" in lowered or "basic" in lowered:
            text = _AUTHORIZATION.sub(rf"\1 {MASK}", text)
        return text

    def value(self, value: Any) -> Any:
        """A value for a log line with every secret masked; what is neither text nor a container is taken by its repr."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item) for item in value]
        return self.text(repr(value))
