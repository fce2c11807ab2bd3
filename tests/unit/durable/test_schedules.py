"""When something recurs: cron and intervals, both changes of the clocks, catching up, jitter, what is refused."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable.errors import Undecodable
from durable.model import WorkflowOptions
from durable.schedules import (
    RECORDED_SKIPS,
    CatchUp,
    Cron,
    Every,
    Plan,
    Spec,
    decide,
    decode_plan,
    delay_of,
    encode_plan,
    latest_between,
    occurrences_after,
    occurrences_between,
)

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def utc(given: str) -> datetime:
    return datetime.fromisoformat(given).replace(tzinfo=UTC)


def times(spec: Spec, after: str, count: int) -> list[str]:
    return [f"{due:%m-%d %H:%M}" for due in islice(occurrences_after(spec, utc(after)), count)]


def test_a_time_of_the_day_moves_with_the_clocks_of_its_zone() -> None:
    nine = Cron("0 9 * * *", "Europe/Berlin")
    assert times(nine, "2026-03-27T12:00", 3) == ["03-28 08:00", "03-29 07:00", "03-30 07:00"]
    assert times(nine, "2026-10-23T12:00", 3) == ["10-24 07:00", "10-25 08:00", "10-26 08:00"]
    nine = Cron("0 9 * * *", "America/New_York")
    assert times(nine, "2026-03-06T18:00", 3) == ["03-07 14:00", "03-08 13:00", "03-09 13:00"]
    assert times(nine, "2026-10-30T18:00", 3) == ["10-31 13:00", "11-01 14:00", "11-02 14:00"]


@pytest.mark.parametrize(
    ("zone", "after", "run_once", "skip"),
    [
        ("Europe/Berlin", "2026-03-27T12:00", ["03-28 01:30", "03-29 01:00", "03-30 00:30"], ["03-28 01:30", "03-30 00:30"]),
        ("America/New_York", "2026-03-06T12:00", ["03-07 07:30", "03-08 07:00", "03-09 06:30"], ["03-07 07:30", "03-09 06:30"]),
    ],
)  # fmt: skip
def test_a_time_in_the_gap_runs_at_the_first_moment_after_it_or_not_at_all(
    zone: str, after: str, run_once: list[str], skip: list[str]
) -> None:
    assert times(Cron("30 2 * * *", zone), after, 3) == run_once
    assert times(Cron("30 2 * * *", zone, gap="skip"), after, 2) == skip


@pytest.mark.parametrize(
    ("zone", "expression", "after", "expected"),
    [
        ("Europe/Berlin", "30 2 * * *", "2026-10-23T12:00", ["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
        ("America/New_York", "30 1 * * *", "2026-10-30T12:00", ["10-31 05:30", "11-01 05:30", "11-02 06:30"]),
    ],
)
def test_a_time_in_the_overlap_runs_once_the_first_time_it_comes(
    zone: str, expression: str, after: str, expected: list[str]
) -> None:
    assert times(Cron(expression, zone), after, 3) == expected


def test_several_times_in_the_gap_are_one_occurrence_and_none_beside_one_that_is_due_there_anyway() -> None:
    often = ["03-29 00:30", "03-29 00:45", "03-29 01:00", "03-29 01:15"]
    assert times(Cron("*/15 * * * *", "Europe/Berlin"), "2026-03-29T00:15", 4) == often
    assert times(Cron("*/15 2 * * *", "Europe/Berlin"), "2026-03-28T12:00", 2) == ["03-29 01:00", "03-30 00:00"]


def test_times_all_through_the_overlap_pause_while_the_hour_repeats() -> None:
    half_hourly = Cron("*/30 * * * *", "Europe/Berlin")
    assert times(half_hourly, "2026-10-24T23:45", 4) == ["10-25 00:00", "10-25 00:30", "10-25 02:00", "10-25 02:30"]
    assert times(half_hourly, "2026-10-25T01:10", 2) == ["10-25 02:00", "10-25 02:30"]


def test_a_whole_day_that_a_zone_left_out_is_a_gap_like_any_other() -> None:
    noon = Cron("0 12 * * *", "Pacific/Apia")  # 2011-12-30 never came there
    assert times(noon, "2011-12-29T00:00", 3) == ["12-29 22:00", "12-30 10:00", "12-30 22:00"]


def test_an_interval_knows_no_clocks_and_counts_from_where_it_is_told() -> None:
    assert times(Every(timedelta(hours=1)), "2026-03-29T00:10", 3) == ["03-29 01:00", "03-29 02:00", "03-29 03:00"]
    since = Every(timedelta(hours=8), since=utc("2026-01-01T00:05"))
    assert times(since, "2025-06-01T00:00", 2) == ["01-01 00:05", "01-01 08:05"]
    assert times(since, "2026-01-01T08:05", 1) == ["01-01 16:05"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 9 * * 1", ["01-05 09:00", "01-12 09:00"]),  # a Monday, as crontab counts
        ("0 9 * * 0", ["01-04 09:00", "01-11 09:00"]),
        ("0 9 * * 7", ["01-04 09:00", "01-11 09:00"]),
        ("0 9 * * fri-sun", ["01-02 09:00", "01-03 09:00", "01-04 09:00", "01-09 09:00"]),
        ("0 9 * * MON-WED/2", ["01-05 09:00", "01-07 09:00", "01-12 09:00"]),
        ("0 9 * * 5-7", ["01-02 09:00", "01-03 09:00", "01-04 09:00", "01-09 09:00"]),
        ("0 9 10 * 1", ["01-05 09:00", "01-10 09:00", "01-12 09:00"]),  # either day will do
        ("0 9 last * *", ["01-31 09:00", "02-28 09:00"]),
        ("0 0 29 2 *", ["02-29 00:00"]),
        ("5/20 9,11 1-2 feb *", ["02-01 09:05", "02-01 09:25", "02-01 09:45", "02-01 11:05"]),
    ],
)
def test_an_expression_means_what_crontab_means_by_it(expression: str, expected: list[str]) -> None:
    assert times(Cron(expression), "2026-01-01T12:00", len(expected)) == expected


def test_with_both_days_restricted_crontab_takes_either_and_celery_only_what_matches_both() -> None:
    friday_the_13th = "0 9 13 * fri"
    assert times(Cron(friday_the_13th), "2026-02-01T00:00", 3) == ["02-06 09:00", "02-13 09:00", "02-20 09:00"]
    assert times(Cron(friday_the_13th, days="both"), "2026-02-01T00:00", 3) == [
        "02-13 09:00",
        "03-13 09:00",
        "11-13 09:00",
    ]
    with pytest.raises(ValueError, match="never comes true"):
        Cron("0 9 30 2 fri", days="both")
    with pytest.raises(ValueError, match="days is 'any', must be 'either' or 'both'"):
        Cron(friday_the_13th, days="any")  # type: ignore[arg-type] # what a caller may write all the same


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("* * * *", "not enough values"),
        ("61 * * * *", "61"),
        ("0 24 * * *", "24"),
        ("0 0 * * 8", "day of week '8'"),
        ("0 0 * * sat-mon", "day of week 'sat-mon'"),
        ("0 0 * * */0", r"day of week '\*/0'"),
        ("0 0 * foo *", "foo"),
        ("0 0 30 2 *", "never comes true"),
        ("@daily", "not enough values"),
    ],
)
def test_a_bad_expression_is_refused_by_name(expression: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as refused:
        Cron(expression)
    assert f"cron expression {expression!r}" in str(refused.value)


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "Europe", "../secret", "", "CEST"])
def test_a_zone_nobody_knows_is_refused_by_name(zone: str) -> None:
    with pytest.raises(ValueError, match="is unknown; name one of the IANA database") as refused:
        Cron("0 9 * * *", zone)
    assert f"time zone {zone!r}" in str(refused.value)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: Every(timedelta(0)),
        lambda: Every(timedelta(seconds=1.5)),
        lambda: Every(MINUTE, since=datetime(2026, 1, 1)),  # noqa: DTZ001 - what is refused
        lambda: Every(MINUTE, jitter=MINUTE),
        lambda: Cron("* * * * *", jitter=2 * DAY),
        lambda: Cron("* * * * *", gap="never"),  # type: ignore[arg-type] # what is refused
        lambda: CatchUp("some"),  # type: ignore[arg-type] # what is refused
        lambda: CatchUp("all", most=0),
        lambda: CatchUp(grace=DAY),
    ],
)
def test_what_cannot_be_meant_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="must"):
        bad()


def daily(missed: Any, most: int = 100) -> Cron:
    return Cron("30 2 * * *", "Europe/Berlin", catch_up=CatchUp(missed, most=most))


def decided(spec: Spec, after: str, now: str) -> tuple[list[str], list[str]]:
    decision = decide(spec, "s", utc(after), utc(now))
    return [f"{due:%m-%d %H:%M}" for due in decision.run], [f"{due:%m-%d %H:%M}" for due in decision.skipped]


def test_after_a_downtime_over_the_gap_each_policy_runs_what_it_says() -> None:
    missed = ["03-28 01:30", "03-29 01:00", "03-30 00:30"]
    away = ("2026-03-28T00:00", "2026-03-30T12:00")
    assert decided(daily("none"), *away) == ([], missed)
    assert decided(daily("last"), *away) == (missed[-1:], missed[:-1])
    assert decided(daily("all"), *away) == (missed, [])
    assert decided(daily("all", most=2), *away) == (missed[1:], missed[:1])


def test_after_a_downtime_over_the_overlap_each_policy_runs_what_it_says() -> None:
    missed = ["10-24 00:30", "10-25 00:30", "10-26 01:30"]
    away = ("2026-10-24T00:00", "2026-10-26T12:00")
    assert decided(daily("none"), *away) == ([], missed)
    assert decided(daily("last"), *away) == (missed[-1:], missed[:-1])
    assert decided(daily("all"), *away) == (missed, [])


def test_what_is_late_by_less_than_the_grace_is_not_missed() -> None:
    assert decided(daily("none"), "2026-06-01T12:00", "2026-06-02T00:30:59") == (["06-02 00:30"], [])
    assert decided(daily("none"), "2026-06-01T12:00", "2026-06-02T00:31:01") == ([], ["06-02 00:30"])
    often = Every(timedelta(seconds=10))
    run, skipped = decided(often, "2026-06-01T12:00", "2026-06-01T12:01:05")
    assert len(run) == 1
    assert len(skipped) == 5


def test_the_last_missed_one_does_not_run_beside_one_that_is_on_time() -> None:
    assert decided(daily("last"), "2026-06-01T12:00", "2026-06-04T00:30:10") == (
        ["06-04 00:30"],
        ["06-02 00:30", "06-03 00:30"],
    )


@pytest.mark.parametrize("spec", [Every(timedelta(seconds=1)), Cron("* * * * *", "Europe/Berlin")])
@pytest.mark.parametrize("missed", ["none", "last", "all"])
def test_ten_years_without_a_worker_are_decided_on_within_bounds(spec: Any, missed: Any) -> None:
    spec = type(spec)(**(vars(spec) | {"catch_up": CatchUp(missed, most=5)}))
    decision = decide(spec, "s", utc("2016-01-01T00:00:30"), utc("2026-01-01T00:05:30"))
    assert len(decision.skipped) == RECORDED_SKIPS
    assert len(decision.run) <= 5 + 11
    assert decision.next_at is not None
    assert decision.next_at > utc("2026-01-01T00:05:30")
    assert utc("2026-01-01T00:05:00") <= decision.decided_until <= utc("2026-01-01T00:05:30")


def test_jitter_is_the_same_for_every_clock_and_differs_between_schedules_and_times() -> None:
    spec = Cron("0 * * * *", jitter=timedelta(minutes=10))
    due = utc("2026-01-01T09:00")
    assert delay_of(spec, "a", due) == delay_of(spec, "a", due.astimezone())
    delays = {delay_of(spec, name, due + hour * timedelta(hours=1)) for name in "ab" for hour in range(50)}
    assert len(delays) == 100
    assert all(timedelta(0) <= delay < spec.jitter for delay in delays)
    assert timedelta(minutes=4) < sum(delays, timedelta(0)) / 100 < timedelta(minutes=6)


def test_an_occurrence_begins_when_its_jitter_is_over_and_holds_up_those_behind_it() -> None:
    spec = Cron("*/5 * * * *", jitter=timedelta(hours=1))
    after = utc("2026-01-01T00:00")
    now = after
    ran: list[datetime] = []
    while len(ran) < 50:
        decision = decide(spec, "s", after, now)
        assert not decision.skipped
        assert all(due + delay_of(spec, "s", due) <= now for due in decision.run)
        assert decision.next_at is not None
        ran += decision.run
        after, now = decision.decided_until, max(now, decision.next_at)
    assert ran == occurrences_between(spec, utc("2026-01-01T00:00"), ran[-1], 1000)


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - UTC is added
SPECS = st.sampled_from(
    [
        *(Cron(expression, zone, gap) for expression in ("*/20 * * * *", "30 1,2 * * *", "0 0 1 * mon")
          for zone in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC") for gap in ("skip", "run_once")),
        Every(timedelta(minutes=50)),
    ]
)  # fmt: skip


@given(SPECS, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=6)), st.integers(1, 40))
@settings(max_examples=100, deadline=None)
def test_where_one_looks_from_does_not_change_what_is_due(
    spec: Any, after: datetime, long: timedelta, limit: int
) -> None:
    until = after + long
    whole = occurrences_between(spec, after, until, 10_000)
    assert whole == sorted(set(whole))
    assert all(after < due <= until for due in whole)
    assert latest_between(spec, after, until, limit) == whole[-limit:]
    middle = after + long / 2
    halves = occurrences_between(spec, after, middle, 10_000) + occurrences_between(spec, middle, until, 10_000)
    assert halves == whole


@pytest.mark.parametrize(
    "spec",
    [
        Every(timedelta(days=1), utc("2026-01-01T03:00"), CatchUp("last"), MINUTE),
        Cron("30 2 * * mon", "Europe/Berlin", "skip", CatchUp("all", 7, DAY / 24), MINUTE),
    ],
)
def test_a_plan_is_stored_and_read_again_with_the_options_of_its_workflow(spec: Spec) -> None:
    plan = Plan(spec, WorkflowOptions(queue="slow", priority=-3, deadline=DAY, retention=DAY, version="7"), "somebody")
    assert decode_plan(encode_plan(plan)) == plan


def test_a_plan_of_a_newer_release_is_refused_as_unreadable() -> None:
    with pytest.raises(Undecodable, match="Lunar"):
        decode_plan('{"kind":"Lunar","spec":{"catch_up":{}},"options":{}}')
