"""Whose turn it is, as a table of sentences."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from handlers.turns import Reason, Turn, turn_of
from integrations.github.api import Person, PullRequest, PullRequestRef, Review, ReviewState

ANN, BEN, EVE, ZOE = (Person(login) for login in ("ann", "ben", "eve", "zoe"))
ROBOT = Person("dependabot[bot]", is_bot=True)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
OLD, HEAD = "0" * 40, "f" * 40

OPEN = PullRequest(
    ref=PullRequestRef("github.com", "acme", "api", 42, 7),
    title="Add a cache",
    url="https://github.com/acme/api/pull/42",
    author=ANN,
    state="open",
    merged=False,
    draft=False,
    private=False,
    created_at=NOON,
    updated_at=NOON,
    head_ref="cache",
    head_sha=HEAD,
    base_ref="main",
    reviews=(),
)


def said(person: Person | None, state: ReviewState, hour: int = 1, commit: str | None = HEAD) -> Review:
    return Review(person, state, NOON + timedelta(hours=hour), commit)


def given(
    *,
    asked: Sequence[Person] = (),
    teams: tuple[str, ...] = (),
    reviews: Sequence[Review] = (),
    author: Person | None = ANN,
    assignees: Sequence[Person] = (),
) -> PullRequest:
    return replace(
        OPEN, reviewers=tuple(asked), teams=teams, reviews=tuple(reviews), author=author, assignees=tuple(assignees)
    )


SENTENCES: list[tuple[str, PullRequest, Sequence[Person], Reason]] = [
    ("nobody was asked: the author asks somebody", given(), [ANN], "nobody_asked"),
    ("reviewers were asked: theirs", given(asked=[BEN, EVE]), [BEN, EVE], "review_requested"),
    ("a person asked twice is named once", given(asked=[BEN, Person("BEN")]), [Person("BEN")], "review_requested"),
    ("a bot that was asked is never named", given(asked=[ROBOT]), [ANN], "nobody_asked"),
    ("a bot beside a person leaves the person", given(asked=[ROBOT, BEN]), [BEN], "review_requested"),
    ("the author cannot be asked to review", given(asked=[ANN]), [ANN], "nobody_asked"),
    ("a team was asked: nobody by name", given(teams=("acme/core",)), [], "review_requested"),
    ("approved by all: the author merges", given(reviews=[said(BEN, "approved")]), [ANN], "approved"),
    (
        "one approved, one still asked: the one asked",
        given(asked=[EVE], reviews=[said(BEN, "approved")]),
        [EVE],
        "review_requested",
    ),
    (
        "changes requested, nothing pushed: the author's",
        given(reviews=[said(BEN, "changes_requested")]),
        [ANN],
        "changes_requested",
    ),
    (
        "changes requested while somebody else is still asked: the author's",
        given(asked=[EVE], reviews=[said(BEN, "changes_requested")]),
        [ANN],
        "changes_requested",
    ),
    (
        "changes requested, then a push: back to that reviewer",
        given(reviews=[said(BEN, "changes_requested", commit=OLD)]),
        [BEN],
        "pushed",
    ),
    (
        "changes requested, then a push, and somebody still asked: both",
        given(asked=[EVE], reviews=[said(BEN, "changes_requested", commit=OLD)]),
        [EVE, BEN],
        "review_requested",
    ),
    (
        "two asked for changes and a push answered one of them: the author's",
        given(reviews=[said(BEN, "changes_requested", commit=OLD), said(EVE, "changes_requested")]),
        [ANN],
        "changes_requested",
    ),
    (
        "changes requested, then asked again: the reviewer's although nothing was pushed",
        given(asked=[BEN], reviews=[said(BEN, "changes_requested")]),
        [BEN],
        "review_requested",
    ),
    (
        "changes requested at an unknown commit count as standing",
        given(reviews=[said(BEN, "changes_requested", commit=None)]),
        [ANN],
        "changes_requested",
    ),
    (
        "a comment after an approval leaves the approval",
        given(reviews=[said(BEN, "approved"), said(BEN, "commented", hour=2)]),
        [ANN],
        "approved",
    ),
    (
        "a comment after requested changes leaves them requested",
        given(reviews=[said(BEN, "changes_requested"), said(BEN, "commented", hour=2)]),
        [ANN],
        "changes_requested",
    ),
    (
        "an approval after requested changes settles them",
        given(reviews=[said(BEN, "changes_requested"), said(BEN, "approved", hour=2)]),
        [ANN],
        "approved",
    ),
    (
        "the latest review counts by its time, not by its place in the list",
        given(reviews=[said(BEN, "approved", hour=2), said(BEN, "changes_requested", hour=1)]),
        [ANN],
        "approved",
    ),
    (
        "dismissed changes are gone: ask for a review",
        given(reviews=[said(BEN, "dismissed")]),
        [ANN],
        "nobody_asked",
    ),
    (
        "a dismissed approval is no approval",
        given(reviews=[said(BEN, "approved"), said(BEN, "dismissed", hour=2)]),
        [ANN],
        "nobody_asked",
    ),
    ("only comments: the author answers", given(reviews=[said(BEN, "commented")]), [ANN], "commented"),
    (
        "the author's own comments are no review",
        given(reviews=[said(ANN, "commented")]),
        [ANN],
        "nobody_asked",
    ),
    ("a bot's approval is no approval", given(reviews=[said(ROBOT, "approved")]), [ANN], "nobody_asked"),
    (
        "a deleted account's review counts for nobody",
        given(reviews=[said(None, "changes_requested", commit=OLD)]),
        [ANN],
        "nobody_asked",
    ),
    ("a bot's pull request is its assignees'", given(author=ROBOT, assignees=[ZOE, ROBOT]), [ZOE], "nobody_asked"),
    ("a bot's pull request without assignees is nobody's", given(author=ROBOT), [], "nobody_asked"),
    ("a deleted author's pull request is its assignees'", given(author=None, assignees=[ZOE]), [ZOE], "nobody_asked"),
    ("a draft is the author's", replace(given(asked=[BEN]), draft=True), [ANN], "draft"),
    ("a closed one is nobody's", replace(given(asked=[BEN]), state="closed"), [], "closed"),
    (
        "reviews that were never read count as none",
        replace(given(asked=[BEN]), reviews=None),
        [BEN],
        "review_requested",
    ),
]


@pytest.mark.parametrize(
    ("pull_request", "who", "reason"),
    [pytest.param(*row[1:], id=row[0]) for row in SENTENCES],
)
def test_the_turn_follows_the_table(pull_request: PullRequest, who: Sequence[Person], reason: Reason) -> None:
    assert turn_of(pull_request) == Turn(tuple(who), pull_request.teams if reason == "review_requested" else (), reason)
