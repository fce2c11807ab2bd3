"""Durable Functions' interface: every route with its codes, headers and bodies."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.integration.api.conftest import ADMIN, BASE, Stage
from tests.integration.api.programs import broken

KEYS = {
    "id",
    "statusQueryGetUri",
    "sendEventPostUri",
    "terminatePostUri",
    "rewindPostUri",
    "restartPostUri",
    "suspendPostUri",
    "resumePostUri",
    "purgeHistoryDeleteUri",
}
LONG_AGO = "2001-01-01T00:00:00Z"


def path_of(address: str) -> str:
    return address.removeprefix("http://bot")


def test_a_start_answers_where_to_go_on(stage: Stage) -> None:
    answer = stage.admin.post(f"{BASE}/orchestrators/echo/a-start?taskHub=hub&connection=Storage", json={"n": [1, "ä"]})
    uris = answer.json()
    instance = f"http://bot{BASE}/instances/a-start"
    carried = "taskHub=hub&connection=Storage"
    assert answer.status_code == 202
    assert set(uris) == KEYS
    assert uris["id"] == "a-start"
    assert uris["statusQueryGetUri"] == uris["purgeHistoryDeleteUri"] == f"{instance}?{carried}"
    assert uris["sendEventPostUri"] == f"{instance}/raiseEvent/{{eventName}}?{carried}"
    for verb in ("terminate", "suspend", "resume", "rewind"):
        assert uris[f"{verb}PostUri"] == f"{instance}/{verb}?reason={{text}}&{carried}"
    assert uris["restartPostUri"] == f"{instance}/restart?{carried}"
    assert (answer.headers["location"], answer.headers["retry-after"]) == (uris["statusQueryGetUri"], "10")

    before = stage.admin.get(path_of(uris["statusQueryGetUri"]))
    assert (before.status_code, before.json()["runtimeStatus"], before.headers["retry-after"]) == (202, "Pending", "5")
    assert before.headers["location"] == uris["statusQueryGetUri"]
    stage.worker.run_until_idle()
    after = stage.admin.get(path_of(uris["statusQueryGetUri"]))
    assert after.status_code == 200
    assert list(after.json()) == [
        "name", "instanceId", "runtimeStatus", "input", "customStatus", "output", "createdTime", "lastUpdatedTime",
    ]  # fmt: skip
    assert (after.json()["runtimeStatus"], after.json()["output"]) == ("Completed", {"n": [1, "ä"]})
    datetime.strptime(after.json()["createdTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def test_an_id_is_made_up_of_32_hexadecimal_digits(stage: Stage) -> None:
    made = stage.admin.post(f"{BASE}/orchestrators/echo", content=b"1").json()["id"]
    assert len(made) == 32
    assert int(made, 16) >= 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("orchestrators/nobody", b"1"),
        ("orchestrators/echo/@mine", b"1"),
        ("orchestrators/echo/" + "x" * 257, b"1"),
        ("orchestrators/echo", b"{"),
        ("orchestrators/echo", b"NaN"),
        ("orchestrators/echo", b"[" * 100 + b"]" * 100),
        ("orchestrators/echo", b"[" * 100_000),
        ("orchestrators/echo", b"\xff"),
        ("orchestrators/two_arguments", b"1"),
        ("orchestrators/echo?timeout=x&pollingInterval=1", b"1"),
        ("orchestrators/echo?timeout=1e9&pollingInterval=1", b"1"),
    ],
)
def test_a_start_that_cannot_be_is_refused(stage: Stage, path: str, body: bytes) -> None:
    answer = stage.admin.post(f"{BASE}/{path}", content=body)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_a_body_beyond_the_limit_is_refused(stage: Stage) -> None:
    body = b'"' + b"x" * (8 * 1024 * 1024) + b'"'
    assert stage.admin.post(f"{BASE}/orchestrators/echo", content=body).status_code == 413


def test_an_instance_that_runs_is_not_begun_twice_and_one_that_has_ended_is(stage: Stage) -> None:
    stage.admin.post(f"{BASE}/orchestrators/echo/twice", json=1)
    assert stage.admin.post(f"{BASE}/orchestrators/echo/twice", json=2).status_code == 409
    stage.worker.run_until_idle()
    assert stage.admin.post(f"{BASE}/orchestrators/echo/twice", json=3).status_code == 202


def test_an_id_is_used_again_as_its_workflow_was_declared(stage: Stage) -> None:
    assert stage.admin.post(f"{BASE}/orchestrators/anew/again", json=1).status_code == 202
    assert stage.admin.post(f"{BASE}/orchestrators/anew/again", json=2).status_code == 202
    assert stage.admin.post(f"{BASE}/orchestrators/once/only", json=1).status_code == 202
    stage.worker.run_until_idle()
    assert stage.admin.get(f"{BASE}/instances/again").json()["output"] == 2
    refused = stage.admin.post(f"{BASE}/orchestrators/once/only", json=2)
    assert refused.status_code == 409
    assert "'only' is taken by one that has ended" in refused.text


def test_a_workflow_takes_its_default_when_nothing_is_given(stage: Stage) -> None:
    stage.admin.post(f"{BASE}/orchestrators/delivery/by-default")
    stage.worker.run_until_idle()
    assert stage.admin.get(f"{BASE}/instances/by-default").json()["output"] == "nothing"


def test_whoever_waits_gets_the_output_and_whoever_waits_too_short_the_addresses(stage: Stage) -> None:
    stage.worker.run_until_idle()
    answer = stage.admin.post(f"{BASE}/orchestrators/approval/waits?timeout=0.2&pollingInterval=0.1", json="x")
    assert (answer.status_code, set(answer.json())) == (202, KEYS)


def test_orchestrators_are_only_posted_to(stage: Stage) -> None:
    assert stage.admin.get(f"{BASE}/orchestrators/echo").status_code == 404
    assert stage.admin.put(f"{BASE}/instances/x").status_code == 404


def test_a_path_is_the_same_in_any_case_and_names_are_not(stage: Stage) -> None:
    stage.begin("echo", "In-Any-Case", 5)
    upper = "/Runtime/WebHooks/DurableTask/Instances"
    assert stage.admin.get(f"{upper}/In-Any-Case").json()["output"] == 5
    assert stage.admin.get(f"{upper}/in-any-case").status_code == 404
    assert stage.admin.post(f"{upper}/In-Any-Case/TERMINATE").status_code == 410
    assert stage.admin.get(f"{upper}/?instanceIdPrefix=In-Any").json()[0]["instanceId"] == "In-Any-Case"


def test_the_code_of_the_query_is_a_token(stage: Stage) -> None:
    path = f"{BASE}/instances?code="
    assert stage.anonymous.get(path + ADMIN).status_code == 200
    assert stage.anonymous.get(path + "wrong").status_code == 401
    assert stage.anonymous.get(f"/api/workflows?code={ADMIN}").status_code == 401


def test_the_history_is_shown_on_request_and_its_results_too(stage: Stage) -> None:
    path = stage.begin("everything", "history", ["Tokyo", "Oslo"])
    assert "historyEvents" not in stage.admin.get(path).json()
    shown = stage.admin.get(f"{path}?showHistory=true&showHistoryOutput=TRUE&showInput=false").json()
    events = shown["historyEvents"]
    assert shown["input"] is None
    assert [(event["EventType"], event.get("Result")) for event in events] == [
        ("ExecutionStarted", None),
        ("TaskCompleted", "Tokyo"),
        ("TaskCompleted", "Oslo"),
        ("TimerFired", None),
        ("ExecutionCompleted", {"number": 2}),
    ]
    assert events[1]["FunctionName"] == "deliver"
    assert [event["Timestamp"] for event in events] == sorted(event["Timestamp"] for event in events)
    without = stage.admin.get(f"{path}?showHistory=true").json()["historyEvents"]
    assert all("Result" not in event for event in without)


def test_an_event_is_raised_until_the_end(stage: Stage) -> None:
    path = stage.begin("approval", "raised", "lunch")
    event = f"{path}/raiseEvent/Approval"
    assert stage.admin.post(event, content=b"true").status_code == 400
    assert stage.admin.post(event, content=b"tru", headers={"Content-Type": "application/json"}).status_code == 400
    answer = stage.admin.post(event, json=True)
    assert (answer.status_code, answer.content) == (202, b"")
    stage.worker.run_until_idle()
    shown = stage.admin.get(f"{path}?showHistory=true").json()
    assert shown["output"] == {"subject": "lunch", "approved": True}
    assert [event.get("Name") for event in shown["historyEvents"]][1] == "Approval"
    assert stage.admin.post(event, json=True).status_code == 410
    assert stage.admin.post(f"{BASE}/instances/nobody/raiseEvent/Approval", json=True).status_code == 404


def test_an_instance_is_suspended_resumed_and_terminated(stage: Stage) -> None:
    path = stage.begin("approval", "steered", "lunch")

    def status() -> tuple[int, str]:
        answer = stage.admin.get(path)
        return answer.status_code, answer.json()["runtimeStatus"]

    assert status() == (202, "Running")
    for verb, seen in (
        ("suspend", "Suspended"),
        ("suspend", "Suspended"),
        ("resume", "Running"),
        ("resume", "Running"),
    ):
        answer = stage.admin.post(f"{path}/{verb}?reason=why")
        stage.worker.run_until_idle()
        assert (answer.status_code, answer.content, status()) == (202, b"", (202, seen))
    assert stage.admin.delete(path).status_code == 409
    assert stage.admin.post(f"{path}/rewind").status_code == 400
    assert stage.admin.post(f"{path}/terminate?reason=enough%00").status_code == 202
    assert (status(), stage.admin.get(path).json()["output"]) == ((200, "Terminated"), "enough")
    for verb in ("terminate", "suspend", "resume", "rewind"):
        assert stage.admin.post(f"{path}/{verb}").status_code == 410
        assert stage.admin.post(f"{BASE}/instances/nobody/{verb}").status_code == 404


def test_a_failed_instance_is_rewound(stage: Stage) -> None:
    broken.append("no driver")
    path = stage.begin("delivery", "failed", "parcel")
    shown = stage.admin.get(path)
    assert (shown.status_code, shown.json()["runtimeStatus"]) == (200, "Failed")
    assert "no driver" in shown.json()["output"]
    assert stage.admin.get(f"{path}?returnInternalServerErrorOnFailure=true").status_code == 500
    history = stage.admin.get(f"{path}?showHistory=true").json()["historyEvents"]
    assert [(event["EventType"], event.get("Reason")) for event in history][1] == ("TaskFailed", "no driver")
    broken.clear()
    assert stage.admin.post(f"{path}/rewind?reason=mended").status_code == 202
    stage.worker.run_until_idle()
    assert stage.admin.get(path).json()["output"] == "parcel"


def test_an_instance_is_begun_once_more_under_a_new_id_or_its_own(stage: Stage) -> None:
    path = stage.begin("echo", "again", {"n": 1})
    other = stage.admin.post(f"{path}/restart").json()
    assert other["id"] != "again"
    same = stage.admin.post(f"{path}/restart?restartWithNewInstanceId=false")
    assert (same.status_code, same.json()["id"]) == (202, "again")
    assert stage.admin.post(f"{path}/restart?restartWithNewInstanceId=false").status_code == 409
    stage.worker.run_until_idle()
    assert stage.admin.get(path_of(other["statusQueryGetUri"])).json()["output"] == {"n": 1}
    assert stage.admin.post(f"{BASE}/instances/nobody/restart").status_code == 400


def test_the_list_is_paged_by_the_token_in_its_header(stage: Stage) -> None:
    for number in range(5):
        stage.begin("echo", f"paged-{number}", number)
    seen: list[str] = []
    headers: dict[str, str] = {}
    while True:
        answer = stage.admin.get(f"{BASE}/instances?instanceIdPrefix=paged-&top=2", headers=headers)
        assert answer.status_code == 200
        seen += [item["instanceId"] for item in answer.json()]
        if "x-ms-continuation-token" not in answer.headers:
            break
        headers = {"x-ms-continuation-token": answer.headers["x-ms-continuation-token"]}
    assert seen == [f"paged-{number}" for number in (4, 3, 2, 1, 0)]
    bad = {"x-ms-continuation-token": "bad"}
    assert stage.admin.get(f"{BASE}/instances", headers=bad).status_code == 400


def test_the_list_is_filtered(stage: Stage) -> None:
    stage.begin("echo", "filter-ended", 1)
    stage.begin("approval", "filter-open", "x")

    def found(query: str) -> list[str]:
        answer = stage.admin.get(f"{BASE}/instances?instanceIdPrefix=filter-&{query}")
        assert answer.status_code == 200, answer.text
        return sorted(item["instanceId"] for item in answer.json())

    assert found("") == ["filter-ended", "filter-open"]
    assert found("runtimeStatus=completed") == ["filter-ended"]
    assert found("runtimeStatus=Running,Suspended") == ["filter-open"]
    assert found("runtimeStatus=Running&runtimeStatus=Completed") == ["filter-ended", "filter-open"]
    assert found("runtimeStatus=ContinuedAsNew") == []
    assert found(f"createdTimeTo={LONG_AGO}") == []
    assert found(f"createdTimeFrom={LONG_AGO}") == ["filter-ended", "filter-open"]
    inputs = stage.admin.get(f"{BASE}/instances?instanceIdPrefix=filter-&showInput=false").json()
    assert [item["input"] for item in inputs] == [None, None]
    for wrong in ("runtimeStatus=Sleeping", "createdTimeFrom=yesterday"):
        assert stage.admin.get(f"{BASE}/instances?{wrong}").status_code == 400


def test_an_input_that_this_process_cannot_read_is_not_shown(stage: Stage) -> None:
    path = stage.begin("echo", "strange", 1)
    foreign = '[[{"$":"data","of":"Foreign","v":{}}],{}]'
    with stage.worker.database.transaction("strange") as connection:
        connection.execute(
            text(
                "UPDATE durable.runs SET input = :foreign FROM durable.workflows w"
                " WHERE w.key = workflow_key AND w.workflow_id = 'strange'"
            ),
            {"foreign": foreign},
        )
    assert (stage.admin.get(path).json()["input"], stage.admin.get(path).json()["output"]) == (None, 1)
    assert stage.admin.get(f"{BASE}/instances?instanceIdPrefix=strange").json()[0]["input"] is None


def test_one_and_many_are_forgotten(stage: Stage) -> None:
    path = stage.begin("echo", "forget-one", 1)
    answer = stage.admin.delete(path)
    assert (answer.status_code, answer.json()) == (200, {"instancesDeleted": 1})
    assert stage.admin.delete(path).status_code == 404

    open_ = stage.begin("approval", "forget-open", "x")
    before: dict[str, Any] = stage.admin.get(f"{BASE}/instances?runtimeStatus=Completed&top=1000").json()
    for number in range(3):
        stage.begin("echo", f"forget-{number}", number)
    assert stage.admin.delete(f"{BASE}/instances").status_code == 400
    future = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert stage.admin.delete(f"{BASE}/instances?createdTimeFrom={future}").status_code == 404
    many = stage.admin.delete(f"{BASE}/instances?createdTimeFrom={LONG_AGO}&runtimeStatus=Completed")
    assert (many.status_code, many.json()) == (200, {"instancesDeleted": len(before) + 3})
    assert stage.admin.get(open_).status_code == 202
