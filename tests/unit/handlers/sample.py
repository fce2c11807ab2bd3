"""A pull request that tests vary, and deliveries about it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from integrations.github.api import Person, PullRequest, PullRequestEvent, PullRequestRef, Review, ReviewEvent

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HEAD = "f" * 40
REF = PullRequestRef("github.com", "Acme", "api", 42, 7)

OPEN = PullRequest(
    ref=REF,
    title="Add a cache",
    url="https://github.com/Acme/api/pull/42",
    author=Person("ann"),
    state="open",
    merged=False,
    draft=False,
    private=False,
    created_at=NOON,
    updated_at=NOON,
    head_ref="cache",
    head_sha=HEAD,
    base_ref="main",
)


def after(seconds: float, known: PullRequest = OPEN, **changes: Any) -> PullRequest:
    """`known`, changed, and updated so many seconds after noon."""
    return replace(known, updated_at=NOON + timedelta(seconds=seconds), **changes)


def delivery(action: str, pull_request: PullRequest, sender: str = "eve") -> PullRequestEvent:
    """A `pull_request` delivery."""
    return PullRequestEvent(f"delivery-{action}", action, pull_request, Person(sender))


def review(pull_request: PullRequest, state: Any = "approved") -> ReviewEvent:
    """A `pull_request_review` delivery."""
    said = Review(Person("ben"), state, NOON, HEAD)
    return ReviewEvent("delivery-review", "submitted", pull_request, said, Person("ben"))
