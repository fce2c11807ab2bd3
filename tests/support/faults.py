"""What may go wrong with one call to GitHub or Slack: a small vocabulary for the fault-injecting proxy."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Literal


@dataclass(frozen=True)
class Fault:
    """One misfortune. `applied` says whether the call still takes effect on the other side.

    The caller gets `status` and `body` when they are given, a broken connection when `breaks` says so, else the true
    answer. `first` runs before anything else and `last` after the effect, both in the proxy's thread.
    """

    name: str
    applied: bool
    status: int | None = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks: Literal["close", "reset"] | None = None
    cut_answer: bool = False
    first: Callable[[], object] | None = None
    last: Callable[[], object] | None = None


def rate_limited(retry_after: float = 2) -> Fault:
    """429 with `Retry-After`, as Slack answers; nothing happened."""
    return _json("rate limited", 429, {"ok": False, "error": "ratelimited"}, {"Retry-After": f"{retry_after:g}"})


def slack_error(code: str, *, applied: bool = False) -> Fault:
    """Slack's `ok: false` with this code: `internal_error`, `invalid_auth`, `is_archived` …"""
    return _json(code, 200, {"ok": False, "error": code}, applied=applied)


def server_error(status: int = 500, *, applied: bool = False) -> Fault:
    """A 5xx page, before or after the effect."""
    return Fault(f"{status}", applied, status, b"<html>upset</html>", {"Content-Type": "text/html"})


def lost_call() -> Fault:
    """The connection breaks before the call took effect."""
    return Fault("call lost", applied=False, breaks="reset")


def lost_answer(breaks: Literal["close", "reset"] = "close") -> Fault:
    """The call took effect and its answer never arrives: the connection ends instead."""
    return Fault("answer lost", applied=True, breaks=breaks)


def broken_json(*, applied: bool = True) -> Fault:
    """200 with half of a JSON document."""
    return Fault("broken JSON", applied, 200, b'{"ok": true, "chan', {"Content-Type": "application/json"})


def cut_answer() -> Fault:
    """The call took effect; its answer names a length and ends before it."""
    return Fault("answer cut", applied=True, cut_answer=True)


def github_unauthorized() -> Fault:
    """401, as for a revoked token."""
    return _json("unauthorized", 401, {"message": "Bad credentials"})


def github_not_found() -> Fault:
    """404, as for a pull request that is gone."""
    return _json("not found", 404, {"message": "Not Found"})


def github_forbidden() -> Fault:
    """403 without a rate limit: this token may not."""
    return _json("forbidden", 403, {"message": "Resource not accessible by integration"})


def github_secondary_limit(retry_after: float = 2) -> Fault:
    """403 with GitHub's words for a secondary rate limit and `Retry-After`."""
    words = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    return _json("secondary limit", 403, {"message": words}, {"Retry-After": f"{retry_after:g}"})


def held(gate: Event, *, within: float = 60) -> Fault:
    """The call takes effect at once; its answer waits until the gate is set."""
    return Fault("answer held", applied=True, last=lambda: gate.wait(within))


def held_before(gate: Event, *, within: float = 60) -> Fault:
    """The call waits at the gate and takes effect, and is answered, afterwards."""
    return Fault("call held", applied=True, first=lambda: gate.wait(within))


def after_effect(action: Callable[[], object]) -> Fault:
    """Run this when the call took effect and before the caller hears of it, e.g. kill the caller."""
    return Fault("action after the effect", applied=True, last=action)


def before_effect(action: Callable[[], object]) -> Fault:
    """Run this before the call takes effect, and let it not take effect at all."""
    return Fault("action before the effect", applied=False, first=action, breaks="close")


def _json(
    name: str, status: int, body: object, headers: Mapping[str, str] | None = None, *, applied: bool = False
) -> Fault:
    typed = {"Content-Type": "application/json", **(headers or {})}
    return Fault(name, applied, status, json.dumps(body).encode(), typed)
