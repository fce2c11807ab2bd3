"""Whose turn a pull request is: one pure rule over what GitHub says, to be recomputed at any time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from integrations.github.api import Person, PullRequest, Review

Reason = Literal[
    "closed",  # nobody's: it is over
    "draft",  # the author's: finish it, then mark it ready
    "changes_requested",  # the author's: a reviewer asked for changes and nothing was pushed since
    "review_requested",  # the reviewers': they were asked and have not answered
    "pushed",  # the reviewers': they asked for changes, and there was a push since
    "approved",  # the author's: approved and nobody is pending, so merge it
    "commented",  # the author's: reviewed without a verdict, and nobody is pending
    "nobody_asked",  # the author's: ask somebody for a review
]

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Turn:
    """Whose move it is and why. `who` holds people only (a bot is never asked); `teams` are asked as a whole.
    Nobody at all means that nobody can be asked: closed, or a bot's pull request that no person is assigned to."""

    who: tuple[Person, ...]
    teams: tuple[str, ...]
    reason: Reason


def turn_of(pull_request: PullRequest) -> Turn:
    """Whose move it is. Requested changes go before everything else until there is a push or a new request:
    whoever else is asked to review would review what is about to change."""
    if pull_request.state == "closed":
        return Turn((), (), "closed")
    if pull_request.draft:
        return _authors(pull_request, "draft")
    asked = _distinct(person for person in pull_request.reviewers if _may_be_asked(person, pull_request))
    verdicts = _verdicts(pull_request, asked)
    objections = [review for review in verdicts if review.state == "changes_requested"]
    answered = [review for review in objections if _pushed_since(review, pull_request)]
    if len(answered) < len(objections):
        return _authors(pull_request, "changes_requested")
    pending = _distinct([*asked, *(review.author for review in answered if review.author)])
    if pending or pull_request.teams:
        return Turn(pending, pull_request.teams, "review_requested" if asked or pull_request.teams else "pushed")
    if any(review.state == "approved" for review in verdicts):
        return _authors(pull_request, "approved")
    return _authors(pull_request, "commented" if _was_reviewed(pull_request) else "nobody_asked")


def first_review_of(pull_request: PullRequest) -> datetime | None:
    """When somebody other than the author first reviewed it; None when nobody did, or no review was read yet."""
    return next((review.submitted_at for review in _by_time(pull_request) if review.submitted_at is not None), None)


def _authors(pull_request: PullRequest, reason: Reason) -> Turn:
    """The author's move. The people assigned stand in for a bot or a deleted account."""
    author = pull_request.author
    if author is not None and not author.is_bot:
        return Turn((author,), (), reason)
    return Turn(_distinct(person for person in pull_request.assignees if not person.is_bot), (), reason)


def _verdicts(pull_request: PullRequest, asked: Iterable[Person]) -> list[Review]:
    """Each reviewer's verdict that stands: the latest approval or request for changes, unless it was dismissed or the
    reviewer was asked again. A comment overrides no verdict."""
    latest: dict[str, Review] = {}
    for review in _by_time(pull_request):
        if review.author and review.state in {"approved", "changes_requested", "dismissed"}:
            latest[review.author.login.lower()] = review
    asked_again = {person.login.lower() for person in asked}
    return [review for login, review in latest.items() if login not in asked_again and review.state != "dismissed"]


def _was_reviewed(pull_request: PullRequest) -> bool:
    return any(review.state == "commented" for review in _by_time(pull_request))


def _by_time(pull_request: PullRequest) -> list[Review]:
    """What people other than the author said, oldest first; what bots said is no verdict."""
    said = [
        review
        for review in pull_request.reviews or ()
        if review.author is not None and _may_be_asked(review.author, pull_request)
    ]
    return sorted(said, key=lambda review: review.submitted_at or _LONG_AGO)


def _pushed_since(review: Review, pull_request: PullRequest) -> bool:
    """Whether the head moved on from what was reviewed. A review of an unknown commit counts as one of the head."""
    return review.commit_id is not None and review.commit_id != pull_request.head_sha


def _may_be_asked(person: Person, pull_request: PullRequest) -> bool:
    author = pull_request.author
    return not person.is_bot and (author is None or person.login.lower() != author.login.lower())


def _distinct(people: Iterable[Person]) -> tuple[Person, ...]:
    return tuple({person.login.lower(): person for person in people}.values())
