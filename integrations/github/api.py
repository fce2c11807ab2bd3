"""The words of GitHub that the rest of Vigil speaks: frozen, typed, and free of any client library."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

ReviewState = Literal["approved", "changes_requested", "commented", "dismissed", "pending"]


@dataclass(frozen=True)
class Person:
    """Somebody on GitHub, by login. A deleted account ("ghost") is absent (`None`), never an empty login."""

    login: str
    is_bot: bool = False


@dataclass(frozen=True)
class PullRequestRef:
    """Which pull request: where it lives and its number. `repository_id` survives a rename or transfer."""

    host: str
    owner: str
    repo: str
    number: int
    repository_id: int

    @property
    def workflow_id(self) -> str:
        """The id of the workflow that watches it, e.g. `pr:github.com:acme:api:42` (lower case)."""
        return f"pr:{self.host}:{self.owner}:{self.repo}:{self.number}".lower()

    def __str__(self) -> str:
        """As people write it: `acme/api#42`."""
        return f"{self.owner}/{self.repo}#{self.number}"


@dataclass(frozen=True)
class Review:
    """One submitted review. `author` is None for a deleted account."""

    author: Person | None
    state: ReviewState
    submitted_at: datetime | None
    commit_id: str | None = None


@dataclass(frozen=True)
class PullRequest:
    """A pull request as seen at `updated_at`. Deliveries carry no reviews: there `reviews` is None."""

    ref: PullRequestRef
    title: str
    url: str
    author: Person | None
    state: Literal["open", "closed"]
    merged: bool
    draft: bool
    private: bool
    created_at: datetime
    updated_at: datetime
    head_ref: str
    head_sha: str
    base_ref: str
    reviewers: tuple[Person, ...] = ()
    teams: tuple[str, ...] = ()
    assignees: tuple[Person, ...] = ()
    labels: tuple[str, ...] = ()
    reviews: tuple[Review, ...] | None = None
    additions: int | None = None
    deletions: int | None = None
    changed_files: int | None = None


@dataclass(frozen=True)
class PullRequestEvent:
    """A `pull_request` delivery. `action` is GitHub's word, known to us or not."""

    delivery_id: str
    action: str
    pull_request: PullRequest
    sender: Person | None
    requested_reviewer: Person | None = None
    requested_team: str | None = None


@dataclass(frozen=True)
class ReviewEvent:
    """A `pull_request_review` delivery (submitted, edited, dismissed)."""

    delivery_id: str
    action: str
    pull_request: PullRequest
    review: Review
    sender: Person | None


@dataclass(frozen=True)
class UnusedEvent:
    """A delivery that is well formed and of no use to us. `reason` says why, for the log."""

    delivery_id: str
    event: str
    action: str | None
    reason: str


GitHubEvent = PullRequestEvent | ReviewEvent | UnusedEvent


@dataclass(frozen=True)
class Identity:
    """Who the token is, and its scopes where GitHub names them (classic tokens only)."""

    login: str
    scopes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Account:
    """Whose account somebody signed in with."""

    login: str
    name: str = ""


class GitHubError(Exception):
    """Root of what can go wrong between us and GitHub."""


class NotFound(GitHubError):
    """GitHub says 404 or 410: it is not there, or not for this token."""


class Unauthorized(GitHubError):
    """401: the token is wrong or was revoked. Nothing works until somebody mends it."""


class Forbidden(GitHubError):
    """403 or 451 without a rate limit: this token may not do this."""


class RateLimited(GitHubError):
    """A primary or secondary rate limit: come back after `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(GitHubError):
    """5xx, a broken or missing answer, no connection: worth another try. All our calls are reads."""


class GitHub(Protocol):
    """What Vigil asks of GitHub. Every method raises only `GitHubError`s, sleeps never and repeats nothing."""

    def read_pull_request(self, ref: PullRequestRef) -> PullRequest:
        """The pull request with its reviews as of now. Found by repository id after a rename (see `ref`)."""
        ...

    def open_pull_requests(self, owner: str, repo: str) -> tuple[PullRequest, ...]:
        """Those of a repository that are open, the newest first, without their reviews; to the last page."""
        ...

    def public_email(self, login: str) -> str | None:
        """The e-mail address this person shows in public, or None."""
        ...

    def identity(self) -> Identity:
        """Who we are; raises `Unauthorized` for a dead token. Costs one request."""
        ...
