"""What `/vigil …` answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from durable import Description
from handlers.asks import Ask, What
from handlers.commands import AdminUnknown, Reference, answer, reference_in
from handlers.messages import replies
from handlers.messages.replies import Health, WatchView
from handlers.sight import view_of
from handlers.watch_state import Watch, shown
from integrations.slack.api import SlashCommand
from tests.unit.handlers.sample import NOON, OPEN

WATCH = WatchView("acme/api#42", "Add a cache", OPEN.url, "watching", "C1", workflow_id="pr:42")
ENDED = WatchView("acme/api#7", phase="ended", outcome="merged", workflow_id="pr:7")
HEALTH = Health({"waiting": 1}, 1, 0, 0.0)


@dataclass
class StillSight:
    """What there is to see, held still."""

    by_reference: dict[str, WatchView] = field(default_factory=lambda: {"acme/api#42": WATCH, "acme/api#7": ENDED})
    by_channel: dict[str, WatchView] = field(default_factory=lambda: {"C1": WATCH})
    admins: frozenset[str] = frozenset({"U1"})
    slack_away: bool = False
    asked: list[tuple[str, str, Ask, str]] = field(default_factory=list)
    is_heard: bool = True

    def watch(self, reference: Reference) -> WatchView | None:
        return self.by_reference.get(str(reference))

    def watch_in(self, channel_id: str) -> WatchView | None:
        return self.by_channel.get(channel_id)

    def watches(self) -> Sequence[WatchView]:
        return list(self.by_reference.values())

    def ask(self, workflow_id: str, what: What, ask: Ask, key: str) -> bool:
        self.asked.append((workflow_id, what, ask, key))
        return self.is_heard

    def health(self) -> Health:
        return HEALTH

    def is_admin(self, user_id: str) -> bool:
        if self.slack_away:
            raise AdminUnknown("users.info: invalid_auth")
        return user_id in self.admins

    def now(self) -> datetime:
        return NOON


def typed(text: str, *, channel: str = "C9", user: str = "U9") -> SlashCommand:
    return SlashCommand(text=text, user_id=user, channel_id=channel, trigger_id="T1")


@pytest.mark.parametrize("text", ["", "  ", "help", "HELP"])
def test_help_is_answered_with_what_there_is(text: str) -> None:
    assert answer(typed(text), StillSight()) == replies.help_text()


@pytest.mark.parametrize("text", ["dance", "admin", "admin dance", "list of things"])
def test_words_nobody_understands_are_answered_with_help(text: str) -> None:
    assert answer(typed(text), StillSight()) == replies.help_text(unknown=text)


@pytest.mark.parametrize(
    "text",
    [
        "status acme/api#42",
        "Status acme/api/42",
        "status https://github.com/acme/api/pull/42",
        "status <https://github.com/acme/api/pull/42/files?x=1#diff>",
        "status <https://github.com/acme/api/pull/42|acme/api#42>",
    ],
)
def test_a_pull_request_is_named_in_any_of_three_ways(text: str) -> None:
    assert answer(typed(text), StillSight()) == replies.status(WATCH, NOON)


@pytest.mark.parametrize(
    "text", ["42", "#42", "acme/api", "acme/api#", "a b/c#1", "acme/api#1x", "http://x/pull/1", "acme/api#" + "9" * 40]
)
def test_what_names_no_pull_request_is_asked_again(text: str) -> None:
    assert reference_in(text) is None
    assert answer(typed(f"status {text}"), StillSight()) == replies.which_one(text)


def test_in_a_pull_requests_channel_the_argument_may_be_left_out() -> None:
    assert answer(typed("status", channel="C1"), StillSight()) == replies.status(WATCH, NOON)
    assert answer(typed("status", channel="C9"), StillSight()) == replies.which_one()


def test_a_pull_request_nobody_watches_is_said_to_be_none() -> None:
    assert answer(typed("status acme/api#9"), StillSight()) == replies.not_watched("acme/api#9")


def test_list_shows_every_watch() -> None:
    assert answer(typed("list"), StillSight()) == replies.listing([WATCH, ENDED], NOON)


@pytest.mark.parametrize("argument", ["", " acme/api#42"])
def test_a_reminder_and_a_wake_may_be_asked_for_by_anybody(argument: str) -> None:
    sight = StillSight()
    assert answer(typed(f"remind{argument}", channel="C1"), sight) == replies.reminding(WATCH)
    assert answer(typed(f"Wake{argument}", channel="C1"), sight) == replies.awake(WATCH)
    ask = Ask("slack:U9")
    assert sight.asked == [("pr:42", "remind", ask, "T1"), ("pr:42", "wake", ask, "T1")]


@pytest.mark.parametrize("argument", ["", "acme/api#42 "])
def test_a_snooze_says_until_when(argument: str) -> None:
    sight = StillSight()
    length, until = timedelta(hours=4), NOON + timedelta(hours=4)
    said = answer(typed(f"snooze {argument}4h", channel="C1"), sight)
    assert said == replies.snoozed(WATCH, length, until)
    assert sight.asked == [("pr:42", "snooze", Ask("slack:U9", until), "T1")]


@pytest.mark.parametrize("text", ["", "acme/api#42", "0s", "8d", "acme/api#42 soon", "until approved"])
def test_a_snooze_for_no_length_of_time_asks_for_one(text: str) -> None:
    sight = StillSight()
    assert answer(typed(f"snooze {text}", channel="C1"), sight) == replies.how_long(*text.split()[-1:])
    assert sight.asked == []


def test_nothing_is_asked_of_what_reminds_nobody() -> None:
    sight = StillSight()
    assert answer(typed("remind acme/api#7"), sight) == replies.nothing_to_ask(ENDED)
    assert answer(typed("remind acme/api#9"), sight) == replies.not_watched("acme/api#9")
    assert answer(typed("remind"), sight) == replies.which_one()
    assert sight.asked == []
    assert answer(typed("remind acme/api#42"), StillSight(is_heard=False)) == replies.nothing_to_ask(WATCH)


def test_admin_status_is_for_admins() -> None:
    assert answer(typed("admin status", user="U1"), StillSight()) == replies.health(HEALTH)
    assert answer(typed("admin status", user="U9"), StillSight()) == replies.admins_only()


def test_when_slack_does_not_say_who_is_admin_the_answer_says_why() -> None:
    said = answer(typed("admin status"), StillSight(slack_away=True))
    assert said == replies.admin_unknown("users.info: invalid_auth")


def described(status: object, **changes: object) -> Description:
    known: dict[str, object] = {
        "workflow_id": "pr:github.com:acme:api:42",
        "name": "watch_pull_request",
        "run": 1,
        "state": "waiting",
        "status": status,
        "result": None,
        "error": None,
        "reason": None,
        "created_at": NOON,
        "updated_at": NOON,
        "wake_at": None,
        "history_length": 1,
        "unread_signals": 0,
    }
    return Description(**(known | changes))  # type: ignore[arg-type] # one table for all its fields


def test_a_view_reads_back_what_the_watch_recorded() -> None:
    state = Watch("pr:github.com:acme:api:42", OPEN, "opened", phase="watching").reckoned(NOON).scheduled(NOON, 0)
    view = view_of(None, described(shown(state)))
    assert (view.reference, view.title, view.phase) == ("Acme/api#42", "Add a cache", "watching")
    assert view.turn == "ann: nobody asked"
    assert view.next_reminder_at == datetime(2026, 3, 2, 13, tzinfo=UTC)
    assert view.trouble is None


@pytest.mark.parametrize("status", [None, "odd", {}, {"turn": 3, "next_reminder_at": "soon", "reminders_sent": "x"}])
def test_a_view_survives_any_status(status: object) -> None:
    view = view_of(None, described(status, state="parked", reason="invalid_auth"))
    assert view.reference == "github.com:acme:api:42"
    assert view.trouble == "parked: invalid_auth"
