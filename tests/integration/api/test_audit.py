"""What is asked for over HTTP stands in the audit, with the role that asked."""

import pytest

from handlers.records import acts
from handlers.records.acts import Act
from tests.integration.api.conftest import BASE, Stage


def noted(stage: Stage, since: int) -> list[Act]:
    with stage.services.dashboard.database.reading() as connection:
        return [act for act in reversed(acts.latest(connection)) if act.id > since]


@pytest.fixture
def since(stage: Stage) -> int:
    with stage.services.dashboard.database.reading() as connection:
        return max((act.id for act in acts.latest(connection)), default=0)


def said(act: Act) -> tuple[str, str, str, str | None]:
    return act.actor, act.act, act.subject, act.outcome


def test_a_change_is_noted_before_its_answer(stage: Stage, since: int) -> None:
    stage.admin.post(f"{BASE}/orchestrators/approval/a:1?code=s3cret", json={"card": "s3cret"})
    stage.admin.post(f"{BASE}/instances/a:1/raiseEvent/other", json="s3cret")
    stage.admin.post(f"{BASE}/instances/a:1/terminate?reason=too late")
    stage.admin.delete(f"{BASE}/instances/a:1")
    found = noted(stage, since)
    assert [said(act) for act in found] == [
        ("http:admin", "run", "a:1", "done"),
        ("http:admin", "signal", "a:1", "done"),
        ("http:admin", "terminate", "a:1", "done"),
        ("http:admin", "purge", "a:1", "done"),
    ]
    assert found[2].detail == f"POST {BASE}/instances/a:1/terminate?reason=too+late, 127.0.0.1"
    assert not [act for act in found if "s3cret" in repr(act)]


def test_directors_runs_are_noted_by_the_flow_they_are_of(stage: Stage, since: int) -> None:
    begun = stage.admin.post("/api/workflows", json={"project": "example", "name": "WORKFLOW", "payload": {}})
    stage.admin.post(f"/api/workflows/{begun.json()['id']}/cancel")
    assert [said(act) for act in noted(stage, since)] == [
        ("http:admin", "run", "example.WORKFLOW", "done"),
        ("http:admin", "cancel", begun.json()["id"], "done"),
    ]


def test_what_is_refused_is_noted_with_the_reason(stage: Stage, since: int) -> None:
    assert stage.admin.post(f"{BASE}/instances/nobody/resume").status_code == 404
    assert stage.admin.post("/api/workflows", content=b"{").status_code == 400
    first, second = noted(stage, since)
    assert said(first)[:3] == ("http:admin", "resume", "nobody")
    assert str(first.outcome).startswith("refused: ")
    assert second.subject == "/api/workflows"
    assert str(second.outcome).startswith("refused: the body is not valid JSON")


def test_looking_and_being_turned_away_is_not_noted(stage: Stage, since: int) -> None:
    stage.admin.get("/api/workflows")
    stage.viewer.post(f"{BASE}/instances/nobody/resume")
    stage.anonymous.post(f"{BASE}/instances/nobody/resume")
    stage.admin.post(f"{BASE}/instances/nobody/resume", headers={"Origin": "https://evil.example"})
    assert noted(stage, since) == []
