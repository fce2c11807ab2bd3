"""What the board and a pull request's page say, and the rows the board is made of."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.dashboard.board_rows import Choice, chosen, counted, row_of
from bot.dashboard.board_words import Standing, channel_link, people_said, standing_of, trouble_said, web_link, why_said
from bot.dashboard.pull_words import Said, asker, said
from handlers.records.pull_requests import Watched
from handlers.watch_log import Happening, Kind
from handlers.watch_state import Watch, shown
from tests.unit.handlers.sample import NOON, OPEN, REF
from tests.unit.handlers.test_commands import described

KNOWN = Watched("pr:github.com:acme:api:42", REF, "A former title", "https://github.com/x", None, NOON)
STATE = Watch("pr:github.com:acme:api:42", OPEN, "opened", phase="watching").reckoned(NOON).scheduled(NOON, 0)


@pytest.mark.parametrize(
    ("phase", "reason", "asked", "flags", "standing"),
    [
        ("watching", "review_requested", ("ada",), "", "review"),
        ("watching", "pushed", ("ada",), "", "review"),
        ("watching", "approved", ("ann",), "", "author"),
        ("watching", "nobody_asked", (), "", "nobody"),
        ("watching", "approved", ("ann",), "snoozed", "snoozed"),
        ("watching", "approved", ("ann",), "stuck snoozed", "trouble"),
        ("waiting", "draft", ("ann",), "", "draft"),
        ("paused", "draft", ("ann",), "", "draft"),
        ("opening", "", (), "", "moving"),
        ("closing", "closed", (), "", "moving"),
        ("ended", "closed", (), "stuck ended", "ended"),
    ],
)
def test_how_a_watch_stands(phase: str, reason: str, asked: tuple[str, ...], flags: str, standing: Standing) -> None:
    given = {flag: flag in flags for flag in ("stuck", "snoozed", "ended")}
    assert standing_of(phase, reason, asked, **given) == standing


def test_people_are_named_and_many_are_counted() -> None:
    assert [people_said(names) for names in ((), ("a",), ("a", "b"), ("a", "b", "c"), tuple("abcde"))] == [
        "-",
        "a",
        "a and b",
        "a, b and c",
        "a, b and 3 more",
    ]


def test_what_is_unknown_is_said_as_it_is() -> None:
    assert why_said("moved_by_a_later_release") == "moved by a later release"
    assert trouble_said("odd", None) == "odd"
    assert trouble_said("parked", "invalid_auth") == "waits for access: invalid_auth"


@pytest.mark.parametrize("channel", [None, "", 'C1">', "c1234", "X123", "C" + "1" * 50])
def test_what_is_no_channel_is_no_link(channel: str | None) -> None:
    assert channel_link(channel) is None
    assert channel_link("C123ABC") == "https://slack.com/app_redirect?channel=C123ABC"


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "//evil", " https://x", ""])
def test_only_addresses_of_the_web_are_links(address: str) -> None:
    assert web_link(address) is None
    assert web_link("https://github.com/a/b/pull/1") == "https://github.com/a/b/pull/1"


def test_a_row_shows_what_the_watch_shows_of_itself() -> None:
    row = row_of(KNOWN, described(shown(STATE)))
    assert (row.reference, row.title, row.page) == ("Acme/api#42", "Add a cache", "/pulls/github.com/Acme/api/42")
    assert (row.author, row.turn, row.why) == ("ann", "ann", "nobody was asked for a review")
    assert row.next_reminder_at == NOON + timedelta(hours=1)


@pytest.mark.parametrize("status", [None, "odd", {}, {"turn": 3, "waiting_since": "x", "snoozed": 1, "author": []}])
def test_a_row_survives_any_status(status: object) -> None:
    row = row_of(KNOWN, described(status, state="parked", reason="invalid_auth"))
    assert (row.title, row.standing, row.trouble) == ("A former title", "trouble", "waits for access: invalid_auth")
    assert row_of(KNOWN, None).trouble == "its workflow is gone"
    assert row_of(replace(KNOWN, outcome="merged"), None).state == "ended: merged"


def test_rows_are_found_by_name_title_and_people_and_counted() -> None:
    row = row_of(KNOWN, described(shown(STATE)))
    quiet = replace(row, standing="snoozed", reference="acme/web#1", title="Other", author=None, asked=("ben",))
    rows = [quiet, row]
    for text, found in (("api#42", [row]), ("OTHER", [quiet]), ("ben", [quiet]), ("ann", [row]), ("", [row, quiet])):
        assert chosen(rows, Choice(text=text)) == found
    assert vars(counted(rows)) == {"open": 2, "review": 0, "author": 1, "trouble": 0}


LOGINS = {"U1": "ann"}


@pytest.mark.parametrize(
    ("kind", "facts", "text", "detail"),
    [
        ("begun", {"action": "ready_for_review"}, "The watch began", "GitHub told of it: ready for review"),
        ("heard", {"action": "submitted", "by": "ben", "review": "approved", "id": "7"}, "ben reviewed it: approved", "delivery 7"),
        ("heard", {"action": "review_requested", "by": None, "about": "zoe", "id": "7"}, "Somebody asked for a review: zoe", "delivery 7"),
        ("heard", {"action": "auto_merge_enabled", "by": "b", "id": "7"}, "b did something GitHub calls auto merge enabled", "delivery 7"),
        ("turn", {"who": ["ben"], "teams": ["acme/core"], "reason": "pushed"}, "It became the turn of ben and @acme/core", "pushed since changes were asked for"),
        ("turn", {"who": [], "teams": [], "reason": "closed"}, "It became nobody's turn", "it is over"),
        ("channel", {"id": "C1", "name": "pr-api-42"}, "The channel pr-api-42 was opened", ""),
        ("invited", {"who": ["ann", "ben"]}, "ann, ben were invited", ""),
        ("posted", {"what": "summary"}, "The summary was posted", ""),
        ("posted", {"what": "something new"}, "A message was posted", ""),
        ("reminded", {"first": 2, "last": 2, "since": NOON}, "Reminder 2 was posted", ""),
        ("asked", {"what": "remind", "by": "admin", "until": None}, "admin asked for a reminder now", ""),
        ("asked", {"what": "wake", "by": "slack:U1", "until": None}, "ann (in Slack) ended the quiet", ""),
        ("note", {"text": "topic: missing_scope"}, "Something had to be done without", "topic: missing_scope"),
        ("archived", {}, "The channel was archived", ""),
        ("ended", {"outcome": "merged"}, "The watch ended: merged", ""),
    ],
)  # fmt: skip
def test_what_happened_is_told_in_sentences(kind: Kind, facts: dict[str, object], text: str, detail: str) -> None:
    told = said(Happening(NOON, kind, facts), LOGINS)
    assert (told.text, told.detail, told.moment) == (text, detail, None)


@pytest.mark.parametrize(
    ("kind", "facts", "text"),
    [
        ("timer", {"what": "reminder", "until": NOON}, "The next reminder was set for"),
        ("timer", {"what": "look", "until": NOON}, "The next look at GitHub was set for"),
        ("asked", {"what": "snooze", "by": "admin", "until": NOON}, "admin asked for quiet until"),
        ("reminded", {"first": 2, "last": 9, "since": NOON}, "Reminders 2 to 9 were posted, from"),
    ],
)
def test_what_speaks_of_a_time_names_it(kind: Kind, facts: dict[str, object], text: str) -> None:
    assert said(Happening(NOON, kind, facts), {}) == replace(
        Said(NOON, kind, text, moment=NOON), tone="on" if kind != "timer" else ""
    )


def test_who_asked_in_slack_is_named_by_login_where_that_is_known() -> None:
    assert [asker(by, LOGINS) for by in ("slack:U1", "slack:U9", "admin", "")] == [
        "ann (in Slack)",
        "U9 (in Slack)",
        "admin",
        "Somebody",
    ]
