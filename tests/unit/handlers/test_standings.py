"""How open pull requests stand and what a week brought: tables over what the watches know."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from handlers.standings import DAY, Standing, by_turn, stale, standings_of, week_of
from handlers.watch_state import Watch
from integrations.github.api import Person, Review
from tests.unit.handlers.sample import NOON, OPEN

WEEK = 7 * DAY


def watch(number: int, *, waiting: timedelta | None = None, quiet: timedelta = DAY, **changes: Any) -> Watch:
    ref = replace(OPEN.ref, number=number)
    changed: dict[str, Any] = {"ref": ref, "reviewers": (Person("ben"),), "reviews": (), "updated_at": NOON - quiet}
    since = None if waiting is None else NOON - waiting
    return Watch(ref.workflow_id, replace(OPEN, **changed | changes), "opened", phase="watching", waiting_since=since)


def standing(quiet: timedelta) -> Standing:
    return replace(standings_of([watch(1)])[0], active_at=NOON - quiet)


def test_whoever_waits_longest_comes_first_and_what_is_over_is_left_out() -> None:
    states = [watch(1, waiting=DAY), watch(2, waiting=3 * DAY), watch(3, waiting=9 * DAY, state="closed"), watch(4)]
    assert [each.reference for each in standings_of(states)] == ["Acme/api#2", "Acme/api#1", "Acme/api#4"]
    assert standings_of([watch(4, quiet=2 * DAY)])[0].waiting_since == NOON - 2 * DAY


def test_what_waits_for_the_same_people_stands_together_and_drafts_wait_for_nobody() -> None:
    cat = (Person("cat"),)
    states = [
        watch(1, waiting=DAY),
        watch(2, waiting=3 * DAY, reviewers=cat),
        watch(3, waiting=2 * DAY),
        watch(4, waiting=HOUR, reviewers=cat),
        watch(5, waiting=5 * DAY, draft=True),
    ]
    groups = by_turn(standings_of(states))
    assert [[each.reference[-2:] for each in group] for group in groups] == [["#2", "#4"], ["#3", "#1"]]
    assert [group[0].who for group in groups] == [("cat",), ("ben",)]


def test_what_is_stale_is_named_in_the_night_it_becomes_so_and_then_once_a_while() -> None:
    def is_named(quiet: timedelta, after: timedelta = WEEK) -> bool:
        return bool(stale([standing(quiet)], NOON, after))

    assert not is_named(WEEK - HOUR)
    assert is_named(WEEK)
    assert is_named(WEEK + 23 * HOUR)
    assert not is_named(WEEK + DAY)
    assert not is_named(2 * WEEK - HOUR)
    assert is_named(2 * WEEK)
    assert all(is_named(quiet * DAY, 12 * HOUR) for quiet in range(1, 10))
    assert [each.active_at for each in stale([standing(WEEK), standing(2 * WEEK)], NOON, WEEK)] == [
        NOON - 2 * WEEK,
        NOON - WEEK,
    ]


def test_a_week_counts_what_happened_in_it_and_takes_the_medians() -> None:
    def over(number: int, merged_after: timedelta, ago: timedelta, *, merged: bool = True) -> Watch:
        at = NOON - ago
        return watch(number, created_at=at - merged_after, updated_at=at, state="closed", merged=merged)

    def reviewed(number: int, at: datetime, author: str = "ben") -> Watch:
        said = (Review(Person(author), "approved", at), Review(Person("cat"), "approved", at + DAY))
        return watch(number, created_at=NOON - 9 * DAY, reviews=said)

    states = [
        over(1, DAY, 2 * DAY),
        over(2, 3 * DAY, DAY),
        over(3, 2 * DAY, DAY, merged=False),
        over(4, DAY, 8 * DAY),
        reviewed(5, NOON - 3 * DAY),
        reviewed(6, NOON - 8 * DAY),
        reviewed(7, NOON - 8 * DAY, author="ann"),  # the author's own words are no review
        watch(8, created_at=NOON - HOUR, reviews=None),
    ]
    week = week_of(states, NOON - WEEK, NOON)
    assert (week.opened, week.merged, week.closed, week.open_now, week.reviewed) == (4, 2, 1, 4, 2)
    assert (week.to_merge, week.to_first_review) == (2 * DAY, 4 * DAY)


def test_a_week_in_which_nothing_was_merged_has_no_median() -> None:
    week = week_of([], NOON - WEEK, NOON)
    assert (week.to_merge, week.to_first_review, week.opened) == (None, None, 0)


HOUR = timedelta(hours=1)
