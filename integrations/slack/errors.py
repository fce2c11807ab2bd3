"""Whatever goes wrong in slack_sdk, the network or an answer, told in the errors of `integrations.slack.api`.

The one question that matters: may the call have taken effect? Codes: https://docs.slack.dev/reference/methods
(each method's errors), statuses and `Retry-After`: https://docs.slack.dev/apis/web-api/rate-limits.
"""

import errno
import math
import re
import socket
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.error import URLError

from slack_sdk.errors import SlackApiError

from integrations.slack.api import (
    ChannelGone,
    NameTaken,
    RateLimited,
    Refused,
    SlackError,
    Unauthorized,
    Uncertain,
    Unreachable,
)

# Slack names the wait with nearly every 429; half a minute is what its Tier 2 methods need to recover.
_UNNAMED_WAIT = 30.0
_SHORTEST_WAIT = 0.1
_LONGEST_WAIT = 3600.0

_DEAD_TOKEN = frozenset(
    {
        "account_inactive",
        "invalid_auth",
        "not_allowed_token_type",
        "not_authed",
        "token_expired",
        "token_revoked",
    }
)
_LIMITED = frozenset({"ratelimited", "rate_limited", "accesslimited"})
# The last two: the workspace is being migrated and comes back.
_PERHAPS_DONE = frozenset(
    {
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "org_login_required",
        "team_added_to_org",
    }
)
_GONE = frozenset({"channel_not_found", "is_archived", "not_in_channel"})

# No byte of a request was sent before these came up.
_NEVER_SENT = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)
_NO_WAY_THERE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH})

_CODE = re.compile(r"[a-z0-9_]+")


def refusal(method: str, error: SlackApiError) -> SlackError:
    """Our word for an answer that is not `ok`."""
    response = error.response
    headers = {name.lower(): value for name, value in response.headers.items()}
    data = response.data if isinstance(response.data, dict) else {}
    code = str(data.get("error", ""))
    if response.status_code == 429 or code in _LIMITED:
        return RateLimited(method, _retry_after(headers))
    if response.status_code >= 500 or not _CODE.fullmatch(code):
        return Uncertain(f"{method}: HTTP {response.status_code} without a word of Slack's")
    return _by_code(method, code, data)


def failure(method: str, error: Exception) -> SlackError:
    """Our word for a call that brought no usable answer at all."""
    reason = error.reason if isinstance(error, URLError) else error
    said = f"{method}: {type(reason).__name__}: {reason}"
    if isinstance(error, URLError) and (
        isinstance(reason, _NEVER_SENT) or (isinstance(reason, OSError) and reason.errno in _NO_WAY_THERE)
    ):
        return Unreachable(f"{said}; nothing was sent")
    return Uncertain(said, timed_out=isinstance(reason, TimeoutError))


def _by_code(method: str, code: str, data: Mapping[str, Any]) -> SlackError:
    if code in _DEAD_TOKEN:
        return Unauthorized(f"{method}: {code}; set a valid SLACK_BOT_TOKEN (xoxb-…)")
    if code in _PERHAPS_DONE:
        return Uncertain(f"{method}: {code}")
    if code in _GONE:
        return ChannelGone(method, code)
    if code == "name_taken":
        return NameTaken(method, code)
    if code == "missing_scope":
        return Refused(method, code, f"the token needs the scope {data.get('needed')}; reinstall the app with it")
    return Refused(method, code)


def _retry_after(headers: Mapping[str, str]) -> float:
    try:
        named = float(headers.get("retry-after", ""))
    except ValueError:
        return _UNNAMED_WAIT
    return min(max(named, _SHORTEST_WAIT), _LONGEST_WAIT) if math.isfinite(named) else _UNNAMED_WAIT
