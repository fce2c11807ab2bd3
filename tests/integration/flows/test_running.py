"""How a flow runs: what tasks are called with, groups and chains in each other, hooks, queues, retries, failures."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.demo.waiting import eventually
from durable import Found, RetryPolicy, heartbeat, info
from durable.errors import WorkflowClosed
from durable.flows import FlowRuns, load, task
from durable.operator import Operator
from durable.testing import InlineWorker
from durable.worker import Worker
from tests.integration.flows.conftest import Stage, by_key, write

calls: list[tuple[str, tuple[Any, ...]]] = []
broken: set[str] = set()
let_go = threading.Event()

FLOWS = """
    parts.CHAIN: {tasks: [ONE, TWO, THREE]}
    parts.GROUP: {tasks: [ONE, PAIR: {type: group, tasks: [TWO, THREE]}, FOUR]}
    parts.TWO_GROUPS: {tasks: [{G: {type: group, tasks: [ONE, TWO]}}, {G: {type: group, tasks: [THREE, FOUR]}}]}
    parts.CHAIN_IN_CHAIN: {tasks: [ONE, C: {type: chain, tasks: [TWO, THREE]}, FOUR]}
    parts.NESTED:
      tasks:
        - ONE
        - OUTER:
            type: group
            tasks:
              - TWO
              - LINE: {type: chain, tasks: [THREE, {INNER: {type: group, tasks: [FOUR, FIVE]}}, SIX]}
              - PAIR: {type: group, tasks: [SEVEN, {LINE: {type: chain, tasks: [EIGHT, NINE]}}]}
        - TEN
    parts.HOOKED: {tasks: [ONE, TWO], hooks: {success: THREE, failure: FOUR}}
    parts.QUEUED:
      tasks: [ONE, {G: {type: group, tasks: [TWO, THREE]}}, FOUR]
      queue: {default: day, customs: {THREE: night, FOUR: night}}
    parts.PATIENT:
      tasks:
        - ONE: {retry: {attempts: 3, first: 10s, factor: 3}, timeout: 30}
        - PAIR: {type: group, tasks: [TWO: {retry: {attempts: 2, first: 5}}, LIMITS: {timeout: 2m}]}
    parts.DECLARED: {tasks: [STUBBORN, LIMITS, BOUND]}
    parts.LOOKED_FOR: {tasks: [LETTER]}
    parts.HELD: {tasks: [ONE, {G: {type: group, tasks: [HOLD, {C: {type: chain, tasks: [HOLD]}}]}}, TWO]}
"""


def _declare(name: str) -> None:
    @task(name=name)
    def speak(*args: Any, **_kwargs: Any) -> str:
        calls.append((name, args))
        if name in broken:
            raise OSError(f"{name} is broken")
        return name.lower()


for _name in ("ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE", "TEN"):
    _declare(_name)


@task(name="LIMITS")
def limits(*_args: Any, **kwargs: Any) -> dict[str, Any]:
    heartbeat()
    return {"timeout": info().timeout, "kwargs": kwargs}


@task(name="STUBBORN", retry=RetryPolicy(first=60, attempts=2), timeout=7)
def stubborn(*_args: Any, **_kwargs: Any) -> float:
    if info().attempt == 1:
        raise OSError("not yet")
    return info().timeout


@task(bind=True, name="BOUND")
def bound(self: Any, *_args: Any, **_kwargs: Any) -> str:
    return f"this is {self.name}"


@task(name="HOLD")
def hold(*_args: Any, **_kwargs: Any) -> None:
    assert let_go.wait(30)


def find_letter(*_args: Any, **kwargs: Any) -> Found[str] | None:
    return Found("found") if kwargs["payload"] == "sent before" else None


@task(name="LETTER", verify=find_letter, timeout=5)
def letter(*_args: Any, **_kwargs: Any) -> str:
    if info().attempt == 1:
        raise OSError("the line broke")
    return "sent"


@pytest.fixture(scope="module")
def stage(staged: Callable[..., Stage], tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return staged(write(tmp_path_factory.mktemp("flows"), FLOWS))


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    calls.clear()
    broken.clear()


def run_again(stage: Stage, run_id: str) -> None:
    """Rewind a failed run with everything mended, noting only what is called from then on."""
    calls.clear()
    broken.clear()
    Operator(stage.database).rewind(run_id, "mended")
    stage.worker.run_until_idle()


def test_each_task_of_a_chain_gets_the_result_of_the_one_before_and_the_first_gets_none(stage: Stage) -> None:
    assert stage.run("parts.CHAIN").status == "success"
    assert calls == [("ONE", (None,)), ("TWO", ("one",)), ("THREE", ("two",))]


def test_members_of_a_group_get_the_result_before_it_and_what_follows_gets_the_list_of_theirs(stage: Stage) -> None:
    grouped = stage.run("parts.GROUP")
    assert sorted(calls[1:3]) == [("THREE", ("one",)), ("TWO", ("one",))]
    assert calls[3] == ("FOUR", (["two", "three"],))
    one, two, three, four = grouped.tasks
    assert (two.previous, three.previous, four.previous) == ([one.id], [one.id], [two.id, three.id])


def test_a_group_after_a_group_gets_the_list(stage: Stage) -> None:
    stage.run("parts.TWO_GROUPS")
    assert sorted(calls) == [
        ("FOUR", (["one", "two"],)),
        ("ONE", (None,)),
        ("THREE", (["one", "two"],)),
        ("TWO", (None,)),
    ]


def test_a_chain_in_a_chain_is_part_of_it(stage: Stage) -> None:
    chained = stage.run("parts.CHAIN_IN_CHAIN")
    assert [name for name, _ in calls] == ["ONE", "TWO", "THREE", "FOUR"]
    assert [task.previous for task in chained.tasks[1:]] == [[task.id] for task in chained.tasks[:-1]]


def test_every_task_gets_the_payload_and_the_id_of_its_run(stage: Stage) -> None:
    patient = stage.run("parts.PATIENT", {"a": [1, None]})
    assert by_key(patient)["LIMITS"].result["kwargs"] == {"payload": {"a": [1, None]}, "workflow_id": patient.id}


def test_groups_and_chains_stand_in_each_other_as_deep_as_one_likes(stage: Stage) -> None:
    nested = stage.run("parts.NESTED")
    assert nested.status == "success"
    assert dict(calls) == {
        "ONE": (None,),
        "TWO": ("one",),
        "THREE": ("one",),
        "FOUR": ("three",),
        "FIVE": ("three",),
        "SIX": (["four", "five"],),
        "SEVEN": ("one",),
        "EIGHT": ("one",),
        "NINE": ("eight",),
        "TEN": (["two", "six", ["seven", "nine"]],),
    }
    tasks = by_key(nested)
    assert list(tasks) == ["ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE", "TEN"]
    assert {task.result for task in nested.tasks} == {key.lower() for key in tasks}
    before = {key: {other.key for other in nested.tasks if other.id in task.previous} for key, task in tasks.items()}
    assert before == {
        "ONE": set(),
        "TWO": {"ONE"},
        "THREE": {"ONE"},
        "FOUR": {"THREE"},
        "FIVE": {"THREE"},
        "SIX": {"FOUR", "FIVE"},
        "SEVEN": {"ONE"},
        "EIGHT": {"ONE"},
        "NINE": {"EIGHT"},
        "TEN": {"TWO", "SIX", "SEVEN", "NINE"},
    }


def test_a_failure_deep_inside_fails_the_flow_when_all_beside_it_has_ended(stage: Stage) -> None:
    broken.update({"FIVE", "EIGHT"})
    nested = stage.run("parts.NESTED")
    assert nested.status == "error"
    assert {task.key: (task.status, task.reached) for task in nested.tasks} == {
        **dict.fromkeys(("ONE", "TWO", "THREE", "FOUR", "SEVEN"), ("success", True)),
        **dict.fromkeys(("FIVE", "EIGHT"), ("error", True)),
        **dict.fromkeys(("SIX", "NINE", "TEN"), ("pending", False)),
    }
    failed = by_key(nested)["FIVE"].result
    assert failed["exception"] == "FIVE is broken"
    assert "in speak" in failed["traceback"]


@pytest.mark.parametrize(
    ("name", "wrong", "again"),
    [
        ("parts.CHAIN", {"TWO"}, ["TWO", "THREE"]),
        ("parts.GROUP", {"THREE"}, ["THREE", "FOUR"]),
        ("parts.GROUP", {"TWO", "THREE"}, ["TWO", "THREE", "FOUR"]),
        ("parts.NESTED", {"FIVE"}, ["FIVE", "SIX", "TEN"]),
        ("parts.NESTED", {"TWO", "FOUR", "FIVE", "NINE"}, ["TWO", "FOUR", "FIVE", "SIX", "NINE", "TEN"]),
        ("parts.HOOKED", {"TWO", "FOUR"}, ["TWO", "THREE"]),
        ("parts.HOOKED", {"THREE"}, ["THREE"]),
        ("parts.QUEUED", {"THREE"}, ["THREE", "FOUR"]),
        ("parts.QUEUED", {"FOUR"}, ["FOUR"]),
    ],
)
def test_a_rewind_does_what_failed_again_and_nothing_that_was_done(
    stage: Stage, name: str, wrong: set[str], again: list[str]
) -> None:
    broken.update(wrong)
    failed = stage.run(name)
    assert {task.key for task in failed.tasks if task.status == "error"} == wrong
    run_again(stage, failed.id)
    assert sorted(name for name, _ in calls) == sorted(again)
    rewound = stage.runs.get(failed.id)
    assert rewound.status == "success"
    assert {task.status for task in rewound.tasks} == {"success"}
    assert [task.id for task in rewound.tasks] == [task.id for task in failed.tasks if task.key in by_key(rewound)]


def test_while_a_rewound_group_runs_what_was_done_shows_so(stage: Stage) -> None:
    broken.add("THREE")
    failed = stage.run("parts.GROUP")
    Operator(stage.database).rewind(failed.id, "try again")
    [claim] = stage.worker._taking.take(1, stage.worker._taking.outlook())
    stage.worker._runner.run(claim, 0.0)
    shown = {task.key: task.status for task in stage.runs.get(failed.id).tasks}
    assert shown == {"ONE": "success", "TWO": "success", "THREE": "pending", "FOUR": "pending"}
    stage.worker.run_until_idle()


def test_the_hook_for_success_runs_last_and_that_for_failure_does_not(stage: Stage) -> None:
    hooked = stage.run("parts.HOOKED")
    assert calls == [("ONE", (None,)), ("TWO", ("one",)), ("THREE", (None,))]
    assert [(task.key, task.status, task.is_hook) for task in hooked.tasks] == [
        ("ONE", "success", False),
        ("TWO", "success", False),
        ("THREE", "success", True),
    ]


def test_the_hook_for_failure_runs_without_arguments_and_the_flow_stays_failed(stage: Stage) -> None:
    broken.add("ONE")
    hooked = stage.run("parts.HOOKED")
    assert calls == [("ONE", (None,)), ("FOUR", ())]
    assert hooked.status == "error"
    assert [(task.key, task.status, task.is_hook, task.reached) for task in hooked.tasks] == [
        ("ONE", "error", False, True),
        ("TWO", "pending", False, False),
        ("THREE", "pending", True, False),
        ("FOUR", "success", True, True),
    ]


def test_a_hook_that_fails_shows_why_and_hides_nothing(stage: Stage) -> None:
    broken.update({"ONE", "FOUR"})
    tasks = by_key(stage.run("parts.HOOKED"))
    assert tasks["ONE"].result["exception"] == "ONE is broken"
    assert (tasks["FOUR"].status, tasks["FOUR"].result["exception"]) == ("error", "FOUR is broken")
    broken.clear()
    broken.add("THREE")
    ended = stage.run("parts.HOOKED")
    assert (ended.status, by_key(ended)["THREE"].status) == ("error", "error")
    assert "FOUR" not in by_key(ended)


def test_tasks_run_on_the_queues_their_flow_names(stage: Stage) -> None:
    flows = stage.flows
    run_id = stage.runs.start("parts.QUEUED", {})
    day, night = (
        InlineWorker(stage.database, workflows=flows.workflows(), queues=[queue]) for queue in ("day", "night")
    )
    for worker in (night, day, day):
        worker.run_until_idle()
    shown = {task.key: task.status for task in stage.runs.get(run_id).tasks}
    assert shown == {"ONE": "success", "TWO": "success", "THREE": "pending", "FOUR": "pending"}
    for worker in (night, day, night, day):
        worker.run_until_idle()
    assert stage.runs.get(run_id).status == "success"
    assert calls[-1] == ("FOUR", (["two", "three"],))
    for worker in (day, night):
        worker.close()


def test_a_run_canceled_in_the_middle_of_a_group_ends_its_members(stage: Stage) -> None:
    run_id = stage.runs.start("parts.QUEUED", {})
    day = InlineWorker(stage.database, workflows=stage.flows.workflows(), queues=["day"])
    day.run_until_idle()
    stage.runs.cancel(run_id)
    canceled = stage.runs.get(run_id)
    assert canceled.status == "canceled"
    assert [task.status for task in canceled.tasks] == ["success", "success", "canceled", "canceled"]
    stage.worker.run_until_idle()
    assert [name for name, _ in calls] == ["ONE", "TWO"]
    with pytest.raises(WorkflowClosed):
        stage.runs.cancel(run_id)
    day.close()


def test_a_task_in_hand_is_in_progress_and_its_end_changes_nothing_once_the_run_is_canceled(stage: Stage) -> None:
    worker = Worker(stage.database, workflows=stage.flows.workflows(), slots=2)
    worker.start()
    runs = FlowRuns(stage.database, stage.flows, hint=worker.hint)
    run_id = runs.start("parts.HELD", {})
    eventually(
        lambda: [task.status for task in runs.get(run_id).tasks] == ["success", "progress", "progress", "pending"]
    )
    one, alone, nested, two = (task.workflow_id for task in runs.get(run_id).tasks)
    assert (one, alone, nested, two) == (None, f"{run_id}~1.2.0", f"{run_id}~1.2.1", None)
    runs.cancel(run_id)
    let_go.set()
    worker.stop()
    canceled = runs.get(run_id)
    assert [task.status for task in canceled.tasks] == ["success", "canceled", "canceled", "canceled"]
    assert [task.reached for task in canceled.tasks] == [True, True, True, False]


def test_a_task_is_tried_again_as_the_flow_says_and_its_attempts_show_as_progress(stage: Stage) -> None:
    broken.add("ONE")
    run_id = stage.runs.start("parts.PATIENT", {})
    stage.worker.run_until_idle()
    assert by_key(stage.runs.get(run_id))["ONE"].status == "progress"
    stage.worker.run_for(timedelta(seconds=11))
    assert len(calls) == 2
    broken.clear()
    stage.worker.run_for(timedelta(seconds=31))
    ended = stage.runs.get(run_id)
    assert ended.status == "success"
    assert by_key(ended)["LIMITS"].result["timeout"] == 120


def test_a_member_of_a_group_has_its_own_retries(stage: Stage) -> None:
    broken.add("TWO")
    run_id = stage.runs.start("parts.PATIENT", {})
    stage.worker.run_for(timedelta(seconds=6))
    ended = stage.runs.get(run_id)
    assert [name for name, _ in calls] == ["ONE", "TWO", "TWO"]
    assert (ended.status, by_key(ended)["TWO"].status) == ("error", "error")


def test_a_task_is_tried_again_as_it_was_declared_and_has_an_hour_unless_it_says_otherwise(stage: Stage) -> None:
    run_id = stage.runs.start("parts.DECLARED", {})
    stage.worker.run_for(timedelta(seconds=61))
    tasks = by_key(stage.runs.get(run_id))
    assert tasks["STUBBORN"].result == 7
    assert tasks["LIMITS"].result["timeout"] == 3600
    assert tasks["BOUND"].result == "this is BOUND"


def test_a_task_with_a_look_is_adopted_when_it_had_happened(stage: Stage) -> None:
    run_id = stage.runs.start("parts.LOOKED_FOR", "sent before")
    stage.worker.run_for(timedelta(seconds=5))
    assert by_key(stage.runs.get(run_id))["LETTER"].result == "found"


def test_a_changed_file_does_not_disturb_a_run_under_way(staged: Callable[..., Stage], tmp_path: Path) -> None:
    before = staged(
        write(tmp_path, "change.FLOW: {tasks: [ONE, TWO], queue: {customs: {TWO: later}}}"), queues=["default"]
    )
    run_id = before.runs.start("change.FLOW", {})
    before.worker.run_until_idle()
    after = staged(write(tmp_path, "change.FLOW: {tasks: [THREE, TWO, FOUR]}"))
    after.worker.run_until_idle()
    assert [name for name, _ in calls] == ["ONE", "TWO"]
    assert [task.key for task in after.runs.get(run_id).tasks] == ["ONE", "TWO"]
    assert [task.key for task in after.run("change.FLOW").tasks] == ["THREE", "TWO", "FOUR"]


def test_a_run_whose_task_is_gone_from_the_code_is_paused_and_goes_on_when_it_is_back(
    staged: Callable[..., Stage], tmp_path: Path
) -> None:
    source = """
    @task(name="RETIRED")
    def retired(*args, **kwargs):
        return "back"
    """
    before = staged(write(tmp_path, "gone.FLOW: {tasks: [RETIRED]}", old=source))
    run_id = before.runs.start("gone.FLOW", {})
    (tmp_path / "tasks" / "old.py").unlink()
    without = staged(write(tmp_path, "gone.FLOW: {tasks: [ONE]}"))
    without.worker.run_until_idle()
    paused = without.worker.client.describe(run_id)
    assert paused.state == "paused"
    assert "no task is called 'RETIRED' in the code of this worker" in (paused.reason or "")
    assert without.runs.get(run_id).status == "progress"
    without.worker.client.resume(run_id)
    before.worker.run_until_idle()
    assert before.runs.get(run_id).tasks[0].result == "back"


def test_runs_of_a_flow_that_is_no_longer_there_are_still_shown(staged: Callable[..., Stage], tmp_path: Path) -> None:
    stage = staged(write(tmp_path, "old.FLOW: {tasks: [ONE]}"))
    old = stage.run("old.FLOW", {"a": 1})
    (tmp_path / "flows.yml").write_text("")
    without = FlowRuns(stage.database, load(tmp_path))
    assert without.get(old.id) == old
