"""How a watch's memory changes: order of deliveries, turns, people, what is shown."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable.serde import decode, encode
from handlers.asks import Ask
from handlers.turns import turn_of
from handlers.watch_state import Guest, Look, Rules, Watch, begins_again, newest, shown, wants_look
from integrations.github.api import Person, PullRequest, PullRequestEvent, Review
from tests.unit.handlers.sample import HEAD, NOON, OPEN, after, delivery, review

BEN = Person("ben")
APPROVED = (Review(BEN, "approved", NOON, HEAD),)
CLOSED = after(10, state="closed")
STATE = Watch("pr:github.com:acme:api:42", OPEN, "opened")


def test_the_later_state_wins_and_the_earlier_one_changes_nothing() -> None:
    assert newest(OPEN, CLOSED).state == "closed"
    assert newest(CLOSED, OPEN).state == "closed"
    reopened = after(20)
    assert newest(CLOSED, reopened).state == "open"
    assert newest(reopened, CLOSED).state == "open"


@settings(deadline=None)
@given(st.permutations(range(6)), st.lists(st.sampled_from(["open", "closed"]), min_size=6, max_size=6))
def test_in_whatever_order_states_arrive_the_latest_holds(order: list[int], states: list[str]) -> None:
    history = [after(second, state=state, title=str(second)) for second, state in enumerate(states)]
    known = history[order[0]]
    for place in order[1:]:
        known = newest(known, history[place])
    assert (known.title, known.state) == ("5", states[5])


@settings(deadline=None)
@given(st.permutations(["open", "closed", "open", "open"]))
def test_in_whatever_order_one_seconds_states_arrive_it_is_closed(states: list[str]) -> None:
    known = after(1, state=states[0])
    for state in states[1:]:
        known = newest(known, after(1, state=state))
    assert known.state == "closed"


def test_in_the_same_second_closed_beats_open_in_either_order() -> None:
    tied = after(10)
    assert newest(CLOSED, tied).state == "closed"
    assert newest(tied, CLOSED).state == "closed"


def test_in_the_same_second_a_delivery_that_says_reopened_is_believed() -> None:
    assert newest(CLOSED, after(10), reopened=True).state == "open"


def test_in_the_same_second_the_one_seen_last_wins() -> None:
    assert newest(after(10), after(10, reviewers=(BEN,))).reviewers == (BEN,)


def test_a_delivery_without_reviews_and_sizes_forgets_none() -> None:
    read = replace(OPEN, reviews=APPROVED, additions=3, deletions=2, changed_files=1)
    heard = newest(read, after(10, title="New"))
    assert (heard.title, heard.reviews, heard.additions, heard.changed_files) == ("New", APPROVED, 3, 1)


def test_a_stale_read_still_brings_its_reviews() -> None:
    heard = newest(CLOSED, replace(OPEN, reviews=APPROVED))
    assert (heard.state, heard.reviews) == ("closed", APPROVED)


def test_merged_is_not_forgotten_for_a_state_that_does_not_say() -> None:
    merged = after(10, state="closed", merged=True)
    assert newest(merged, CLOSED).merged
    assert newest(CLOSED, merged).merged
    assert not newest(merged, after(20)).merged


def test_who_closed_it_is_remembered_until_it_is_reopened() -> None:
    state = STATE.hearing(delivery("closed", CLOSED, sender="eve"))
    assert state.closed_by == Person("eve")
    assert state.hearing(delivery("labeled", CLOSED, sender="zoe")).closed_by == Person("eve")
    assert state.hearing(delivery("reopened", after(20), sender="zoe")).closed_by is None
    assert STATE.hearing(delivery("closed", replace(CLOSED, updated_at=NOON - timedelta(1)))).closed_by is None


def test_a_look_brings_the_rules() -> None:
    rules = Rules(every=timedelta(minutes=5))
    assert STATE.seeing(Look(OPEN, rules)).rules == rules


def test_a_new_turn_waits_from_now_on_and_the_same_turn_goes_on_waiting() -> None:
    state = replace(STATE, pull_request=after(0, reviewers=(BEN,))).reckoned(NOON)
    later = NOON + timedelta(hours=1)
    assert state.reckoned(later).waiting_since == NOON
    moved = replace(state, pull_request=after(0, reviews=APPROVED)).reckoned(later)
    assert moved.waiting_since == later
    assert moved.whose.reason == "approved"


def test_strangers_are_the_people_who_take_part_and_were_not_asked_in() -> None:
    robot = Person("ci[bot]", is_bot=True)
    busy = replace(OPEN, reviewers=(BEN, robot, Person("Ann")), assignees=(Person("zoe"), BEN))
    state = replace(STATE, pull_request=busy)
    assert {person.login.lower() for person in state.strangers()} == {"ann", "ben", "zoe"}
    known = replace(state, people=(Guest("BEN", "U1"), Guest("ann", None)))
    assert [person.login for person in known.strangers()] == ["zoe"]
    assert known.accounts == {"ben": "U1", "ann": None}


@pytest.mark.parametrize(
    ("sentence", "known", "event", "looks"),
    [
        ("a review is read, not pieced together", OPEN, review(after(5)), True),
        ("a late review is read as well", after(9), review(OPEN), True),
        ("a later state speaks for itself", OPEN, delivery("review_requested", after(5, reviewers=(BEN,))), False),
        ("an earlier state is of no interest", after(5, reviewers=(BEN,)), delivery("labeled", OPEN), False),
        ("the same state again is nothing new", OPEN, delivery("opened", OPEN), False),
        ("two states of one second have no order", OPEN, delivery("labeled", after(0, reviewers=(BEN,))), True),
        ("closed in the same second is believed", after(10), delivery("closed", CLOSED), False),
        ("reopened in the second of closed is asked twice", CLOSED, delivery("reopened", after(10)), True),
    ],
)
def test_github_is_asked_when_a_delivery_alone_does_not_tell(
    sentence: str, known: PullRequest, event: PullRequestEvent, looks: bool
) -> None:
    assert wants_look(known, event) is looks, sentence


LOST = replace(STATE, outcome="channel lost: is_archived")
OVER = replace(STATE, pull_request=CLOSED, outcome="closed")


@pytest.mark.parametrize(
    ("sentence", "state", "event", "begins"),
    [
        ("the delivery that began it is no new beginning", LOST, delivery("opened", OPEN), False),
        ("a label does not bring a lost channel back", LOST, delivery("labeled", after(5)), False),
        ("reopening brings a lost channel back", LOST, delivery("reopened", after(5)), True),
        ("an opening older than the close is late", OVER, delivery("opened", OPEN), False),
        ("reopened after the close begins again", OVER, delivery("reopened", after(20)), True),
        ("reopened in the second of the close begins again", OVER, delivery("reopened", after(10)), True),
        ("a push after the close shows that reopened was lost", OVER, delivery("synchronize", after(20)), True),
        ("a label on the closed one does not", OVER, delivery("labeled", after(20, state="closed")), False),
    ],
)
def test_what_came_while_the_watch_ended(sentence: str, state: Watch, event: PullRequestEvent, begins: bool) -> None:
    assert begins_again(state, event) is begins, sentence


FULL = replace(
    STATE,
    phase="watching",
    rules=Rules(),
    channel_id="C1",
    channel_name="pr-api-42",
    people=(Guest("ben", "U1"), Guest("zoe", None)),
    turn=turn_of(OPEN),
    waiting_since=NOON,
    reminders_sent=3,
    next_reminder_at=NOON,
    last_message="1.2",
    reminder="1.2",
    closed_by=BEN,
    notes=("bookmark: missing_scope",),
    pull_request=replace(OPEN, reviews=APPROVED),
)
STORED = Path(__file__).parents[2] / "data" / "stored" / "watch.json"


def test_the_state_survives_json_whole() -> None:
    assert decode(encode(FULL)) == FULL
    assert decode(encode(delivery("opened", OPEN))) == delivery("opened", OPEN)
    assert decode(encode(review(OPEN))) == review(OPEN)


def test_a_watch_that_an_earlier_release_put_to_sleep_is_read() -> None:
    """Never write this file anew: a field that was added since needs a default, one that was renamed a migration."""
    assert decode(STORED.read_text(encoding="utf-8")) == FULL


def test_what_is_shown_is_plain_json() -> None:
    state = replace(STATE, phase="watching", pull_request=after(0, draft=True)).reckoned(NOON).scheduled(NOON, 0.0)
    status = json.loads(json.dumps(shown(state)))
    assert status["phase"] == "paused"
    assert status["turn"] == {"who": ["ann"], "teams": [], "reason": "draft"}
    assert status["next_reminder_at"] == "2026-03-02T13:00:00+00:00"


def test_only_the_latest_notes_are_kept_and_none_twice() -> None:
    state = STATE
    for note in ("a", "b", "c", "c", "d", "e", "f"):
        state = state.noting(NOON, note)
    assert state.notes == ("b", "c", "d", "e", "f")


LATER = NOON + timedelta(hours=5)
DUE = replace(STATE, phase="watching").scheduled(NOON, 0.0)


def test_who_asks_for_quiet_is_not_reminded_until_then() -> None:
    quiet = DUE.snoozed(NOON, Ask("zoe", LATER))
    assert quiet.next_reminder_at == LATER
    assert shown(quiet)["snoozed"] == {"until": LATER.isoformat(), "by": "zoe"}
    assert quiet.scheduled(LATER, 0.0).snooze is None, "once the reminder came, all is as before"


def test_a_wake_undoes_the_quiet_and_what_would_have_come_meanwhile_comes_an_interval_later() -> None:
    quiet = DUE.snoozed(NOON, Ask("zoe", LATER)).snoozed(NOON, Ask("ann", LATER + timedelta(hours=1)))
    assert quiet.woken(NOON + timedelta(minutes=1), 0.0).next_reminder_at == DUE.next_reminder_at
    late = quiet.woken(NOON + timedelta(hours=2), 0.0)
    assert (late.next_reminder_at, late.snooze) == (NOON + timedelta(hours=3), None)
    assert DUE.woken(NOON, 0.5) == DUE, "who is awake is not woken"


@pytest.mark.parametrize("until", [None, NOON, NOON - timedelta(days=1)])
def test_quiet_until_no_time_to_come_changes_nothing_and_is_noted(until: datetime | None) -> None:
    same = DUE.snoozed(NOON, Ask("zoe", until))
    assert same.next_reminder_at == DUE.next_reminder_at
    assert same.notes == ("snooze: zoe named no time to come",)


def test_nobody_gets_more_than_a_week_of_quiet() -> None:
    assert DUE.snoozed(NOON, Ask("zoe", NOON + timedelta(days=400))).next_reminder_at == NOON + timedelta(days=7)


def test_what_changes_is_told_in_the_log() -> None:
    state = (
        STATE.begun(NOON).begun(NOON).reckoned(NOON).scheduled(NOON, 0.0).noting(NOON, "late").ended(LATER, "merged")
    )
    assert [happening.kind for happening in state.log] == ["begun", "turn", "timer", "note", "ended"]
    assert state.log[1].facts == {"who": ["ann"], "teams": [], "reason": "nobody_asked"}
    assert decode(encode(state)) == state
    assert state.begun(LATER).log[-1].kind == "begun", "a watch that begins again says so"


def test_the_delivery_that_began_the_watch_is_told_once() -> None:
    state = STATE.begun(NOON).told_of(NOON, delivery("opened", OPEN))
    assert [happening.kind for happening in state.log] == ["begun"]
    state = state.told_of(NOON, delivery("labeled", OPEN)).told_of(NOON, delivery("opened", OPEN))
    assert [happening.facts["action"] for happening in state.log] == ["opened", "labeled", "opened"]
