"""What becomes of one call to `POST /github/webhook`: refused, ignored, or committed and then answered."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from bot.metrics import Outcome
from durable.errors import IntakeUnavailable
from durable.intake import Delivery
from integrations.github import webhook

SOURCE = "github"
_FORM = "application/x-www-form-urlencoded"
_KEPT_HEADERS = ("x-github-event", "x-github-delivery", "x-github-hook-id", "x-github-hook-installation-target-type")
_LONGEST_NAME = 200
_log = structlog.get_logger(__name__)


class TakesDeliveries(Protocol):
    """What commits a delivery: `durable.intake.Intake`."""

    def put(self, delivery: Delivery) -> bool:
        """Store it; True when it is new. Raises `IntakeUnavailable`."""
        ...


@dataclass(frozen=True)
class Answer:
    """What GitHub is answered: an HTTP status, a word for the body, and what happened for the metrics."""

    status: int
    word: str
    outcome: Outcome
    reason: str = ""


class DeliveryDesk:
    """Takes deliveries signed with `secret`. Synchronous, since it waits for the commit: call it from a thread."""

    def __init__(self, secret: str, intake: TakesDeliveries) -> None:
        if not secret:
            raise ValueError("GITHUB_WEBHOOK_SECRET is empty: anybody could sign with it")
        self._secret = secret
        self._intake = intake

    def take(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one delivery; `headers` have lower-case names. Nothing is stored unless the answer is 202."""
        answer = self._answer(headers, body)
        _log.info(
            "delivery",
            outcome=answer.outcome,
            status=answer.status,
            reason=answer.reason or None,
            delivery_id=_shown(headers.get("x-github-delivery")),
            github_event=_shown(headers.get("x-github-event")),
            bytes=len(body),
        )
        return answer

    def _answer(self, headers: Mapping[str, str], body: bytes) -> Answer:
        if not webhook.verify_signature(self._secret, body, headers.get("x-hub-signature-256")):
            return _refused(401, "X-Hub-Signature-256 is missing or was not made with our secret")
        event, delivery_id = headers.get("x-github-event", ""), headers.get("x-github-delivery", "")
        for name, value in (("X-GitHub-Event", event), ("X-GitHub-Delivery", delivery_id)):
            if not _is_name(value):
                return _refused(400, f"{name} is missing or is not 1 to {_LONGEST_NAME} printable ASCII characters")
        try:
            payload = _json_of(headers.get("content-type", ""), body)
        except ValueError as problem:
            return _refused(400, str(problem))
        if not webhook.is_used(event):
            return Answer(202, "ignored", "ignored", "Vigil has no use for this event")
        kept = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
        try:
            is_new = self._intake.put(Delivery(SOURCE, delivery_id, kept, payload))
        except IntakeUnavailable:
            return Answer(503, "unavailable", "unavailable", "the database is away; redeliver later")
        return Answer(202, "accepted", "accepted") if is_new else Answer(200, "duplicate", "duplicate")


def _json_of(content_type: str, body: bytes) -> bytes:
    """The JSON object of a delivery, taken out of its form where it came in one. Raises `ValueError`."""
    if content_type.partition(";")[0].strip().lower() == _FORM:
        body = webhook.unwrap_form(body)
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise ValueError("the body is not JSON") from problem
    if not isinstance(payload, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004 - a wrong value from outside, not a wrong argument
    return body


def _refused(status: int, reason: str) -> Answer:
    return Answer(status, "refused", "refused", reason)


def _is_name(value: str) -> bool:
    return 0 < len(value) <= _LONGEST_NAME and value.isascii() and value.isprintable()


def _shown(value: str | None) -> str | None:
    return None if value is None else value[:_LONGEST_NAME]
