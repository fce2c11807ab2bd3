"""Channel names: legal at Slack whatever GitHub calls things."""

import re
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.naming import channel_names
from integrations.github.api import PullRequestRef

LEGAL = re.compile(r"[a-z0-9_-]{1,80}")

refs = st.builds(
    PullRequestRef,
    host=st.just("github.com"),
    owner=st.just("acme"),
    repo=st.text(min_size=1, max_size=120),
    number=st.integers(min_value=1, max_value=10**12),
    repository_id=st.just(7),
)


def names(repo: str, number: int, title: str, how_many: int = 1) -> list[str]:
    return list(islice(channel_names(PullRequestRef("github.com", "acme", repo, number, 7), title), how_many))


@pytest.mark.parametrize(
    ("repo", "number", "title", "name"),
    [
        ("api", 42, "Add a cache", "pr-api-42-add-a-cache"),
        ("Web.Site", 1, "  Fix: THE <bug>!  ", "pr-web-site-1-fix-the-bug"),
        ("api", 42, "修复错误", "pr-api-42"),
        ("api", 42, "", "pr-api-42"),
        ("api", 42, "---", "pr-api-42"),
        ("api", 42, "Café über_all", "pr-api-42-cafe-uber_all"),
        (".", 42, "Fix", "pr-42-fix"),
        ("api", 42, "x" * 200, "pr-api-42-" + "x" * 70),
        ("r" * 100, 123456, "Fix it", "pr-" + "r" * 40 + "-123456-fix-it"),
        ("api", 42, "a" * 69 + " b", "pr-api-42-" + "a" * 69),
    ],
)
def test_a_channel_is_named_after_repository_number_and_title(repo: str, number: int, title: str, name: str) -> None:
    assert names(repo, number, title) == [name]


def test_taken_names_are_followed_by_numbered_ones() -> None:
    assert names("api", 42, "Fix", 3) == ["pr-api-42-fix", "pr-api-42-fix-2", "pr-api-42-fix-3"]


def test_a_numbered_name_is_cut_before_its_number() -> None:
    assert names("api", 42, "x" * 200, 2)[1] == "pr-api-42-" + "x" * 68 + "-2"


@settings(deadline=None)
@given(ref=refs, title=st.text(max_size=300))
def test_every_name_is_legal_distinct_and_holds_the_whole_number(ref: PullRequestRef, title: str) -> None:
    found = list(islice(channel_names(ref, title), 12))
    assert all(LEGAL.fullmatch(name) for name in found)
    assert all(re.search(rf"-{ref.number}(-|$)", name) for name in found)
    assert len(set(found)) == len(found)
