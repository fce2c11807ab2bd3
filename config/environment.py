"""Typed looks at environment variables and `.env`, each noting what it refuses."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from dotenv.parser import parse_stream
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from config.durations import parse_duration

_DATABASE_SCHEME = re.compile(r"(postgres|postgresql)(\+[a-z0-9]+)?")
_DRIVEN_BY = "postgresql+psycopg2"


class Environment:
    """What the environment says, `.env` underneath. Every look notes in `findings` what it may not say."""

    def __init__(self, environ: Mapping[str, str], dotenv_path: Path | None) -> None:
        self.findings: list[str] = []
        self._environ = environ
        self._values = {**self._read_dotenv(dotenv_path), **environ}

    def refuse(self, variable: str, reason: str) -> None:
        """Note what is wrong with a variable; the first finding about it is kept."""
        if not any(finding.startswith(f"{variable}: ") for finding in self.findings):
            self.findings.append(f"{variable}: {reason}")

    def text(self, variable: str, default: str) -> str:
        """The value without the space around it; unset and empty give the default."""
        return self._values.get(variable, "").strip() or default

    def secret(self, variable: str) -> str | None:
        """A secret, or None when it is unset or empty. Its value never stands in a finding."""
        value = self.text(variable, "")
        if value and not value.startswith("-----BEGIN") and re.search(r"[\s\x00-\x1f]", value):
            self.refuse(variable, "(hidden) has white space or control characters inside; allowed: one word")
        return value or None

    def required_secret(self, variable: str, allowed: str) -> str:
        """A secret that must be there."""
        value = self.secret(variable)
        if value is None:
            seen = "empty" if variable in self._values else "not set"
            self.refuse(variable, f"{seen}; allowed: {allowed}")
        return value or ""

    def port(self, variable: str, default: int) -> int:
        """A TCP port; 0 lets the system choose."""
        text = self.text(variable, str(default))
        if not (text.isascii() and text.isdigit() and int(text) <= 65535):
            self.refuse(variable, f"{text!r} is not a port; allowed: 0 to 65535")
            return default
        return int(text)

    def path(self, variable: str, default: str) -> Path:
        """A path; a leading `~` is the home folder."""
        text = self.text(variable, default)
        if text == "~" or text.startswith("~/"):
            text = self._environ.get("HOME", "~") + text[1:]
        return Path(text)

    def listed(self, variable: str) -> tuple[str, ...]:
        """Names between commas."""
        return tuple(name.strip() for name in self.text(variable, "").split(",") if name.strip())

    def duration(self, variable: str, *, positive: bool) -> timedelta | None:
        """A length of time, or None when it is unset."""
        text = self.text(variable, "")
        if not text:
            return None
        try:
            length = parse_duration(text)
        except ValueError as problem:
            self.refuse(variable, str(problem))
            return None
        if positive and not length:
            self.refuse(variable, f"{text!r} is not allowed; allowed: more than 0s")
        return length

    def address(self, variable: str, default: str) -> str:
        """An http or https address without a password in it."""
        text = self.text(variable, default)
        parts = _split(text)
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            self.refuse(variable, f"{_without_password(text)!r} is not an address; allowed: http(s)://host…")
        elif parts.username or parts.password:
            self.refuse(variable, f"{_without_password(text)!r} holds a name or password; allowed: an address without")
        return text

    def database_url(self, variable: str) -> str | None:
        """The database's address as SQLAlchemy drives it with psycopg2, or None when it is unset or empty."""
        text = self.text(variable, "")
        if not text:
            return None
        scheme, separator, rest = text.partition("://")
        if not separator or not _DATABASE_SCHEME.fullmatch(scheme.lower()):
            seen = f"{scheme}://…" if separator else "(hidden)"
            self.refuse(
                variable, f"{seen} is not a PostgreSQL address; allowed: postgresql://user:password@host:port/name"
            )
        elif not _is_database_url(f"{_DRIVEN_BY}://{rest}"):
            self.refuse(
                variable, f"{scheme}://… has a bad host or port; allowed: postgresql://user:password@host:port/name"
            )
        return f"{_DRIVEN_BY}://{rest}"

    def _read_dotenv(self, path: Path | None) -> dict[str, str]:
        """The assignments in `.env`. Values are taken as written: `$` is a letter in a password, not a reference."""
        if path is None or not path.is_file():
            return {}
        values: dict[str, str] = {}
        try:
            with path.open(encoding="utf-8") as lines:
                for binding in parse_stream(lines):
                    if binding.error:
                        self.findings.append(f"{path}:{binding.original.line}: not an assignment; allowed: NAME=value")
                    elif binding.key is not None:
                        values[binding.key] = binding.value or ""
        except (OSError, UnicodeDecodeError) as problem:
            self.findings.append(f"{path}: cannot be read ({type(problem).__name__}); allowed: UTF-8 lines NAME=value")
        return values


def _split(text: str) -> SplitResult | None:
    """The parts of an address, or None when it has none that make sense."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _is_database_url(text: str) -> bool:
    try:
        make_url(text)
    except (ArgumentError, ValueError):
        return False
    return True


def _without_password(text: str) -> str:
    return re.sub(r"//[^/]*@", "//…@", text)
