"""Director's interface does with Director's own test folder what Director's tests and documentation say."""

from typing import Any
from uuid import UUID

import pytest

from tests.integration.api.conftest import VIEWER, Stage
from tests.support.director import definitions

NOBODY = "e0ee42d8-e00f-4557-8f75-781106dbbea4"


def create(stage: Stage, name: str, payload: Any = None, **more: Any) -> dict[str, Any]:
    project, _, short = name.partition(".")
    body = {"project": project, "name": short, "payload": {} if payload is None else payload} | more
    answer = stage.admin.post("/api/workflows", json=body)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


def test_it_answers_a_ping_to_everybody(stage: Stage) -> None:
    assert stage.anonymous.get("/api/ping").json() == {"message": "pong"}


def test_without_a_token_it_answers_as_director_does(stage: Stage) -> None:
    answer = stage.anonymous.get("/api/workflows")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert answer.json() == {
        "status": 401,
        "error": "unauthorized",
        "message": "Please authenticate to access this API.",
    }


def test_a_token_is_also_the_password_of_any_user(stage: Stage) -> None:
    assert stage.anonymous.get("/api/workflows", auth=("director", VIEWER)).status_code == 200
    assert stage.anonymous.get("/api/workflows", auth=(VIEWER, "director")).status_code == 401


def test_a_run_is_created_pending_and_ends_with_its_tasks(stage: Stage) -> None:
    created = create(stage, "example.SIMPLE_GROUP", {"nested": {"foo": "bar"}}, comment="why")
    assert UUID(created["id"]).version == 4
    assert {key: created[key] for key in ("project", "name", "fullname", "status", "periodic", "payload", "comment")} == {
        "project": "example",
        "name": "SIMPLE_GROUP",
        "fullname": "example.SIMPLE_GROUP",
        "status": "pending",
        "periodic": False,
        "payload": {"nested": {"foo": "bar"}},
        "comment": "why",
    }  # fmt: skip
    stage.worker.run_until_idle()
    ended = stage.viewer.get(f"/api/workflows/{created['id']}").json()
    first, *group = ended["tasks"]
    assert (ended["status"], [task["key"] for task in ended["tasks"]]) == ("success", ["TASK_A", "TASK_B", "TASK_C"])
    assert [task["previous"] for task in group] == [[first["id"]], [first["id"]]]
    assert set(first) >= {
        "id", "created", "updated", "key", "status", "task", "previous", "result", "is_hook"
    }  # fmt: skip


def test_a_run_without_a_comment_has_none(stage: Stage) -> None:
    assert "comment" not in create(stage, "example.WORKFLOW")


def test_a_failed_task_shows_its_exception(stage: Stage) -> None:
    run = create(stage, "example.ERROR")
    stage.worker.run_until_idle()
    shown = stage.admin.get(f"/api/workflows/{run['id']}").json()
    assert (shown["status"], shown["tasks"][0]["status"]) == ("error", "error")
    assert shown["tasks"][0]["result"]["exception"] == "division by zero"


@pytest.mark.parametrize(
    ("body", "error", "count"),
    [
        ({}, "Error validating against schema", 3),
        ({"project": "example"}, "Error validating against schema", 2),
        ({"project": "example", "name": "WORKFLOW"}, "Error validating against schema", 1),
        (
            {"project": "example", "name": "WORKFLOW", "payload": {}, "foo": "bar"},
            "Error validating against schema",
            1,
        ),
        ({"project": "example", "name": "WORKFLOW", "payload": []}, "Error validating against schema", 1),
        ([], "Error validating against schema", 1),
        ({"project": "schemas", "name": "SIMPLE_SCHEMA", "payload": {}}, "Payload is not valid", 1),
        ({"project": "schemas", "name": "SIMPLE_SCHEMA", "payload": {"price": "foo"}}, "Payload is not valid", 2),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(stage: Stage, body: Any, error: str, count: int) -> None:
    answer = stage.admin.post("/api/workflows", json=body)
    assert (answer.status_code, answer.json()["error"], len(answer.json()["errors"])) == (400, error, count)


def test_what_is_no_json_is_a_bad_request(stage: Stage) -> None:
    answer = stage.admin.post("/api/workflows", content=b"{")
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


@pytest.mark.parametrize("name", ["example.NOT_FOUND", "NOT_FOUND.WORKFLOW"])
def test_an_unknown_flow_is_not_found_in_its_words(stage: Stage, name: str) -> None:
    project, _, short = name.partition(".")
    answer = stage.admin.post("/api/workflows", json={"project": project, "name": short, "payload": {}})
    assert (answer.status_code, answer.json()) == (404, {"error": f"Workflow {name} not found"})


@pytest.mark.parametrize("workflow_id", [NOBODY, "no-uuid", "%00", "%ff", "x" * 300])
def test_a_run_that_there_is_not_is_not_found_whatever_its_id(stage: Stage, workflow_id: str) -> None:
    assert stage.admin.get(f"/api/workflows/{workflow_id}").status_code == 404
    for verb in ("relaunch", "cancel"):
        assert stage.admin.post(f"/api/workflows/{workflow_id}/{verb}").status_code == 404


def test_a_run_is_relaunched_with_payload_and_comment(stage: Stage) -> None:
    run = create(stage, "example.WORKFLOW", {"foo": "bar"}, comment="again")
    answer = stage.admin.post(f"/api/workflows/{run['id']}/relaunch")
    again = answer.json()
    assert (answer.status_code, again["payload"], again["comment"]) == (201, {"foo": "bar"}, "again")
    assert again["id"] != run["id"]


def test_a_run_is_canceled_once(stage: Stage) -> None:
    run = create(stage, "example.DELAY_TASK")
    answer = stage.admin.post(f"/api/workflows/{run['id']}/cancel")
    assert (answer.status_code, answer.json()["id"], answer.json()["status"]) == (201, run["id"], "canceled")
    assert stage.admin.post(f"/api/workflows/{run['id']}/cancel").status_code == 409


def test_runs_are_listed_page_by_page_the_newest_first(stage: Stage) -> None:
    created = [create(stage, "example.WORKFLOW")["id"] for _ in range(3)]
    first = stage.admin.get("/api/workflows?page=1&per_page=2").json()
    assert [run["id"] for run in first] == created[:0:-1]
    assert stage.admin.get("/api/workflows?page=2&per_page=2").json()[0]["id"] == created[0]
    assert "payload" in first[0]
    assert "tasks" not in first[0]
    assert "payload" in stage.admin.get("/api/workflows?with_payload=junk").json()[0]
    assert "payload" not in stage.admin.get("/api/workflows?with_payload=false").json()[0]
    for beyond in ("page=4000", "page=0", "page=99999999999999999999", "per_page=-1"):
        assert stage.admin.get(f"/api/workflows?{beyond}").status_code == 404


def test_its_definitions_are_those_of_its_own_test(stage: Stage) -> None:
    assert stage.viewer.get("/api/definitions").json() == definitions()
