"""Deliveries: what is trusted, what they become, and what is survived."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.demo.standins import ensure_installed
from integrations.github.api import Person, PullRequestEvent, ReviewEvent, UnusedEvent
from integrations.github.webhook import MalformedDelivery, is_used, parse, unwrap_form, verify_signature
from tests.support.recorded import EXPECTED_COUNT, recorded_deliveries

DELIVERIES = Path(__file__).parent.parent / "data" / "deliveries"

# GitHub's published test vector: docs.github.com, "Validating webhook deliveries".
SECRET = "It's a Secret to Everybody"
BODY = b"Hello, World!"
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def delivery(name: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads((DELIVERIES / f"{name}.json").read_text())
    return payload


def parsed(name: str, payload: dict[str, Any] | None = None) -> PullRequestEvent | ReviewEvent:
    event = parse(name.partition(".")[0], "guid", json.dumps(payload or delivery(name)).encode())
    assert isinstance(event, PullRequestEvent | ReviewEvent)
    return event


def test_the_published_signature_is_accepted() -> None:
    assert verify_signature(SECRET, BODY, SIGNATURE)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        SIGNATURE.removeprefix("sha256="),
        SIGNATURE.replace("sha256", "sha1"),
        SIGNATURE[:-1],
        SIGNATURE.upper(),
        SIGNATURE + "0",
        "sha256=é" + SIGNATURE[8:],
        "sha256=\udcff",
        "sha1=f7bc83f430538424b13298e6aa6fb143ef4d59a1",
    ],
)
def test_any_other_signature_is_refused_without_raising(header: str | None) -> None:
    assert not verify_signature(SECRET, BODY, header)


@given(st.binary(max_size=50), st.text(max_size=80))
def test_junk_never_raises_and_never_passes(body: bytes, header: str) -> None:
    assert not verify_signature(SECRET, body, header)
    assert not verify_signature(SECRET, body, "sha256=" + header)


def test_another_body_or_secret_or_none_is_refused() -> None:
    assert not verify_signature(SECRET, BODY + b"\n", SIGNATURE)
    assert not verify_signature("another", BODY, SIGNATURE)
    assert not verify_signature("", b"", "sha256=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")


def test_every_recorded_delivery_becomes_a_typed_event() -> None:
    recorded = recorded_deliveries()
    events = [parse(event, "guid", json.dumps(payload).encode()) for event, payload in recorded]
    assert len(events) == EXPECTED_COUNT
    assert sum(isinstance(event, PullRequestEvent) for event in events) == 29
    assert sum(isinstance(event, ReviewEvent) for event in events) == 4
    assert {name for (name, _), event in zip(recorded, events, strict=True) if not isinstance(event, UnusedEvent)} == {
        name for name, _ in recorded if is_used(name)
    }


def test_every_delivery_recorded_from_enterprise_servers_becomes_a_typed_event() -> None:
    hosts: set[str] = set()
    for index in (ensure_installed() / "@octokit" / "webhooks-examples").glob("ghes-*/index.json"):
        for event in json.loads(index.read_text()):
            for payload in event["examples"]:
                typed = parse(event["name"], "guid", json.dumps(payload).encode())
                if not isinstance(typed, UnusedEvent):
                    hosts.add(typed.pull_request.ref.host)
    assert hosts == {"octocoders.github.io"}


def test_a_recorded_pull_request_is_read_in_full() -> None:
    [payload] = [
        payload
        for event, payload in recorded_deliveries()
        if event == "pull_request" and payload["action"] == "review_requested"
    ]
    event = parse("pull_request", "guid-1", json.dumps(payload).encode())
    assert isinstance(event, PullRequestEvent)
    assert (event.delivery_id, event.action) == ("guid-1", "review_requested")
    assert event.requested_reviewer == Person("octocat")
    pull_request = event.pull_request
    assert pull_request.ref.workflow_id == "pr:github.com:codertocat:hello-world:2"
    assert pull_request.ref.repository_id == 186853002
    assert pull_request.url == "https://github.com/Codertocat/Hello-World/pull/2"
    assert pull_request.created_at.isoformat() == "2019-05-15T15:20:33+00:00"
    assert (pull_request.additions, pull_request.deletions, pull_request.changed_files) == (1, 1, 1)
    assert (pull_request.head_ref, pull_request.base_ref) == ("changes", "master")
    assert pull_request.reviews is None


def test_a_merge_is_told_from_a_close() -> None:
    assert (parsed("pull_request.merged").pull_request.state, parsed("pull_request.merged").pull_request.merged) == (
        "closed",
        True,
    )


def test_a_review_delivery_shows_the_merge_by_its_time_alone() -> None:
    assert parsed("pull_request_review.of_merged").pull_request.merged


def test_a_pull_request_from_a_deleted_fork_is_read() -> None:
    pull_request = parsed("pull_request.fork_deleted").pull_request
    assert (pull_request.head_ref, pull_request.ref.owner) == ("changes", "Codertocat")


def test_deleted_accounts_are_absent() -> None:
    pull_request = parsed("pull_request.ghost_author").pull_request
    assert pull_request.author is None
    assert pull_request.reviewers == (Person("octocat"),)


def test_bots_are_known_as_such() -> None:
    event = parsed("pull_request.bot_author")
    assert event.pull_request.author == event.sender == Person("dependabot[bot]", is_bot=True)
    assert event.pull_request.labels == ("dependencies",)


def test_a_requested_team_is_its_slug() -> None:
    event = parsed("pull_request.team_requested")
    assert isinstance(event, PullRequestEvent)
    assert (event.requested_team, event.requested_reviewer) == ("core-team", None)
    assert event.pull_request.teams == ("core-team",)


@pytest.mark.parametrize("state", ["approved", "changes_requested"])
def test_a_review_is_read_in_either_case(state: str) -> None:
    payload = delivery(f"pull_request_review.{state}")
    for spelling in (state, state.upper()):
        payload["review"]["state"] = spelling
        event = parsed("pull_request_review", payload)
        assert isinstance(event, ReviewEvent)
        assert (event.review.state, event.review.author) == (state, Person("octocat"))


def test_a_review_state_nobody_knows_yet_counts_as_a_comment() -> None:
    payload = delivery("pull_request_review.approved")
    payload["review"]["state"] = "pondered"
    event = parsed("pull_request_review", payload)
    assert isinstance(event, ReviewEvent)
    assert event.review.state == "commented"


def test_an_action_nobody_knows_yet_comes_through() -> None:
    event = parsed("pull_request", delivery("pull_request.merged") | {"action": "teleported"})
    assert event.action == "teleported"


def test_a_delivery_without_number_organisation_and_reviewer_is_read() -> None:
    payload = delivery("pull_request.team_requested")
    del payload["number"], payload["requested_team"], payload["repository"]
    event = parsed("pull_request", payload)
    assert event.pull_request.ref.number == 2


def test_the_host_is_that_of_the_repository() -> None:
    payload = delivery("pull_request.merged")
    payload["pull_request"]["base"]["repo"]["html_url"] = "https://GitHub.Example.com:8443/Codertocat/Hello-World"
    assert parsed("pull_request", payload).pull_request.ref.host == "github.example.com"


def test_text_postgresql_cannot_hold_is_replaced() -> None:
    payload = delivery("pull_request.merged")
    payload["pull_request"]["title"] = "nul \0, half a pair \ud83d, whole \N{EYES}"
    assert parsed("pull_request", payload).pull_request.title == "nul �, half a pair �, whole \N{EYES}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe\xff",
        b"payload=%7B%7D",
        b"[" * 100_000,
        b"[]",
        b"null",
        b"{}",
        b'{"action": "opened"}',
        b'{"action": "opened", "pull_request": []}',
        b'{"action": 7, "pull_request": {}}',
    ],
)
@pytest.mark.parametrize("event", ["pull_request", "pull_request_review"])
def test_what_is_no_delivery_is_refused(event: str, body: bytes) -> None:
    with pytest.raises(MalformedDelivery):
        parse(event, "guid", body)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", None),
        ("number", "2"),
        ("number", True),
        ("number", 0),
        ("number", 2**63),
        ("title", None),
        ("state", "ajar"),
        ("created_at", "yesterday"),
        ("updated_at", 1557933633),
        ("updated_at", "0001-01-01T00:00:00+14:00"),
        ("head", None),
        ("base", {"ref": "main", "repo": None}),
        ("base", {"ref": "main", "repo": {"full_name": "nameless", "id": 1, "html_url": "https://github.com/x"}}),
        ("base", {"ref": "main", "repo": {"full_name": "a/b", "id": 1, "html_url": "http://["}}),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(field: str, value: object) -> None:
    payload = delivery("pull_request.merged")
    payload["pull_request"][field] = value
    with pytest.raises(MalformedDelivery, match="delivery guid"):
        parse("pull_request", "guid", json.dumps(payload).encode())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(delivery("pull_request.merged")["pull_request"])), json_values)
def test_whatever_a_field_holds_it_is_read_or_refused(field: str, value: object) -> None:
    payload = delivery("pull_request.merged")
    payload["pull_request"][field] = value
    with suppress(MalformedDelivery):
        parse("pull_request", "guid", json.dumps(payload).encode())


def test_deliveries_nobody_needs_are_well_formed_and_unused() -> None:
    event = parse("star", "guid", b'{"action": "created"}')
    assert event == UnusedEvent("guid", "star", "created", "Vigil has no use for star deliveries")
    assert isinstance(parse("ping", "guid", b"[]"), UnusedEvent)
    with pytest.raises(MalformedDelivery):
        parse("ping", "guid", b"not JSON")


def test_only_pull_requests_and_their_reviews_are_used() -> None:
    assert [name for name in ("pull_request", "pull_request_review", "ping", "push", "") if is_used(name)] == [
        "pull_request",
        "pull_request_review",
    ]


def test_a_form_gives_back_its_json() -> None:
    text = '{"title": "é & \\u0000 = +"}'
    assert unwrap_form(urlencode({"payload": text}).encode()) == text.encode()


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"payload", b"other=1", b"payload=%ff", "payload=é".encode(), b"a=1&" * 50]
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedDelivery):
        unwrap_form(body)
