"""GitHub's JSON, from a delivery or from its REST interface, turned into our own words; it trusts no field's type.

Field names and shapes: the recorded deliveries of npm `@octokit/webhooks-examples` and
https://docs.github.com/en/rest/pulls.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from integrations.github.api import Person, PullRequest, PullRequestRef, Review, ReviewState

# PostgreSQL's text and jsonb hold neither NUL nor half a surrogate pair; JSON may carry both, escaped.
_UNSTORABLE = {0: "\N{REPLACEMENT CHARACTER}"} | dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")

_REVIEW_STATES: Mapping[str, ReviewState] = {state: state for state in get_args(ReviewState)}


class MalformedPayload(ValueError):
    """A field is missing or of the wrong type; the message names it by its path."""


def text(owner: Mapping[str, Any], field: str) -> str:
    """A string that must be there, fit to be stored."""
    value = owner.get(field)
    if not isinstance(value, str):
        raise MalformedPayload(f"{field} should be text and is {_kind(value)}")
    return value.translate(_UNSTORABLE)


def table(owner: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """An object that must be there."""
    value = owner.get(field)
    if not isinstance(value, dict):
        raise MalformedPayload(f"{field} should be an object and is {_kind(value)}")
    return value


def host_of(address: str) -> str:
    """The host of a web address, lower case and without its port: `github.com` or the host of an Enterprise Server."""
    try:
        host = urlsplit(address).hostname
    except ValueError:
        host = None
    if not host:
        raise MalformedPayload(f"{address!r} is no web address: it names no host")
    return host


def person(value: object) -> Person | None:
    """Who did it. None for a deleted account, which GitHub shows as null or as the stand-in user "ghost"."""
    if not isinstance(value, dict):
        return None
    login = value.get("login")
    if not isinstance(login, str) or login in ("", "ghost"):
        return None
    return Person(text(value, "login"), is_bot=value.get("type") == "Bot" or login.endswith("[bot]"))


def people(value: object) -> tuple[Person, ...]:
    """Everybody in a list who still has an account. A missing list is an empty one."""
    found = (person(item) for item in _list(value))
    return tuple(somebody for somebody in found if somebody is not None)


def team(value: object) -> str | None:
    """A team's slug, as in `@organisation/slug`."""
    if not isinstance(value, dict):
        return None
    field = "slug" if isinstance(value.get("slug"), str) else "name"
    return text(value, field) if isinstance(value.get(field), str) else None


def review(data: Mapping[str, Any]) -> Review:
    """One review. Its state is lower case in deliveries and UPPER CASE in REST; one we do not know moves nobody's
    turn and so counts as a comment."""
    submitted_at = data.get("submitted_at")
    commit = data.get("commit_id")
    return Review(
        author=person(data.get("user")),
        state=_REVIEW_STATES.get(text(data, "state").lower(), "commented"),
        submitted_at=None if submitted_at is None else _moment(data, "submitted_at"),
        commit_id=commit if isinstance(commit, str) else None,
    )


def pull_request(data: Mapping[str, Any], reviews: tuple[Review, ...] | None = None) -> PullRequest:
    """A pull request. Review deliveries carry a shorter form of it, without `merged`, sizes and head repository."""
    head, base = table(data, "head"), table(data, "base")
    repository = table(base, "repo")
    return PullRequest(
        ref=_ref(repository, _number(data, "number")),
        title=text(data, "title"),
        url=text(data, "html_url"),
        author=person(data.get("user")),
        state=_state(data),
        merged=bool(data.get("merged")) or data.get("merged_at") is not None,
        draft=data.get("draft") is True,
        private=repository.get("private") is True,
        created_at=_moment(data, "created_at"),
        updated_at=_moment(data, "updated_at"),
        head_ref=text(head, "ref"),
        head_sha=text(head, "sha"),
        base_ref=text(base, "ref"),
        reviewers=people(data.get("requested_reviewers")),
        teams=tuple(slug for slug in map(team, _list(data.get("requested_teams"))) if slug is not None),
        assignees=people(data.get("assignees")),
        labels=tuple(text(label, "name") for label in _list(data.get("labels")) if isinstance(label, dict)),
        reviews=reviews,
        additions=_count(data, "additions"),
        deletions=_count(data, "deletions"),
        changed_files=_count(data, "changed_files"),
    )


def _ref(repository: Mapping[str, Any], number: int) -> PullRequestRef:
    owner, _, name = text(repository, "full_name").partition("/")
    if not owner or not name:
        raise MalformedPayload(f"full_name should be owner/name and is {repository['full_name']!r}")
    return PullRequestRef(
        host=host_of(text(repository, "html_url")),
        owner=owner,
        repo=name,
        number=number,
        repository_id=_number(repository, "id"),
    )


def _state(data: Mapping[str, Any]) -> Literal["open", "closed"]:
    match text(data, "state"):
        case "open":
            return "open"
        case "closed":
            return "closed"
        case other:
            raise MalformedPayload(f"state should be open or closed and is {other!r}")


def _number(owner: Mapping[str, Any], field: str) -> int:
    value = owner.get(field)
    # Eight bytes are what a bigint column holds.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**63:
        raise MalformedPayload(f"{field} should be a positive whole number and is {_kind(value)}")
    return value


def _count(owner: Mapping[str, Any], field: str) -> int | None:
    value = owner.get(field)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _moment(owner: Mapping[str, Any], field: str) -> datetime:
    written = text(owner, field)
    try:
        moment = datetime.fromisoformat(written)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedPayload(f"{field} should be a time in ISO 8601 and is {written!r}") from error


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _kind(value: object) -> str:
    return "missing" if value is None else type(value).__name__
