"""Deliveries as GitHub sends them: signed, with a GUID, and forged where the stand-in never sends any."""

import copy
import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx

from bot.demo.github_world import ADMIN, PullRequest
from bot.demo.standins import WEBHOOK_SECRET
from tests.support.served import PLAIN


@dataclass(frozen=True)
class Delivery:
    """One webhook call, ready to be sent, as often as wished: a redelivery keeps its id."""

    event: str
    payload: Any
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def body(self) -> bytes:
        return json.dumps(self.payload).encode()

    def headers(self, secret: str = WEBHOOK_SECRET) -> dict[str, str]:
        """GitHub's headers, with the signature of the body."""
        return {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/0000000",
            "X-GitHub-Event": self.event,
            "X-GitHub-Delivery": self.id,
            "X-Hub-Signature-256": signature(self.body, secret),
        }

    def send(self, url: str, *, secret: str = WEBHOOK_SECRET, timeout: float = 10) -> httpx.Response:
        """POST it to the bot's `/github/webhook`."""
        return httpx.post(url, content=self.body, headers=self.headers(secret), timeout=timeout, verify=PLAIN)


def signature(body: bytes, secret: str = WEBHOOK_SECRET) -> str:
    """The value of `X-Hub-Signature-256` for this body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def pull_request_delivery(
    pull_request: PullRequest,
    action: str,
    *,
    sender: str = ADMIN,
    changes: dict[str, Any] | None = None,
    **extra: Any,
) -> Delivery:
    """A `pull_request` delivery with this action, of the pull request as it is now, with top-level `number`.

    `changes` overrides fields of `pull_request`; `extra` adds top-level ones, e.g. `requested_reviewer`.
    """
    return Delivery("pull_request", _payload(pull_request, action, sender, changes) | extra)


def review_request_removed(pull_request: PullRequest, reviewer: str) -> Delivery:
    """What GitHub sends when somebody is no longer asked for a review; the stand-in never does."""
    return pull_request_delivery(pull_request, "review_request_removed", requested_reviewer=user(reviewer))


def review_delivery(pull_request: PullRequest, reviewer: str, state: str, action: str = "submitted") -> Delivery:
    """A `pull_request_review` delivery; `state` in lower case, as in webhooks. It has no top-level `number`."""
    payload = _payload(pull_request, action, reviewer, None)
    del payload["number"]
    payload["review"] = {
        "id": 1,
        "user": user(reviewer),
        "body": None,
        "state": state,
        "commit_id": payload["pull_request"]["head"]["sha"],
        "submitted_at": payload["pull_request"]["updated_at"],
        "html_url": payload["pull_request"]["html_url"] + "#pullrequestreview-1",
    }
    return Delivery("pull_request_review", payload)


def user(login: str, kind: str = "User") -> dict[str, Any]:
    """A person as payloads describe one; `kind` is `User` or `Bot`."""
    return {"login": login, "id": sum(login.encode()), "type": kind, "site_admin": False}


def _payload(pull_request: PullRequest, action: str, sender: str, changes: dict[str, Any] | None) -> dict[str, Any]:
    state = copy.deepcopy(pull_request.state)
    state.update(changes or {})
    return {
        "action": action,
        "number": pull_request.number,
        "pull_request": state,
        "repository": pull_request.repository_state(),
        "sender": user(sender),
    }
