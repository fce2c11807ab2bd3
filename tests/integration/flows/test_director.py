"""Celery Director's own flows do here what its tests and its documentation say."""

from collections.abc import Callable
from pathlib import Path

import pytest

from durable.errors import WorkflowNotFound
from durable.flows import FlowNotFound, PayloadRefused, load
from tests.integration.flows.conftest import Stage, by_key
from tests.support.director import definitions, make_new_project, make_test_folder


@pytest.fixture(scope="module")
def stage(staged: Callable[..., Stage], tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return staged(make_test_folder(tmp_path_factory.mktemp("director")))


def test_its_definitions_are_read_as_it_reads_them(stage: Stage) -> None:
    read = [
        {"fullname": name, "project": flow.project, "name": flow.name, **flow.raw}
        for name, flow in sorted(stage.flows.flows.items())
    ]
    assert read == definitions()


@pytest.mark.parametrize(
    ("name", "status", "tasks"),
    [
        ("example.WORKFLOW", "success", {"TASK_EXAMPLE": "success"}),
        ("example.ERROR", "error", {"TASK_ERROR": "error"}),
        ("example.SIMPLE_CHAIN", "success", {"TASK_A": "success", "TASK_B": "success", "TASK_C": "success"}),
        ("example.SIMPLE_CHAIN_ERROR", "error", {"TASK_A": "success", "TASK_B": "success", "TASK_ERROR": "error"}),
        ("example.SIMPLE_GROUP", "success", {"TASK_A": "success", "TASK_B": "success", "TASK_C": "success"}),
        ("example.SIMPLE_GROUP_ERROR", "error", {"TASK_A": "success", "TASK_ERROR": "error", "TASK_C": "success"}),
        ("example.TASK_ROUTING", "success", {"TASK_A": "success", "TASK_B": "success", "TASK_C": "success"}),
        ("example.CELERY_ERROR_ONE_TASK", "error", {"TASK_CELERY_ERROR": "error"}),
        ("example.CELERY_ERROR_MULTIPLE_TASKS", "error", {"TASK_A": "success", "TASK_CELERY_ERROR": "error"}),
        ("example.FAILURE_HOOK", "error", {"TASK_A": "success", "TASK_ERROR": "error", "TASK_B": "success"}),
        ("example.SUCCESSANDFAILURE_HOOK", "success", {"TASK_A": "success", "TASK_B": "success"}),
    ],
)
def test_each_flow_ends_as_its_tests_expect(stage: Stage, name: str, status: str, tasks: dict[str, str]) -> None:
    ended = stage.run(name)
    assert ended.status == status
    assert {task.key: task.status for task in ended.tasks} == tasks


def test_values_come_back_as_they_were_returned(stage: Stage) -> None:
    results = {task.key: task.result for task in stage.run("example.RETURN_VALUES").tasks}
    assert results == {
        "STR": "return_value",
        "INT": 1234,
        "LIST": ["jack", "sape", "guido"],
        "NONE": None,
        "DICT": {"foo": "bar"},
        "NESTED": {
            "jack": 4098,
            "sape": 4139,
            "guido": 4127,
            "nested": {"foo": "bar"},
            "none": None,
            "list": ["jack", "sape", "guido"],
        },
    }


@pytest.mark.parametrize("name", ["example.RETURN_EXCEPTION", "example.SIMPLE_GROUP_ERROR"])
def test_a_failed_task_shows_its_exception_and_its_traceback(stage: Stage, name: str) -> None:
    result = by_key(stage.run(name))["TASK_ERROR"].result
    assert list(result) == ["exception", "traceback"]
    assert result["exception"] == "division by zero"
    assert result["traceback"].startswith("Traceback (most recent call last)")
    assert "ZeroDivisionError: division by zero" in result["traceback"]


def test_what_no_json_can_hold_fails_its_task_and_says_what_it_was(stage: Stage) -> None:
    result = by_key(stage.run("example.CELERY_ERROR_ONE_TASK"))["TASK_CELERY_ERROR"].result
    assert "value: builtins.object has no form in JSON" in result["exception"]


def test_before_a_worker_takes_it_a_run_and_its_tasks_are_pending(stage: Stage) -> None:
    waiting = stage.runs.get(stage.runs.start("example.SIMPLE_GROUP", {}))
    assert waiting.status == "pending"
    assert [(task.key, task.status, task.reached) for task in waiting.tasks] == [
        ("TASK_A", "pending", False),
        ("TASK_B", "pending", False),
        ("TASK_C", "pending", False),
    ]
    first, *group = waiting.tasks
    assert first.previous == []
    assert [task.previous for task in group] == [[first.id], [first.id]]
    assert stage.runs.get(waiting.id) == waiting
    stage.worker.run_until_idle()
    assert [task.id for task in stage.runs.get(waiting.id).tasks] == [task.id for task in waiting.tasks]


def test_a_canceled_run_and_its_tasks_are_canceled(stage: Stage) -> None:
    run_id = stage.runs.start("example.DELAY_TASK", {})
    stage.runs.cancel(run_id)
    canceled = stage.runs.get(run_id)
    assert (canceled.status, [task.status for task in canceled.tasks]) == ("canceled", ["canceled"])


def test_a_payload_is_held_against_the_schema_in_its_words(stage: Stage) -> None:
    with pytest.raises(PayloadRefused) as refused:
        stage.runs.start("schemas.SIMPLE_SCHEMA", {})
    assert refused.value.errors == ["'name' is a required property"]
    with pytest.raises(PayloadRefused) as refused:
        stage.runs.start("schemas.SIMPLE_SCHEMA", {"price": "foo"})
    assert sorted(refused.value.errors) == ["'foo' is not of type 'number'", "'name' is a required property"]
    assert stage.run("schemas.SIMPLE_SCHEMA", {"name": "foo", "price": 100}).status == "success"


def test_a_relaunch_repeats_payload_and_comment(stage: Stage) -> None:
    first = stage.runs.start("example.WORKFLOW", {"nested": {"foo": "bar"}}, "This is an example workflow.")
    again = stage.runs.get(stage.runs.relaunch(first))
    assert (again.payload, again.comment, again.full_name) == (
        {"nested": {"foo": "bar"}},
        "This is an example workflow.",
        "example.WORKFLOW",
    )
    assert again.id != first


def test_what_is_not_there_is_not_found(stage: Stage) -> None:
    with pytest.raises(FlowNotFound, match=r"^Workflow example.NOT_FOUND not found$"):
        stage.runs.start("example.NOT_FOUND", {})
    for ask in (stage.runs.get, stage.runs.relaunch, stage.runs.cancel):
        with pytest.raises(WorkflowNotFound):
            ask("e0ee42d8-e00f-4557-8f75-781106dbbea4")


def test_a_new_project_of_its_init_runs(staged: Callable[..., Stage], tmp_path: Path) -> None:
    new = staged(make_new_project(tmp_path / "new"))
    assert new.run("example.ETL").status == "success"
    randoms = new.run("example.RANDOMS", {"start": 1, "end": 6})
    *drawn, added = (task.result for task in randoms.tasks)
    assert added == sum(drawn)
    assert all(1 <= number <= 6 for number in drawn)
    assert [task.previous for task in randoms.tasks][-1] == [task.id for task in randoms.tasks[:2]]


def test_loading_it_twice_gives_the_same(tmp_path: Path) -> None:
    folder = make_test_folder(tmp_path)
    assert load(folder).flows == load(folder).flows
