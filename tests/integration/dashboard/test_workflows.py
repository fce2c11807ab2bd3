"""The list of workflows: what it shows, what it finds, and how it goes on."""

import re
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import unquote

import pytest

from durable.testing import advance
from tests.integration.api.programs import approval, broken, delivery, echo
from tests.integration.dashboard.conftest import House


@pytest.fixture(autouse=True)
def _mended() -> None:
    broken.clear()


def fill(house: House) -> None:
    """Two that wait, one that failed, two that are done, a day between the first and the others."""
    house.client.start(approval, "a", workflow_id="approval:1")
    house.worker.run_until_idle()
    advance(house.database, timedelta(days=1))
    house.client.start(approval, "b", workflow_id="approval:2")
    house.client.start(echo, 1, workflow_id="echo:1")
    broken.append("no parcel today")
    house.client.start(delivery, "fragile", workflow_id="delivery:1")
    house.worker.run_until_idle()
    broken.clear()
    house.client.start(delivery, {"token": "abc", "to": "Ada"}, workflow_id="delivery:2")
    house.worker.run_until_idle()


def shown(page: str) -> Sequence[str]:
    """The ids in the list, from above."""
    return [unquote(found) for found in re.findall(r'<a class="main" href="/workflows/([^"]*)"', page)]


def test_nobody_sees_the_list_without_signing_in(house: House) -> None:
    assert house.anonymous.get("/workflows").status_code == 401


def test_the_first_run_says_how_to_begin_one(house: House) -> None:
    page = house.page("/workflows")
    for word in ("No workflow has begun yet", "python -m bot workflow run", "/definitions"):
        assert word in page
    assert "<table" not in page


def test_the_list_says_of_each_how_it_stands_the_newest_first(house: House) -> None:
    fill(house)
    page = house.page("/workflows")
    assert shown(page) == ["delivery:2", "delivery:1", "echo:1", "approval:2", "approval:1"]
    assert 'class="state failed"' in page
    assert "data-until" in page
    assert "delivering: fragile" in page
    assert '<dd><a href="/workflows?state=failed">1</a></dd>' in page
    assert "abc" not in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=failed", ["delivery:1"]),
        ("state=failed&state=completed", ["delivery:2", "delivery:1", "echo:1"]),
        ("name=echo", ["echo:1"]),
        ("name=unheard+of", []),
        ("prefix=approval", ["approval:2", "approval:1"]),
        ("prefix=appr&state=completed", []),
        ("status=delivering.to+%3D+Ada", ["delivery:2"]),
        ("status=status.delivering.to%3D%22Ada%22", ["delivery:2"]),
        ("status=delivering+%3D+fragile", ["delivery:1"]),
        ("status=delivering+%3D+fragile&state=completed", []),
        ("prefix=%00&name=%00", ["delivery:2", "delivery:1", "echo:1", "approval:2", "approval:1"]),
    ],
)
def test_a_filter_finds_what_it_says(house: House, query: str, expected: list[str]) -> None:
    fill(house)
    page = house.page(f"/workflows?{query}")
    assert shown(page) == expected
    assert ("No workflow fits" in page) is (not expected)


def test_what_began_in_a_time_is_found(house: House) -> None:
    fill(house)
    noon = f"{house.now() - timedelta(hours=12):%Y-%m-%dT%H:%M}"
    assert shown(house.page(f"/workflows?to={noon}")) == ["approval:1"]
    assert len(shown(house.page(f"/workflows?from={noon}"))) == 4
    assert shown(house.page(f"/workflows?from={noon}&to={noon}")) == []


def test_the_form_keeps_what_was_asked_for(house: House) -> None:
    fill(house)
    page = house.page("/workflows?state=failed&name=delivery&prefix=del&status=a+%3D+%22%3Cb%3E&from=2026-01-01T00:00")
    assert 'value="failed" checked' in page
    assert 'name="name" list="names" value="delivery"' in page
    assert 'name="prefix" value="del"' in page
    assert "a = &#34;&lt;b&gt;" in page
    assert 'value="2026-01-01T00:00"' in page
    assert '<option value="approval">' in page


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("from=tomorrow", "is no time"),
        ("state=finished", "There is no such state"),
        ("status=turn", "key.key = value"),
        ("after=nonsense", "There is no such page"),
    ],
)
def test_what_cannot_be_understood_is_told_and_left_out(house: House, query: str, told: str) -> None:
    fill(house)
    page = house.page(f"/workflows?{query}")
    assert told in page
    assert len(shown(page)) == 5


def test_a_long_list_is_turned_page_by_page_with_its_filter(house: House) -> None:
    for number in range(120):
        house.client.start(echo, number, workflow_id=f"echo:{number}")
    house.client.start(approval, "x", workflow_id="approval:1")
    address, seen = "/workflows?prefix=echo&name=echo", list[str]()
    for expected in (50, 50, 20):
        page = house.page(address)
        assert len(shown(page)) == expected
        seen += shown(page)
        following = re.search(r'href="([^"]*)" rel="next"', page)
        address = following[1].replace("&amp;", "&") if following else ""
    assert address == ""
    assert seen == [f"echo:{number}" for number in reversed(range(120))]
    assert 'href="/workflows?name=echo&amp;prefix=echo">First page' in page


def test_ids_from_elsewhere_are_only_words_and_their_links_lead_to_them(house: House) -> None:
    for hostile in ('"><script>alert(1)</script>'.replace("/", "!"), "a b%2Fc&d=e", "<!--]-->", "ünïçode"):
        house.client.start(echo, {"<b>": "</td>"}, workflow_id=hostile)
        page = house.page("/workflows")
        assert "<script>" not in page
        assert hostile in shown(page)
        [link] = re.findall(r'<a class="main" href="([^"]*)"', page)[:1]
        assert house.viewer.get(link).status_code == 200


def test_the_list_stays_live(house: House) -> None:
    fill(house)
    with house.viewer.stream("GET", "/workflows", headers={"Accept": "text/event-stream"}) as events:
        lines = (line for line in events.iter_lines() if line.startswith("data:"))
        assert "approval:2" in next(lines)
        house.client.signal("approval:2", "Approval", payload=True, key="1")
        house.worker.run_until_idle()
        assert "completed" in next(lines)
