"""Whatever goes wrong in PyGithub, `requests` or an answer, told in the errors of `integrations.github.api`.

Statuses, headers and texts: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
and https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api.
"""

from collections.abc import Mapping
from typing import Any

import github as pygithub
import requests

from integrations.github.api import (
    Forbidden,
    GitHubError,
    NotFound,
    RateLimited,
    Unauthorized,
    Unavailable,
)

# GitHub: "wait for at least one minute" when it names no time; a primary limit is renewed after an hour at most.
_UNNAMED_WAIT = 60.0
_LONGEST_WAIT = 3600.0
_LIMIT_TEXTS = ("rate limit", "abuse detection", "please wait a few minutes")


def translate(doing: str, error: Exception, now: float) -> GitHubError:
    """Our word for `error`, which came up while `doing`. `now` is in seconds since 1970, as GitHub's reset times are.

    What a library raises on an answer it cannot digest (ValueError, AttributeError, AssertionError …) is `Unavailable`.
    """
    if isinstance(error, GitHubError):
        return error
    if isinstance(error, pygithub.GithubException):
        return _refusal(doing, error, now)
    if isinstance(error, requests.RequestException):
        return Unavailable(f"{doing}: no usable answer from GitHub ({error})")
    return Unavailable(f"{doing}: GitHub's answer makes no sense ({type(error).__name__}: {error})")


def _refusal(doing: str, error: pygithub.GithubException, now: float) -> GitHubError:
    headers: Mapping[str, Any] = error.headers or {}
    said = f"{doing}: GitHub answered {error.status} ({_message(error)})"
    if _is_rate_limit(error, headers):
        return RateLimited(said, _retry_after(headers, now))
    match error.status:
        case 401:
            return Unauthorized(f"{said}; set a valid GITHUB_TOKEN or GitHub App key")
        case 404 | 410:
            return NotFound(said)
        case 403 | 451:
            return Forbidden(said)
        case _:
            return Unavailable(said)


def _is_rate_limit(error: pygithub.GithubException, headers: Mapping[str, Any]) -> bool:
    if error.status == 429:
        return True
    if error.status != 403:
        return False
    text = _message(error).lower()
    return (
        isinstance(error, pygithub.RateLimitExceededException)
        or "retry-after" in headers
        or headers.get("x-ratelimit-remaining") == "0"
        or any(part in text for part in _LIMIT_TEXTS)
    )


def _retry_after(headers: Mapping[str, Any], now: float) -> float:
    """Seconds to wait, in the order GitHub documents: `retry-after`, the reset time when nothing is left, a minute."""
    named = _seconds(headers.get("retry-after"))
    if named is None and headers.get("x-ratelimit-remaining", "0") == "0":
        reset = _seconds(headers.get("x-ratelimit-reset"))
        named = None if reset is None else reset - now
    return min(max(_UNNAMED_WAIT if named is None else named, 1.0), _LONGEST_WAIT)


def _seconds(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _message(error: pygithub.GithubException) -> str:
    data = error.data
    said = data.get("message") if isinstance(data, dict) else None
    return str(said or error.message or "no reason given")[:300]
