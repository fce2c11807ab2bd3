"""Every word people read: golden snapshots, Slack's limits, and nothing from outside that Slack would obey.

`VIGIL_WRITE_SNAPSHOTS=1 pytest …` writes the snapshots anew; read the difference before it is committed.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from handlers.messages import channel, digest, replies, text
from handlers.standings import Standing, Week
from handlers.turns import turn_of
from integrations.github.api import Person, PullRequest, PullRequestRef, Review
from integrations.slack.api import Message, Reply

SNAPSHOTS = Path(__file__).parents[2] / "data" / "messages"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PEOPLE = {"ann": "U0ANN", "ben": "U0BEN", "octocat": None}

PLAIN = PullRequest(
    ref=PullRequestRef("github.com", "acme", "api", 42, 7),
    title="Add a cache",
    url="https://github.com/acme/api/pull/42",
    author=Person("ann"),
    state="open",
    merged=False,
    draft=False,
    private=False,
    created_at=NOON,
    updated_at=NOON,
    head_ref="ann/cache",
    head_sha="f" * 40,
    base_ref="main",
    reviewers=(Person("ben"), Person("octocat")),
    teams=("acme/core",),
    assignees=(Person("ann"),),
    reviews=(),
    additions=120,
    deletions=3,
    changed_files=1,
)
HOSTILE = replace(
    PLAIN,
    title="<!channel> & <@U1> `rm`\n*bold* @here #general http://evil.example",
    head_ref="`<!here>`",
    author=None,
    reviewers=(Person("<!everyone>"),),
    teams=("<!subteam^S1>",),
    additions=None,
)
CHANGES = replace(PLAIN, reviews=(Review(Person("ben"), "changes_requested", NOON, "f" * 40),))
VIEW = replies.WatchView(
    reference="acme/api#42",
    title="Add a <cache>",
    url=PLAIN.url,
    phase="watching",
    channel_id="C0PR",
    turn="ben: a review is requested",
    waiting_since=NOON - timedelta(hours=3),
    reminders_sent=3,
    next_reminder_at=NOON + timedelta(minutes=20),
    notes=("bookmark: missing_scope",),
)
REPORT = replies.Health(
    counts={"waiting": 12, "parked": 3, "completed": 40, "failed": 0},
    workers_alive=2,
    workers_lost=1,
    lag_seconds=0.25,
    undispatched=4,
    failed_deliveries=1,
    gates=(replies.ClosedGate("slack", "invalid_auth: chat.postMessage", 3),),
    ended_early=(replace(VIEW, phase="ended", outcome="channel lost: is_archived"),),
    stuck=(replace(VIEW, trouble="paused: step 3: the history has <x>"),),
)

STANDING = Standing(
    reference="acme/api#42",
    title="Add a <cache>",
    url=PLAIN.url,
    who=("ben", "<!here>"),
    teams=("acme/core",),
    reason="review_requested",
    waiting_since=NOON - timedelta(days=3, hours=2),
    active_at=NOON - timedelta(days=9),
    channel_id="C0PR",
)
AUTHORS = replace(STANDING, reference="acme/web#7", title="", who=(), teams=(), reason="approved", channel_id=None)
WEEK = Week(
    NOON - timedelta(days=7), NOON, 12, 9, 1, 10, 4, timedelta(hours=30), timedelta(hours=2, minutes=5, seconds=9)
)

SAID: dict[str, Callable[[], Message | Reply]] = {
    "summary": lambda: channel.summary(PLAIN, turn_of(PLAIN), PEOPLE),
    "summary_hostile": lambda: channel.summary(HOSTILE, turn_of(HOSTILE), {}),
    "reminder_third": lambda: channel.reminder(PLAIN, turn_of(PLAIN), PEOPLE, 3, timedelta(hours=3, seconds=9)),
    "reminder_author": lambda: channel.reminder(CHANGES, turn_of(CHANGES), PEOPLE, 1, timedelta(hours=1)),
    "reminder_hostile": lambda: channel.reminder(HOSTILE, turn_of(HOSTILE), {}, 1, timedelta(hours=1)),
    "merged": lambda: channel.closed(replace(PLAIN, state="closed", merged=True), Person("octocat"), PEOPLE),
    "closed": lambda: channel.closed(replace(PLAIN, state="closed"), Person("ben"), PEOPLE),
    "closed_unseen": lambda: channel.closed(replace(PLAIN, state="closed"), None, PEOPLE),
    "gone": lambda: channel.gone(HOSTILE),
    "reopened": lambda: channel.reopened(PLAIN, turn_of(PLAIN), PEOPLE),
    "resumed": lambda: channel.resumed(PLAIN, turn_of(PLAIN), PEOPLE),
    "paused": lambda: channel.paused(HOSTILE),
    "help": replies.help_text,
    "help_unknown": lambda: replies.help_text("dance <!channel>"),
    "status": lambda: replies.status(VIEW, NOON),
    "status_parked": lambda: replies.status(replace(VIEW, channel_id=None, trouble="waits for slack: <revoked>"), NOON),
    "status_ended": lambda: replies.status(replace(VIEW, phase="ended", outcome="merged"), NOON),
    "list": lambda: replies.listing([VIEW, replace(VIEW, reference="acme/web#7", phase="waiting")], NOON),
    "list_empty": lambda: replies.listing([], NOON),
    "admin_status": lambda: replies.health(REPORT),
    "admin_status_idle": lambda: replies.health(replies.Health({}, 0, 0, 0.0)),
    "reminding": lambda: replies.reminding(VIEW),
    "snoozed": lambda: replies.snoozed(VIEW, timedelta(hours=4), NOON + timedelta(hours=4)),
    "awake": lambda: replies.awake(VIEW),
    "nothing_to_ask": lambda: replies.nothing_to_ask(replace(VIEW, phase="paused", trouble="parked: <revoked>")),
    "how_long": replies.how_long,
    "how_long_unreadable": lambda: replies.how_long("<!here>"),
    "not_watched": lambda: replies.not_watched("acme/api#<9>"),
    "which_one": replies.which_one,
    "which_one_unreadable": lambda: replies.which_one("`<!here>`"),
    "admins_only": replies.admins_only,
    "admin_unknown": lambda: replies.admin_unknown("users.info: <invalid_auth>"),
    "unavailable": replies.unavailable,
    "digest": lambda: digest.digest([STANDING, AUTHORS, STANDING, replace(STANDING, draft=True)], NOON),
    "digest_empty": lambda: digest.digest([], NOON),
    "stale": lambda: digest.stale([STANDING, AUTHORS], NOON, timedelta(days=7)),
    "report": lambda: digest.report(WEEK),
    "report_empty": lambda: digest.report(replace(WEEK, to_merge=None, to_first_review=None, opened=0, merged=0)),
}


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item)


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_equals_its_snapshot(name: str) -> None:
    said = json.dumps(asdict(SAID[name]()), indent=2, ensure_ascii=False) + "\n"
    path = SNAPSHOTS / f"{name}.json"
    if os.environ.get("VIGIL_WRITE_SNAPSHOTS"):
        path.write_text(said, encoding="utf-8")
    assert said == path.read_text(encoding="utf-8")


def test_every_snapshot_belongs_to_something_that_is_said() -> None:
    assert {path.stem for path in SNAPSHOTS.glob("*.json")} == set(SAID)


@pytest.mark.parametrize("name", SAID)
def test_slacks_own_models_accept_every_block(name: str) -> None:
    assert_sendable(SAID[name]())


def assert_sendable(said: Message | Reply) -> None:
    """What slack_sdk's models check, and what they do not (see docs.slack.dev/reference/block-kit/blocks)."""
    blocks = list(said.blocks)
    assert said.text
    assert 0 < len(blocks) <= 50
    for block, parsed in zip(blocks, Block.parse_all(blocks), strict=True):
        assert parsed is not None, block
        assert parsed.to_dict()["type"] == block["type"]
        parsed.validate_json()
    for block in blocks:
        assert all(len(field["text"]) <= 2000 for field in block.get("fields", ()))
        assert len(block.get("fields", ())) <= 10
        assert (
            0 < len(block["text"]["text"] if "text" in block else "x") <= (150 if block["type"] == "header" else 3000)
        )
    assert sum(map(len, strings(blocks))) < 13_000


@pytest.mark.parametrize("name", SAID)
def test_nothing_but_our_own_mentions_links_and_channels_is_in_angle_brackets(name: str) -> None:
    ours = re.compile(r"<(@U0[A-Z]+|#C0PR|https://github\.com/acme/api/pull/42\|[^<>]*)>")
    for string in strings(asdict(SAID[name]())):
        assert not re.search(r"[<>]", ours.sub("", string)), string


def test_a_title_that_calls_the_channel_pings_nobody() -> None:
    hostile = replace(PLAIN, title="<!channel> & <@U1>", reviewers=())
    for said in (channel.summary(hostile, turn_of(hostile), {}), channel.closed(hostile, None, {})):
        everything = " ".join(strings(asdict(said)))
        assert "&lt;!channel&gt; &amp; &lt;@U1&gt;" in everything
        assert "<!" not in everything
        assert "<@" not in everything


def test_everything_formatted_is_verbatim_so_that_bare_names_link_to_nobody() -> None:
    def texts(value: Any) -> Iterator[dict[str, Any]]:
        for item in value.values() if isinstance(value, dict) else value:
            if isinstance(item, dict) and item.get("type") == "mrkdwn":
                yield item
            elif isinstance(item, dict | list | tuple):
                yield from texts(item)

    assert all(found["verbatim"] is True for said in SAID.values() for found in texts(said().blocks))


def test_somebody_with_a_slack_account_is_pinged_and_somebody_without_is_named() -> None:
    assert text.name(Person("Ben"), PEOPLE) == "<@U0BEN>"
    assert text.name(Person("octocat"), PEOPLE) == "*octocat*"
    assert text.name(Person("zoe"), PEOPLE) == "*zoe*"
    assert text.name(Person("ben"), {"ben": "!channel"}) == "*ben*"


def test_the_purpose_recognises_its_pull_request_and_no_other() -> None:
    purpose = channel.channel_purpose(PLAIN)
    assert channel.names_pull_request(purpose, PLAIN.url)
    assert channel.names_pull_request(purpose.replace(PLAIN.url, f"<{PLAIN.url}>"), PLAIN.url)
    assert not channel.names_pull_request(purpose, PLAIN.url.removesuffix("2"))
    assert not channel.names_pull_request("", PLAIN.url)


@settings(deadline=None)
@given(st.text(max_size=400), st.integers(min_value=5, max_value=300))
def test_escaping_keeps_to_the_limit_and_leaves_no_bracket(outside: str, limit: int) -> None:
    inside = text.escaped(outside, limit)
    assert len(inside) <= limit
    assert not re.search(r"[<>\n\x00]|&(?!amp;|lt;|gt;)", inside)
    inside.encode("utf-8")


@settings(deadline=None)
@given(
    title=st.text(max_size=400),
    branch=st.text(max_size=300),
    logins=st.lists(st.text(min_size=1, max_size=60), max_size=60),
)
def test_whatever_github_calls_things_slack_takes_the_message(title: str, branch: str, logins: list[str]) -> None:
    people = tuple(map(Person, logins))
    odd = replace(PLAIN, title=title, head_ref=branch, reviewers=people, assignees=people, teams=tuple(logins))
    assert_sendable(channel.summary(odd, turn_of(odd), {}))
    assert_sendable(channel.reminder(odd, turn_of(odd), {}, 2, timedelta(days=3)))
    assert len(channel.channel_topic(odd)) <= 250
    standing = replace(STANDING, title=title, reference=branch, who=tuple(logins), teams=tuple(logins))
    assert_sendable(digest.digest([standing] * 40, NOON))
    assert_sendable(digest.stale([standing] * 40, NOON, timedelta(days=7)))


def test_the_longest_answers_still_fit() -> None:
    wordy = replace(VIEW, title="<" * 400, reference="o" * 39 + "/" + "r" * 100 + "#123456", trouble="&" * 400)
    assert_sendable(replies.listing([wordy] * 200, NOON))
    assert_sendable(replies.status(replace(wordy, notes=("<" * 400,) * 5), NOON))
    gates = (replies.ClosedGate("slack", "<" * 400, 3),) * 2
    assert_sendable(replies.health(replace(REPORT, gates=gates, ended_early=(wordy,) * 20, stuck=(wordy,) * 20)))
