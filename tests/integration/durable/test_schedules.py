"""Schedules on PostgreSQL: both changes of the clocks, catching up, several clocks, and what an operator does."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from bot.demo.waiting import eventually
from durable import injection, now, set_status, workflow
from durable.client import Client
from durable.errors import ScheduleNotFound
from durable.operator import Operator
from durable.postgres import Database
from durable.postgres.pruning import prune
from durable.scheduler import Schedules
from durable.schedules import CatchUp, Cron, Every
from durable.testing import InlineWorker, advance
from durable.worker import Worker
from durable.worker.scheduler import tick

Inline = Callable[..., InlineWorker]
Working = Callable[..., Worker]
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@workflow
def report(subject: str = "all") -> str:
    return f"{subject} at {now():%H:%M}"


@workflow
def other() -> None:
    set_status("ran")


@workflow(queue="nightly", priority=7, deadline=HOUR, retention=DAY)
def nightly() -> None:
    set_status("ran")


@pytest.fixture
def schedules(database: Database) -> Schedules:
    return Schedules(database)


def move_to(database: Database, moment: str) -> None:
    with database.reading() as connection:
        present = connection.execute(text("SELECT durable.now()")).scalar_one()
    advance(database, datetime.fromisoformat(moment).replace(tzinfo=UTC) - present)


def ran(schedules: Schedules, name: str = "s") -> list[str]:
    """When it was due, of all that ran, in order."""
    return [
        f"{one.due_at.astimezone(UTC):%m-%d %H:%M}" for one in reversed(schedules.occurrences(name)) if one.workflow_id
    ]


def skipped(schedules: Schedules, name: str = "s") -> list[str]:
    return [
        f"{one.due_at.astimezone(UTC):%m-%d %H:%M}"
        for one in reversed(schedules.occurrences(name))
        if not one.workflow_id
    ]


CHANGES = [
    ("Europe/Berlin", "30 2 * * *", "2026-03-28T00:00", ["03-28 01:30", "03-29 01:00", "03-30 00:30"]),
    ("Europe/Berlin", "30 2 * * *", "2026-10-24T00:00", ["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
    ("America/New_York", "30 2 * * *", "2026-03-07T00:00", ["03-07 07:30", "03-08 07:00", "03-09 06:30"]),
    ("America/New_York", "30 1 * * *", "2026-10-31T00:00", ["10-31 05:30", "11-01 05:30", "11-02 06:30"]),
]
TITLES = [f"{zone}-{begin[:7]}" for zone, _, begin, _ in CHANGES]


@pytest.mark.parametrize("missed", ["none", "last", "all"])
@pytest.mark.parametrize(("zone", "expression", "begin", "due"), CHANGES, ids=TITLES)
def test_over_a_change_of_the_clocks_a_schedule_runs_once_a_day_whatever_its_catch_up(
    database: Database,
    inline: Inline,
    schedules: Schedules,
    zone: str,
    expression: str,
    begin: str,
    due: list[str],
    missed: Any,
) -> None:
    worker = inline(report)
    move_to(database, begin)
    schedules.put("s", report, spec=Cron(expression, zone, catch_up=CatchUp(missed)))
    worker.run_for(2 * DAY + 12 * HOUR)
    assert ran(schedules) == due
    assert skipped(schedules) == []
    results = [one.result for one in worker.client.list(prefix="sched:s:")]
    assert results == [f"all at {one[-5:]}" for one in due]


@pytest.mark.parametrize("missed", ["none", "last", "all"])
@pytest.mark.parametrize(("zone", "expression", "begin", "due"), CHANGES, ids=TITLES)
def test_after_a_downtime_over_a_change_of_the_clocks_each_catch_up_runs_what_it_says(
    database: Database,
    inline: Inline,
    schedules: Schedules,
    zone: str,
    expression: str,
    begin: str,
    due: list[str],
    missed: Any,
) -> None:
    worker = inline(report)
    move_to(database, begin)
    schedules.put("s", report, spec=Cron(expression, zone, catch_up=CatchUp(missed, most=2)))
    advance(database, 2 * DAY + 12 * HOUR)
    worker.run_until_idle()
    runs = {"none": 0, "last": 1, "all": 2}[missed]
    assert ran(schedules) == due[3 - runs :]
    assert skipped(schedules) == due[: 3 - runs]
    assert len(worker.client.list(prefix="sched:s:", states=["completed"])) == runs


def test_a_time_in_the_gap_does_not_run_when_the_schedule_says_so(
    database: Database, inline: Inline, schedules: Schedules
) -> None:
    worker = inline(report)
    move_to(database, "2026-03-28T00:00")
    schedules.put("s", report, spec=Cron("30 2 * * *", "Europe/Berlin", gap="skip"))
    worker.run_for(2 * DAY + 12 * HOUR)
    assert ran(schedules) == ["03-28 01:30", "03-30 00:30"]


def test_clocks_that_tick_at_once_start_each_occurrence_once(database: Database, schedules: Schedules) -> None:
    names = [f"s{number}" for number in range(3)]
    for name in names:
        schedules.put(name, report, spec=Every(timedelta(seconds=1), catch_up=CatchUp("all", most=1000)))
    clocks, rounds = 4, 8
    together = threading.Barrier(clocks + 1)
    started: list[int] = []

    def clock() -> None:
        for _ in range(rounds):
            together.wait()
            started.append(tick(database))
            together.wait()

    threads = [threading.Thread(target=clock) for _ in range(clocks)]
    for thread in threads:
        thread.start()
    for _ in range(rounds):
        advance(database, timedelta(seconds=20))
        together.wait()
        together.wait()
    for thread in threads:
        thread.join()
    workflows = Client(database).list(prefix="sched:", limit=10_000)
    assert len(workflows) == sum(started) >= 3 * 20 * rounds
    for name in names:
        due = [one.due_at for one in reversed(schedules.occurrences(name, limit=10_000))]
        assert due == [due[0] + timedelta(seconds=number) for number in range(len(due))]
        assert all(one.run == 1 for one in workflows)


def test_two_workers_tick_by_themselves_and_run_each_occurrence_once(
    database: Database, working: Working, schedules: Schedules
) -> None:
    working(report)
    working(report)
    schedules.put("s", report, "tick", spec=Every(timedelta(seconds=1)))
    client = Client(database)
    eventually(lambda: len(client.list(prefix="sched:s:", states=["completed"])) >= 3, within=20)
    schedules.pause("s")
    occurrences = schedules.occurrences("s")
    assert len({one.workflow_id for one in occurrences}) == len(occurrences)
    assert all(one.run == 1 for one in client.list(prefix="sched:s:"))


def test_the_row_of_an_occurrence_decides_although_a_clock_comes_late(database: Database, schedules: Schedules) -> None:
    move_to(database, "2026-06-01T11:59:30")
    schedules.put("s", report, spec=Cron("* * * * *"))
    with database.transaction("test") as connection:
        connection.execute(
            text("INSERT INTO durable.occurrences VALUES ('s', '2026-06-01T12:00Z', 'sched:s:20260601T120000Z')")
        )
    advance(database, timedelta(minutes=1))
    assert tick(database) == 0
    advance(database, timedelta(minutes=1))
    assert tick(database) == 1
    assert [one.workflow_id for one in Client(database).list()] == ["sched:s:20260601T120100Z"]


def test_a_clock_that_dies_before_its_commit_leaves_the_occurrence_to_the_next(
    database: Database, schedules: Schedules
) -> None:
    schedules.put("s", report, spec=Every(HOUR, catch_up=CatchUp("last")))
    advance(database, HOUR)

    def die(point: str) -> None:
        if point == "commit.before schedule":
            raise KeyboardInterrupt

    injection.install(die)
    try:
        with pytest.raises(KeyboardInterrupt):
            tick(database)
    finally:
        injection.install(None)
    assert Client(database).list() == []
    assert schedules.occurrences("s") == []
    assert tick(database) == 1
    assert tick(database) == 0


def test_a_paused_schedule_does_not_run_and_goes_on_without_what_it_missed(
    database: Database, inline: Inline, schedules: Schedules
) -> None:
    worker = inline(report)
    move_to(database, "2026-06-01T10:30")
    schedules.put("s", report, spec=Cron("0 * * * *", catch_up=CatchUp("all")))
    assert schedules.pause("s")
    assert not schedules.pause("s")
    assert schedules.list()[0].paused
    assert schedules.list()[0].next == ()
    worker.run_for(3 * HOUR)
    assert schedules.resume("s")
    assert not schedules.resume("s")
    worker.run_for(HOUR)
    assert ran(schedules) == ["06-01 14:00"]
    assert skipped(schedules) == []


def test_a_paused_schedule_stays_paused_when_it_is_put_again(database: Database, schedules: Schedules) -> None:
    schedules.put("s", report, spec=Every(HOUR))
    schedules.pause("s")
    assert schedules.put("s", report, spec=Every(DAY))
    assert schedules.list()[0].paused
    advance(database, 2 * DAY)
    assert tick(database) == 0


def test_a_trigger_starts_the_workflow_now_beside_the_regular_times(
    database: Database, inline: Inline, schedules: Schedules
) -> None:
    worker = inline(report)
    move_to(database, "2026-06-01T10:30")
    schedules.put("s", report, "by hand", spec=Cron("0 * * * *"))
    schedules.pause("s")
    workflow_id = schedules.trigger("s")
    assert schedules.trigger("s") != workflow_id
    worker.run_until_idle()
    assert worker.client.describe(workflow_id).result == "by hand at 10:30"
    assert ran(schedules) == ["06-01 10:30", "06-01 10:30"]
    schedules.resume("s")
    worker.run_for(HOUR)
    assert ran(schedules)[2:] == ["06-01 11:00"]


def test_a_trigger_gives_the_hint_that_something_is_due(database: Database) -> None:
    hints: list[str] = []
    schedules = Schedules(database, hint=lambda: hints.append("due"))
    schedules.put("s", report, spec=Every(HOUR))
    assert hints == []
    schedules.trigger("s")
    assert hints == ["due"]


def test_the_same_schedule_put_again_changes_nothing(database: Database, inline: Inline, schedules: Schedules) -> None:
    worker = inline(report)
    move_to(database, "2026-06-01T10:30")
    spec = Cron("0 * * * *", "Europe/Berlin", jitter=timedelta(minutes=3))
    assert schedules.put("s", report, "x", spec=spec)
    before = schedules.list()[0].decided_until
    advance(database, 2 * HOUR)
    assert not schedules.put("s", report, "x", spec=spec)
    assert schedules.list()[0].decided_until == before
    worker.run_until_idle()
    assert skipped(schedules) == ["06-01 11:00", "06-01 12:00"]


def test_a_changed_schedule_takes_effect_from_now(database: Database, inline: Inline, schedules: Schedules) -> None:
    worker = inline(report)
    move_to(database, "2026-06-01T10:30")
    schedules.put("s", report, spec=Cron("0 * * * *", catch_up=CatchUp("all")))
    advance(database, 2 * HOUR)
    assert schedules.put("s", report, spec=Cron("15 * * * *", catch_up=CatchUp("all")))
    worker.run_for(2 * HOUR)
    assert ran(schedules) == ["06-01 13:15", "06-01 14:15"]
    assert skipped(schedules) == []


def test_changed_arguments_and_workflows_keep_the_times(
    database: Database, inline: Inline, schedules: Schedules
) -> None:
    worker = inline(report, other)
    move_to(database, "2026-06-01T10:30")
    spec = Cron("0 * * * *", catch_up=CatchUp("all"))
    schedules.put("s", report, "old", spec=spec)
    advance(database, 2 * HOUR)
    assert schedules.put("s", report, "new", spec=spec)
    worker.run_until_idle()
    assert [one.result for one in worker.client.list()] == ["new at 12:30", "new at 12:30"]
    assert schedules.put("s", other, spec=spec)
    worker.run_for(HOUR)
    assert worker.client.describe("sched:s:20260601T130000Z").name == "other"


def test_the_options_of_the_workflow_go_for_what_a_schedule_starts(database: Database, schedules: Schedules) -> None:
    schedules.put("s", nightly, spec=Every(HOUR, catch_up=CatchUp("last")))
    advance(database, HOUR)
    assert tick(database) == 1
    with database.reading() as connection:
        row = connection.execute(
            text("SELECT queue, priority, deadline_at - w.wake_at AS deadline, keep_for FROM durable.workflows w"
                 " JOIN durable.runs r ON r.workflow_key = w.key")
        ).one()  # fmt: skip
    assert tuple(row) == ("nightly", 7, HOUR, DAY)


def test_jitter_delays_the_start_and_not_the_name_of_an_occurrence(
    database: Database, inline: Inline, schedules: Schedules
) -> None:
    worker = inline(report)
    move_to(database, "2026-06-01T10:30")
    schedules.put("s", report, spec=Cron("0 * * * *", jitter=timedelta(minutes=50)))
    worker.run_for(26 * HOUR)
    first = worker.client.describe("sched:s:20260601T110000Z")
    delays = [one.created_at.minute for one in worker.client.list(prefix="sched:s:")]
    assert first.created_at.hour == 11
    assert len(delays) >= 25
    assert len(set(delays)) > 10
    assert max(delays) < 50


def test_an_interval_runs_at_its_multiples(database: Database, inline: Inline, schedules: Schedules) -> None:
    worker = inline(report)
    move_to(database, "2026-06-01T10:30")
    schedules.put("s", report, spec=Every(20 * timedelta(minutes=1)))
    worker.run_for(HOUR)
    assert ran(schedules) == ["06-01 10:40", "06-01 11:00", "06-01 11:20"]


def test_the_list_shows_every_schedule_with_its_next_five_times(database: Database, schedules: Schedules) -> None:
    move_to(database, "2026-03-27T12:00")
    berlin = Cron("30 2 * * *", "Europe/Berlin")
    schedules.put("b", other, spec=Every(HOUR))
    schedules.put("a", report, spec=berlin)
    first, second = schedules.list()
    assert (first.name, first.workflow, first.spec, first.paused) == ("a", "report", berlin, False)
    assert [f"{due:%d %H:%M}" for due in first.next] == ["28 01:30", "29 01:00", "30 00:30", "31 00:30", "01 00:30"]
    assert (second.name, len(second.next)) == ("b", 5)
    advance(database, 2 * DAY)  # what no worker has seen to is not to come any more
    assert [f"{due:%d %H:%M}" for due in schedules.list()[0].next][:2] == ["30 00:30", "31 00:30"]


def test_the_last_run_of_each_schedule_is_shown_with_the_state_of_its_workflow(
    database: Database, inline: Inline, schedules: Schedules
) -> None:
    for name in ("s", "never"):
        schedules.put(name, report, spec=Every(HOUR))
    schedules.pause("never")
    [first, second] = [schedules.trigger("s"), schedules.trigger("s")]
    assert (schedules.latest()["s"].workflow_id, schedules.latest()["s"].state) == (second, "ready")
    inline(report).run_until_idle()
    assert (schedules.latest()["s"].state, list(schedules.latest())) == ("completed", ["s"])
    Operator(database).purge(second)
    assert (schedules.latest()["s"].state, first != second) == (None, True)


def test_a_deleted_schedule_runs_no_more_and_what_it_started_goes_on(
    database: Database, inline: Inline, schedules: Schedules
) -> None:
    worker = inline(report)
    schedules.put("s", report, spec=Every(HOUR))
    workflow_id = schedules.trigger("s")
    schedules.delete("s")
    assert schedules.list() == []
    advance(database, DAY)
    assert worker.run_until_idle() == 1
    assert worker.client.describe(workflow_id).state == "completed"


@pytest.mark.parametrize("act", ["pause", "resume", "trigger", "delete"])
def test_what_is_asked_of_a_schedule_that_is_not_there_is_refused_by_name(schedules: Schedules, act: str) -> None:
    with pytest.raises(ScheduleNotFound, match="'nosuch'"):
        getattr(schedules, act)("nosuch")


def test_a_name_that_makes_no_workflow_id_is_refused(schedules: Schedules) -> None:
    with pytest.raises(ValueError, match="printable characters"):
        schedules.put("a/b", report, spec=Every(HOUR))
    assert schedules.list() == []


def test_a_year_without_a_worker_is_over_in_one_tick_and_leaves_few_rows(
    database: Database, schedules: Schedules
) -> None:
    schedules.put("s", report, spec=Every(timedelta(seconds=1), catch_up=CatchUp("last")))
    schedules.put("c", report, spec=Cron("* * * * *", "Europe/Berlin", catch_up=CatchUp("all", most=3)))
    advance(database, timedelta(days=365))
    tick(database)
    assert len(schedules.occurrences("s")) <= 10 + 12
    assert len(schedules.occurrences("c")) <= 10 + 3 + 2


def test_a_schedule_this_release_cannot_read_is_left_alone_and_disturbs_no_other(
    database: Database, schedules: Schedules
) -> None:
    move_to(database, "2026-06-01T10:30")
    schedules.put("strange", report, spec=Cron("0 * * * *"))
    schedules.put("s", report, spec=Cron("0 * * * *"))
    with database.transaction("test") as connection:
        connection.execute(text("UPDATE durable.schedules SET spec = '{\"kind\":\"Lunar\"}' WHERE name = 'strange'"))
    move_to(database, "2026-06-01T11:00:10")
    assert tick(database) == 1
    assert tick(database) == 0
    assert ran(schedules) == ["06-01 11:00"]
    strange = schedules.list()[1]
    assert (strange.name, strange.spec, strange.next) == ("strange", None, ())
    assert f"{strange.decided_until:%H:%M}" == "10:30"


def test_old_occurrences_are_forgotten_in_bounded_batches(database: Database, schedules: Schedules) -> None:
    schedules.put("a", report, spec=Every(HOUR, catch_up=CatchUp("all")))
    schedules.put("b", report, spec=Every(HOUR, catch_up=CatchUp("all")))
    advance(database, DAY)
    tick(database)
    advance(database, 5 * HOUR)
    tick(database)

    def forget(most: int) -> int:
        with database.transaction("prune") as connection:
            return prune(connection, "occurrences", 6 * HOUR, most=most)

    assert [forget(20), forget(20), forget(20)] in ([20, 20, 6], [20, 20, 8])
    assert 4 <= len(schedules.occurrences("a")) <= 6
    assert tick(database) == 0
