"""What flows do without being asked: periodic runs, forgetting old ones, and what is started by its name alone."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from durable import workflow
from durable.client import Client
from durable.definitions import Workflow
from durable.flows import FlowRun, task
from durable.operator import Operator
from durable.scheduler import Schedules
from durable.schedules import Every
from durable.testing import advance
from tests.integration.flows.conftest import Stage, write

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
heard: list[Any] = []


@task(name="LISTEN")
def listen(*_args: Any, **kwargs: Any) -> str:
    heard.append(kwargs["payload"])
    return str(kwargs["workflow_id"])


@task(name="SNAP")
def snap(*_args: Any, **_kwargs: Any) -> None:
    raise OSError("broken")


@workflow
def of_somebody_else() -> None:
    """A workflow that is no flow."""


@pytest.fixture
def stage(staged: Callable[..., Stage], tmp_path: Path) -> Iterator[Callable[[str], Stage]]:
    made: list[Stage] = []

    def make(flows: str) -> Stage:
        made.append(staged(write(tmp_path, flows)))
        made[-1].flows.put_schedules(made[-1].database)
        heard.clear()
        return made[-1]

    yield make
    for schedule in Schedules(made[-1].database).list():
        Schedules(made[-1].database).delete(schedule.name)


def runs_of(stage: Stage, name: str) -> list[FlowRun]:
    return [run for run in stage.runs.page(1, 1000) if run.full_name == name]


def started(stage: Stage, name: str) -> Workflow[..., Any]:
    return next(declared for declared in stage.flows.workflows() if declared.name == name)


def test_a_periodic_flow_runs_by_itself_with_its_payload(stage: Callable[[str], Stage]) -> None:
    made = stage("by.ITSELF: {tasks: [LISTEN], periodic: {interval: 60, payload: {who: all}}}")
    made.worker.run_for(timedelta(minutes=5))
    due = Schedules(made.database).occurrences("flow:by.ITSELF")
    assert len(due) >= 5
    assert heard == [{"who": "all"}] * len(due)
    runs = runs_of(made, "by.ITSELF")
    assert [run.id for run in runs] == [occurrence.workflow_id for occurrence in due]
    assert {(run.status, run.periodic, run.comment) for run in runs} == {("success", True, None)}
    latest = made.runs.get(runs[0].id)
    assert [(task.key, task.result) for task in latest.tasks] == [("LISTEN", latest.id)]
    again = made.runs.get(made.runs.relaunch(latest.id))
    assert (again.payload, again.periodic) == ({"who": "all"}, False)
    made.worker.run_until_idle()


@pytest.mark.parametrize("when", ["crontab: 0 9 13 * 5", "schedule: 0 9 5 13 *"])
def test_a_crontab_asks_for_days_that_match_both_and_a_legacy_schedule_has_its_fields_in_another_order(
    stage: Callable[[str], Stage], when: str
) -> None:
    made = stage(f"by.CRON: {{tasks: [LISTEN], periodic: {{{when}}}}}")
    [schedule] = Schedules(made.database).list()
    assert (schedule.name, schedule.workflow) == ("flow:by.CRON", "by.CRON")
    assert {(due.hour, due.day, due.isoweekday()) for due in schedule.next} == {(9, 13, 5)}


@pytest.mark.parametrize("seconds", ["3600", "3600.0", "'3600'"])
def test_a_legacy_schedule_may_be_a_number_of_seconds(stage: Callable[[str], Stage], seconds: str) -> None:
    made = stage(f"by.NUMBER: {{tasks: [LISTEN], periodic: {{schedule: {seconds}}}}}")
    made.worker.run_for(timedelta(hours=2))
    assert heard == [{}] * len(Schedules(made.database).occurrences("flow:by.NUMBER"))
    assert len(heard) >= 2


def test_schedules_follow_the_file_and_leave_those_of_others_alone(stage: Callable[[str], Stage]) -> None:
    first = stage(
        "by.A: {tasks: [LISTEN], periodic: {interval: 60}}\nby.B: {tasks: [LISTEN], periodic: {interval: 60}}"
    )
    schedules = Schedules(first.database)
    schedules.put("somebody's", of_somebody_else, spec=Every(HOUR))
    schedules.pause("flow:by.A")
    changed = stage("by.A: {tasks: [LISTEN], periodic: {interval: 120}}\nby.B: {tasks: [LISTEN]}")
    assert [(there.name, there.paused, there.spec) for there in schedules.list()] == [
        ("flow:by.A", True, Every(timedelta(minutes=2))),
        ("somebody's", False, Every(HOUR)),
    ]
    changed.flows.put_schedules(changed.database)
    assert len(schedules.list()) == 2


def test_two_deployments_on_one_database_leave_each_others_schedules_alone(
    stage: Callable[[str], Stage], staged: Callable[..., Stage], tmp_path: Path
) -> None:
    ours = stage("our.A: {tasks: [LISTEN], periodic: {interval: 60}}\nour.B: {tasks: [LISTEN], retention: {offset: 1}}")
    schedules = Schedules(ours.database)
    kept = {there.name for there in schedules.list()}
    elsewhere = tmp_path / "elsewhere"
    theirs = staged(write(elsewhere, "their.A: {tasks: [LISTEN], periodic: {interval: 60}, retention: {offset: 1}}"))
    theirs.flows.put_schedules(ours.database)
    assert kept < {there.name for there in schedules.list()}
    ours.flows.put_schedules(ours.database)
    assert len(schedules.list()) == len(kept) + 2
    staged(write(elsewhere, "their.B: {tasks: [LISTEN]}")).flows.put_schedules(ours.database)
    assert {there.name for there in schedules.list()} == kept


def test_of_a_flow_with_retention_the_newest_ended_runs_are_kept_however_old_they_are(
    stage: Callable[[str], Stage],
) -> None:
    made = stage(
        """
        kept.TWO: {tasks: [G: {type: group, tasks: [LISTEN, {C: {type: chain, tasks: [LISTEN]}}]}], retention: {offset: 2}}
        kept.NONE: {tasks: [LISTEN], retention: {offset: 0}}
        kept.ALL: {tasks: [LISTEN], retention: {offset: -1}}
        kept.OPEN: {tasks: [LISTEN], retention: {offset: 0}}
        """
    )
    [schedule] = Schedules(made.database).list()
    assert schedule.name.startswith("flow:retention-")
    for name in ("kept.TWO", "kept.NONE", "kept.ALL"):
        for _ in range(4):
            assert made.run(name).status == "success"
    Operator(made.database).suspend(made.runs.start("kept.OPEN", {}), "still needed")
    advance(made.database, timedelta(days=400))
    made.worker._upkeep.prune()
    newest = [run.id for run in runs_of(made, "kept.TWO")[:2]]
    made.worker.run_for(DAY)
    assert [run.id for run in runs_of(made, "kept.TWO")] == newest
    assert [len(runs_of(made, name)) for name in ("kept.NONE", "kept.OPEN")] == [0, 1]
    parts = [found.workflow_id for found in Client(made.database).list() if found.name == "flow_part"]
    assert sorted(part.partition("~")[0] for part in parts) == sorted(newest)


@pytest.mark.parametrize("purge", ["one", "all that failed"])
def test_a_run_that_is_purged_takes_its_parts_along(stage: Callable[[str], Stage], purge: str) -> None:
    made = stage(
        "gone.DEEP: {tasks: [G: {type: group, tasks: [LISTEN, {C: {type: chain, tasks: [LISTEN, {D: {type: group, tasks:"
        " [LISTEN, SNAP, {E: {type: chain, tasks: [LISTEN]}}]}}]}}]}], retention: {offset: 5}}"
    )
    operator, run, other = Operator(made.database), made.run("gone.DEEP"), made.run("gone.DEEP")
    assert run.status == other.status == "error"
    assert len(workflows_of(made, run)) > 2
    if purge == "one":
        operator.purge(run.id)
        assert len(workflows_of(made, other)) > 2
    else:
        operator.purge_ended(timedelta(0), states=["failed"])
        assert workflows_of(made, other) == []
    assert workflows_of(made, run) == []


def workflows_of(stage: Stage, run: FlowRun) -> list[str]:
    """What the database holds of a run, members included."""
    with stage.database.reading() as connection:
        asked = text("SELECT workflow_id FROM durable.workflows WHERE starts_with(workflow_id, :id)")
        return list(connection.scalars(asked, {"id": run.id}))


def test_a_flow_started_by_its_name_and_payload_alone_is_a_run_like_any(stage: Callable[[str], Stage]) -> None:
    made = stage("by.HAND: {tasks: [LISTEN], hooks: {success: LISTEN}}")
    declared, client = started(made, "by.HAND"), Client(made.database)
    client.start(declared, {"a": 1}, workflow_id="by hand")
    waiting = made.runs.get("by hand")
    assert (waiting.status, waiting.payload, [task.key for task in waiting.tasks]) == (
        "pending",
        {"a": 1},
        ["LISTEN", "LISTEN"],
    )
    client.start(declared, workflow_id="with nothing")
    made.worker.run_until_idle()
    assert heard == [{"a": 1}, {"a": 1}, {}, {}]
    ended = made.runs.get("by hand")
    assert (ended.status, ended.periodic, ended.comment) == ("success", False, None)
    assert [(task.id, task.result) for task in ended.tasks] == [(task.id, "by hand") for task in waiting.tasks]


def test_its_payload_is_held_against_the_schema_all_the_same(staged: Callable[..., Stage], tmp_path: Path) -> None:
    folder = write(tmp_path, "by.SCHEMA: {tasks: [LISTEN], schema: person}")
    (folder / "schemas").mkdir()
    (folder / "schemas" / "person.json").write_text('{"required": ["name"]}')
    made = staged(folder)
    Client(made.database).start(started(made, "by.SCHEMA"), {}, workflow_id="nameless")
    made.worker.run_until_idle()
    refused = made.worker.client.describe("nameless")
    assert (refused.state, refused.reason) == ("failed", "PayloadRefused: 'name' is a required property")
    assert [task.status for task in made.runs.get("nameless").tasks] == ["pending"]


def test_runs_are_paged_the_newest_first_and_only_runs_of_flows_count(stage: Callable[[str], Stage]) -> None:
    made = stage("by.PAGE: {tasks: [G: {type: group, tasks: [LISTEN, {C: {type: chain, tasks: [LISTEN]}}]}]}")
    before = made.runs.count()
    Client(made.database).start(of_somebody_else, workflow_id="no flow")
    ids = [made.runs.start("by.PAGE", {"number": number}, f"comment {number}") for number in range(5)]
    made.worker.run_until_idle()
    assert made.runs.count() == before + 5
    assert [run.id for run in made.runs.page(1, 2)] == [ids[4], ids[3]]
    assert [run.id for run in made.runs.page(2, 2)] == [ids[2], ids[1]]
    assert [(run.payload, run.comment, run.tasks) for run in made.runs.page(3, 2)[:1]] == [
        ({"number": 0}, "comment 0", [])
    ]
    assert made.runs.page(1000, 2) == []
