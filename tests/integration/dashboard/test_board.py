"""The board of pull requests, as people see it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers.asks import Ask
from tests.integration.dashboard.conftest import House
from tests.support.boards import put, snoozed, watch_of

HOUR = timedelta(hours=1)


def fill(house: House, *numbers: int, **changes: Any) -> None:
    """Let pull requests of these numbers be watched."""
    put(house.database, *(watch_of(number, house.now(), **changes) for number in numbers))
    house.worker.run_until_idle()


def order(page: str) -> list[str]:
    """The references on the board, from above."""
    return [
        part.partition("<")[0] for part in page.split('<a class="main" href="')[1:] for part in [part.split(">")[1]]
    ]


def test_nobody_sees_the_board_without_signing_in(house: House) -> None:
    assert house.anonymous.get("/").status_code == 401


def test_the_first_run_says_what_to_do_next(house: House) -> None:
    page = house.page("/")
    for step in ("python -m bot doctor", "python -m bot manifest slack", "/github/webhook", "GITHUB_WEBHOOK_SECRET"):
        assert step in page
    assert "<table" not in page


def test_a_row_says_how_a_pull_request_stands(house: House) -> None:
    fill(house, 5)
    page = house.page("/")
    assert order(page) == ["acme/api#5"]
    for word in (
        'href="/pulls/github.com/acme/api/5"',
        "Add a cache, part 5",
        "by ada",
        "waits for review",
        "review requested",
        "https://slack.com/app_redirect?channel=C00000005",
        "pr-api-5-add-a-cache",
        "data-until",
    ):
        assert word in page


def test_what_stands_still_comes_first_then_whoever_waits_longest(house: House) -> None:
    fill(house, 1, 2, 3)
    house.management.operator.suspend("pr:github.com:acme:api:2", "somebody looks into it")
    page = house.page("/")
    assert order(page) == ["acme/api#2", "acme/api#3", "acme/api#1"]
    assert "paused by an operator: somebody looks into it" in page
    assert '<div class="figure bad"><dt>in trouble</dt><dd>1</dd>' in page


def test_a_watch_that_failed_or_is_gone_is_in_trouble_and_one_that_ended_is_not_there(house: House) -> None:
    fill(house, 1, 2)
    house.client.terminate("pr:github.com:acme:api:1", "an experiment")
    fill(house, 3, phase="ended", outcome="merged")
    page = house.page("/")
    assert order(page) == ["acme/api#1", "acme/api#2"]
    assert "was ended by an operator: an experiment" in page


def test_drafts_and_the_snoozed_are_told_apart(house: House) -> None:
    draft = watch_of(1, house.now())
    put(house.database, replace(draft, pull_request=replace(draft.pull_request, draft=True)))
    fill(house, 2, **snoozed(house.now()))
    page = house.page("/")
    assert "draft: nobody is reminded" in page
    assert '<span class="state quiet">snoozed</span>' in page
    assert order(house.page("/?stands=snoozed")) == ["acme/api#2"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["acme/api#3", "acme/web#2", "acme/api#1"]),
        ("?q=part+2", ["acme/web#2"]),
        ("?q=API%231", ["acme/api#1"]),
        ("?q=GRACE", ["acme/api#1"]),
        ("?repository=acme/web", ["acme/web#2"]),
        ("?stands=author", ["acme/api#3", "acme/api#1"]),
        ("?stands=review&q=web", ["acme/web#2"]),
        ("?order=name", ["acme/api#1", "acme/api#3", "acme/web#2"]),
        ("?order=reminder", ["acme/api#1", "acme/web#2", "acme/api#3"]),
        ("?order=waiting", ["acme/api#3", "acme/web#2", "acme/api#1"]),
        ("?order=odd&stands=", ["acme/api#3", "acme/web#2", "acme/api#1"]),
    ],
)
def test_the_board_is_filtered_and_put_in_order(house: House, query: str, found: list[str]) -> None:
    fill(house, 1, 3)
    fill(house, 2, repository="acme/web")
    assert order(house.page(f"/{query}")) == found


def test_filters_that_nothing_matches_say_so(house: House) -> None:
    fill(house, 1)
    page = house.page("/?q=nothing+like+it")
    assert "Nothing here is like that" in page
    assert "python -m bot doctor" not in page


def test_when_all_has_ended_the_board_says_so(house: House) -> None:
    fill(house, 1, phase="ended", outcome="merged")
    assert "Nothing is open" in house.page("/")


def test_what_comes_from_outside_is_text_and_no_address_is_a_script(house: House) -> None:
    hostile = watch_of(1, house.now(), channel_id='C1"><script>', channel_name="<b>")
    evil = replace(hostile.pull_request, title="<script>alert(1)</script>", url="javascript:alert(1)")
    put(house.database, replace(hostile, pull_request=evil))
    house.worker.run_until_idle()
    page = house.page("/?q=<script>")
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>" not in page
    assert "javascript:" not in page
    assert "app_redirect" not in page


def test_while_the_page_is_open_only_the_rows_that_changed_are_sent(house: House) -> None:
    fill(house, *range(1, 21))
    with changes_of(house, "/?order=name") as changes:
        assert set(next(changes)) == {"main"}
        house.client.signal("pr:github.com:acme:api:7", "snooze", Ask("zoe", house.now() + HOUR), key="1")
        house.worker.run_until_idle()
        assert set(next(changes)) == {"figures", "pr:github.com:acme:api:7"}


@contextmanager
def changes_of(house: House, path: str) -> Iterator[Iterator[dict[str, str]]]:
    """What is sent while the page is open."""
    with house.viewer.stream("GET", path, headers={"Accept": "text/event-stream"}) as response:
        yield (json.loads(line.removeprefix("data: ")) for line in response.iter_lines() if line.startswith("data: "))
