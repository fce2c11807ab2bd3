"""Deliveries of GitHub, checked and parsed without any input or output: bytes and headers in, typed events out.

Headers, signature and limits: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from integrations.github import payload
from integrations.github.api import GitHubEvent, PullRequestEvent, ReviewEvent, UnusedEvent

_PREFIX = "sha256="


class MalformedDelivery(ValueError):
    """A delivery that is not JSON, or whose fields are not what GitHub documents. Sending it again cannot help."""


def verify_signature(secret: str, body: bytes, header: str | None) -> bool:
    """Whether `X-Hub-Signature-256` was made with our secret over exactly these bytes, compared in constant time.

    Never raises: a missing, foreign (sha1) or garbled header is just wrong. An empty secret signs nothing.
    """
    if not secret or not header or not header.startswith(_PREFIX):
        return False
    # A secret from the environment may hold bytes that are no UTF-8; this is how Python hands them on.
    key = secret.encode("utf-8", "surrogateescape")
    expected = hmac.new(key, body, hashlib.sha256).hexdigest().encode()
    return hmac.compare_digest(expected, header.removeprefix(_PREFIX).encode("utf-8", "replace"))


def is_used(event: str) -> bool:
    """Whether deliveries of this `X-GitHub-Event` are of any use to us, so worth storing."""
    return event in _PARSERS


def unwrap_form(body: bytes) -> bytes:
    """The JSON inside a delivery of a hook whose content type is `application/x-www-form-urlencoded`.

    The signature covers the form as it was sent, so check it before unwrapping. Raises `MalformedDelivery`.
    """
    try:
        fields = parse_qs(body.decode("ascii"), errors="strict", strict_parsing=True, max_num_fields=10)
    except ValueError as error:
        raise MalformedDelivery("the delivery is no URL-encoded form") from error
    if "payload" not in fields:
        raise MalformedDelivery("the form holds no field named payload")
    return fields["payload"][0].encode()


def parse(event: str, delivery_id: str, body: bytes) -> GitHubEvent:
    """The typed form of a delivery, for any event, known or not.

    `event` and `delivery_id` are the headers `X-GitHub-Event` and `X-GitHub-Delivery`. Actions we do not know come
    through as they are. Raises `MalformedDelivery`.
    """
    data = _decode(body)
    action = data.get("action") if isinstance(data, dict) else None
    parser = _PARSERS.get(event)
    if parser is None:
        reason = f"Vigil has no use for {event} deliveries"
        return UnusedEvent(delivery_id, event, action if isinstance(action, str) else None, reason)
    if not isinstance(data, dict):
        raise MalformedDelivery(f"delivery {delivery_id} ({event}) should be an object and is {type(data).__name__}")
    try:
        return parser(delivery_id, data)
    except payload.MalformedPayload as error:
        raise MalformedDelivery(f"delivery {delivery_id} ({event}): {error}") from error


def _decode(body: bytes) -> object:
    try:
        return json.loads(body)
    # Brackets nested by the thousand end in RecursionError, everything else wrong in a ValueError.
    except (ValueError, RecursionError) as error:
        raise MalformedDelivery("the delivery is not JSON") from error


def _pull_request_event(delivery_id: str, data: Mapping[str, Any]) -> PullRequestEvent:
    return PullRequestEvent(
        delivery_id=delivery_id,
        action=payload.text(data, "action"),
        pull_request=payload.pull_request(payload.table(data, "pull_request")),
        sender=payload.person(data.get("sender")),
        requested_reviewer=payload.person(data.get("requested_reviewer")),
        requested_team=payload.team(data.get("requested_team")),
    )


def _review_event(delivery_id: str, data: Mapping[str, Any]) -> ReviewEvent:
    return ReviewEvent(
        delivery_id=delivery_id,
        action=payload.text(data, "action"),
        pull_request=payload.pull_request(payload.table(data, "pull_request")),
        review=payload.review(payload.table(data, "review")),
        sender=payload.person(data.get("sender")),
    )


_PARSERS: Mapping[str, Callable[[str, Mapping[str, Any]], GitHubEvent]] = {
    "pull_request": _pull_request_event,
    "pull_request_review": _review_event,
}
