"""The page of one workflow: what it shows of a run, and what it lets whom do."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from markupsafe import escape

from durable import RetryPolicy, Workflow, activity, call, gather, receive, set_status, start_child, workflow
from durable.errors import WorkflowNotFound
from durable.model import WorkflowState
from durable.testing import InlineWorker, advance
from handlers.records import acts
from tests.integration.api.programs import approval, broken, delivery, echo, everything
from tests.integration.dashboard.conftest import House

Begin = Callable[..., str]
HOSTILE = '</script></pre><script>alert("x")</script><!--]-->'


@activity(retry=RetryPolicy(attempts=1))
def explode(message: str) -> None:
    raise RuntimeError(message)


@workflow
def exploding(message: str) -> None:
    explode(message)


@workflow
def raising(message: str) -> None:
    raise ValueError(message)


@activity
def number_of(number: int) -> int:
    return number


@workflow
def counting(many: int) -> str:
    for number in range(many):
        number_of(number)
    return "x" * 5_000


@activity
def sign_in(user: str, password: str) -> int:
    return len(user + password)


@workflow
def signing_in(given: dict[str, str]) -> int:
    return sign_in(given["user"], given["password"])


@workflow
def listening() -> None:
    receive("never")


@workflow
def parenting() -> None:
    set_status({"children": 1})
    start_child(listening, workflow_id="child:1")
    gather(call(listening), call(number_of, 7))


@pytest.fixture(autouse=True)
def _mended() -> None:
    broken.clear()


@pytest.fixture
def begin(house: House) -> Iterator[Begin]:
    """Begins one of our own workflows, does what is due, and gives the address of its page."""
    ours: list[Workflow[..., Any]] = [exploding, raising, counting, signing_in, listening, parenting]
    worker = InlineWorker(house.database, workflows=ours)

    def make(declared: Any, *args: Any, workflow_id: str = "w") -> str:
        house.client.start(declared, *args, workflow_id=workflow_id)
        worker.run_until_idle()
        house.worker.run_until_idle()
        return f"/workflows/{quote(workflow_id, safe='')}"

    yield make
    worker.close()


def do(client: httpx.Client, workflow_id: str, verb: str, form: Any = None, **headers: str) -> httpx.Response:
    """Send the form of a verb from the workflow's page."""
    address = f"/workflows/{quote(workflow_id, safe='')}"
    return client.post(f"{address}/{verb}", data=form or {}, headers={"Referer": f"http://bot{address}"} | headers)


def state_of(house: House, workflow_id: str = "w") -> WorkflowState:
    return house.client.describe(workflow_id).state


def verbs_on(page: str, workflow_id: str = "w") -> set[str]:
    return set(re.findall(rf'<form method="post" action="/workflows/{workflow_id}/(\w+)"', page))


# --- what is shown ------------------------------------------------------------------------------------------------------


def test_nobody_sees_a_workflow_without_signing_in(house: House, begin: Begin) -> None:
    assert house.anonymous.get(begin(echo, 1)).status_code == 401


@pytest.mark.parametrize(
    "address", ["/workflows/nobody", "/workflows/w?run=7", "/workflows/w?run=x", "/workflows/a%00b"]
)
def test_what_is_not_there_is_named(house: House, begin: Begin, address: str) -> None:
    begin(echo, 1)
    answer = house.viewer.get(address)
    assert answer.status_code == 404
    assert "nobody" in answer.text or "run" in answer.text


def test_a_run_is_shown_with_its_steps_and_values(house: House, begin: Begin) -> None:
    page = house.page(begin(delivery, {"to": "Ada", "password": "geheim"}))
    for word in ("completed", "deliver", "Ada", "Input", "Status", "Result", '<svg class="plot gantt"', 'id="step-1"'):
        assert word in page
    assert "geheim" not in page


def test_a_workflow_that_has_not_begun_says_so(house: House) -> None:
    house.client.start(echo, 1, workflow_id="w")
    page = house.page("/workflows/w")
    assert "It has not taken a step yet" in page
    assert 'class="state ready"' in page


def test_what_was_given_by_position_is_shown_by_name_so_that_its_secret_is_hidden(house: House, begin: Begin) -> None:
    page = unescape(house.page(begin(signing_in, {"user": "ada", "password": "geheim"})))
    assert page.count('"user": "ada"') == 2  # the workflow's and the step's
    assert page.count('"password": "[hidden]"') == 2
    assert "geheim" not in page


def test_a_failure_is_shown_with_its_traceback_and_no_secret(house: House, begin: Begin) -> None:
    page = house.page(begin(exploding, f"bad password=hunter2 xoxb-1-2-abc {HOSTILE}"))
    for word in ("RuntimeError: bad password=[hidden]", "Traceback (most recent call last)", "in explode"):
        assert word in page
    for bad in ("<script>alert", "hunter2", "xoxb-1"):
        assert bad not in page


def test_everything_from_elsewhere_is_only_words(house: House, begin: Begin) -> None:
    hostile = HOSTILE.replace("/", "!")
    address = begin(listening, workflow_id=hostile)
    house.client.signal(hostile, HOSTILE, {HOSTILE: HOSTILE}, key=HOSTILE)
    house.management.operator.suspend(hostile, HOSTILE)
    with house.database.transaction("test") as connection:
        acts.note(connection, HOSTILE, "suspend", hostile, HOSTILE)
    page = house.page(address)
    assert page.count("&lt;script&gt;") > 5
    assert "<script>" not in page
    for verb in ("resume", "terminate"):
        assert f"{verb}" in house.admin.get(address).text
    assert "<script>" not in house.admin.get(address).text


def test_a_long_value_is_cut_and_the_step_alone_has_it_whole(house: House, begin: Begin) -> None:
    address = begin(delivery, "y" * 5_000)
    page = house.page(address)
    assert "more characters are not shown" in page
    assert "y" * 4_000 not in page
    assert "y" * 5_000 in house.page(f"{address}?run=1&step=1")
    assert house.viewer.get(f"{address}?step=99").status_code == 404
    assert house.viewer.get(f"{address}?step=x").status_code == 404


def test_a_long_history_is_read_from_its_end(house: House, begin: Begin) -> None:
    address = begin(counting, 230)
    page = house.page(address)
    assert ('id="step-230"' in page, 'id="step-131"' in page, 'id="step-130"' in page) == (True, True, False)
    earlier = re.search(r'href="([^"]*)" rel="next"', page)
    assert earlier is not None
    older = house.page(earlier[1].replace("&amp;", "&"))
    assert ('id="step-130"' in older, 'id="step-31"' in older, 'id="step-131"' in older) == (True, True, False)
    assert "Latest steps" in older


def test_signals_are_read_or_unread(house: House, begin: Begin) -> None:
    house.client.start(approval, "x", workflow_id="w")
    house.worker.run_until_idle()
    house.client.signal("w", "other", None, key="2")
    house.client.signal("w", "Approval", {"by": "ada"}, key="1")
    house.worker.run_until_idle()
    page = house.page("/workflows/w")
    assert page.count('<span class="tag on">unread</span>') == 1
    assert '<a href="#step-1">step 1</a>' in page


def test_parents_and_children_link_to_each_other(house: House, begin: Begin) -> None:
    page = house.page(begin(parenting))
    assert 'href="/workflows/child:1"' in page
    assert re.search(r"↳ listening", page)
    assert 'href="/workflows/w"' in house.page("/workflows/child:1")


def test_former_runs_are_kept_and_nothing_can_be_done_to_them(house: House, begin: Begin) -> None:
    begin(echo, "first")
    address = begin(echo, "second")
    assert f'href="{address}?run=1"' in house.page(address)
    former = house.admin.get(f"{address}?run=1").text
    assert "This is run 1, which is over" in former
    assert ("first" in former, "second" in former) == (True, False)
    assert verbs_on(former) == set()


def test_a_flow_is_drawn_with_its_tasks(house: House) -> None:
    run_id = house.management.runs.start("example.SIMPLE_GROUP_ERROR", {"token": "abc"}, f"why {HOSTILE}")
    house.worker.run_until_idle()
    page = house.page(f"/workflows/{run_id}")
    assert '<svg class="graph"' in page
    assert '<g class="task success">' in page
    assert '<g class="task error">' in page
    assert f'<a href="/workflows/{run_id}~1.2.0">' in page
    assert "TASK_ERROR" in page
    assert "ZeroDivisionError" in page
    assert "<script>" not in page
    assert "abc" not in page
    member = house.page(f"/workflows/{run_id}~1.2.0")
    assert f'href="/workflows/{run_id}"' in member


def test_the_page_stays_live(house: House, begin: Begin) -> None:
    house.client.start(approval, "x", workflow_id="w")
    house.worker.run_until_idle()
    with house.viewer.stream("GET", "/workflows/w", headers={"Accept": "text/event-stream"}) as events:
        lines = (line for line in events.iter_lines() if line.startswith("data:"))
        assert "waiting" in next(lines)
        house.client.signal("w", "Approval", True, key="1")
        house.worker.run_until_idle()
        assert any("completed" in line for line in lines)


# --- what can be done ---------------------------------------------------------------------------------------------------

OPEN = {"signal", "suspend", "fork", "cancel", "terminate"}


def test_a_viewer_sees_no_button(house: House, begin: Begin) -> None:
    assert verbs_on(house.page(begin(listening))) == set()


def test_only_what_the_state_allows_is_offered(house: House, begin: Begin) -> None:
    address = begin(listening)
    assert verbs_on(house.admin.get(address).text) == OPEN
    house.management.operator.suspend("w", "wait")
    assert verbs_on(house.admin.get(address).text) == OPEN - {"suspend"} | {"resume"}
    house.client.terminate("w", "enough")
    assert verbs_on(house.admin.get(address).text) == {"restart", "fork", "purge"}
    begin(raising, "no", workflow_id="x")
    assert verbs_on(house.admin.get("/workflows/x").text, "x") == {"rewind", "restart", "purge"}
    run_id = house.management.runs.start("example.WORKFLOW", {})
    house.worker.run_until_idle()
    assert verbs_on(house.admin.get(f"/workflows/{run_id}").text, run_id) == {"relaunch", "restart", "fork", "purge"}


def test_every_form_asks_before_it_does_anything(house: House, begin: Begin) -> None:
    page = house.admin.get(begin(listening)).text
    forms = re.findall(r'<form method="post" action="/workflows/w/\w+"[^>]*>', page)
    assert forms
    assert all("data-confirm=" in form for form in forms)


def suspended(house: House, begin: Begin) -> None:
    begin(listening)
    house.management.operator.suspend("w", "wait")


def failed(house: House, begin: Begin) -> None:
    broken.append("no parcel today")
    begin(delivery, "fragile")
    broken.clear()


def ended(house: House, begin: Begin) -> None:
    begin(echo, 1)


def waiting(house: House, begin: Begin) -> None:
    begin(approval, "x")


def delivered(house: House, begin: Begin) -> None:
    begin(delivery, "x")


DONE: dict[str, tuple[Callable[[House, Begin], None], dict[str, str], str, str]] = {
    "signal": (waiting, {"name": "Approval", "payload": '{"by": "ada"}'}, "completed", "name: Approval"),
    "suspend": (waiting, {"reason": "maintenance"}, "paused", "reason: maintenance"),
    "resume": (suspended, {}, "ready", ""),
    "rewind": (failed, {"reason": "parcels again", "step": ""}, "completed", "reason: parcels again"),
    "restart": (ended, {"new_id": ""}, "completed", ""),
    "fork": (delivered, {"step": "1", "new_id": "forked"}, "completed", "step: 1, new_id: forked"),
    "cancel": (waiting, {"reason": "no need"}, "cancelled", "reason: no need"),
    "terminate": (waiting, {"reason": "enough"}, "terminated", "reason: enough"),
}


@pytest.mark.parametrize("verb", DONE)
def test_a_verb_is_done_by_its_form_and_stands_in_the_audit(house: House, begin: Begin, verb: str) -> None:
    prepare, form, after, detail = DONE[verb]
    prepare(house, begin)
    answer = do(house.admin, "w", verb, form)
    assert answer.status_code == 303
    assert answer.headers["location"] == ("/workflows/forked" if verb == "fork" else "/workflows/w")
    house.worker.run_until_idle()
    assert state_of(house) == after
    page = house.page("/workflows/w")
    assert f'<td data-name="did">{verb}</td>' in page
    assert f'data-name="with" class="clip soft">{detail or "-"}</td>' in page
    with house.database.reading() as connection:
        [act] = acts.latest(connection, subject="w")
    assert (act.actor, act.outcome) == ("token (admin)", "done")


@pytest.mark.parametrize("verb", [*DONE, "purge", "relaunch"])
def test_a_verb_is_refused_to_whoever_may_not(house: House, begin: Begin, verb: str) -> None:
    prepare, form, _, _ = DONE.get(verb, (ended, {}, "", ""))
    prepare(house, begin)
    before = state_of(house)
    assert do(house.anonymous, "w", verb, form).status_code == 401
    assert do(house.viewer, "w", verb, form).status_code == 403
    assert do(house.admin, "w", verb, form, Origin="https://evil.example").status_code == 403
    assert do(house.admin, "w", verb, form, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert state_of(house) == before
    with house.database.reading() as connection:
        assert acts.latest(connection) == []


def test_a_purged_workflow_is_gone_and_the_list_is_shown(house: House, begin: Begin) -> None:
    ended(house, begin)
    assert do(house.admin, "w", "purge").headers["location"] == "/workflows"
    with pytest.raises(WorkflowNotFound):
        house.client.describe("w")
    assert "purge" in house.page("/audit?subject=w")


def test_a_relaunched_flow_has_a_page_of_its_own(house: House) -> None:
    run_id = house.management.runs.start("example.WORKFLOW", {"n": 1})
    house.worker.run_until_idle()
    location = do(house.admin, run_id, "relaunch").headers["location"]
    assert location not in (f"/workflows/{run_id}", "/")
    assert house.viewer.get(location).status_code == 200


def test_a_restart_may_have_a_new_id(house: House, begin: Begin) -> None:
    ended(house, begin)
    assert do(house.admin, "w", "restart", {"new_id": "again 2"}).headers["location"] == "/workflows/again%202"
    assert state_of(house, "again 2") == "ready"


def test_a_rewind_may_name_its_step(house: House, begin: Begin) -> None:
    failed(house, begin)
    assert '<option value="1">step 1: deliver</option>' in house.admin.get("/workflows/w").text
    do(house.admin, "w", "rewind", {"reason": "now", "step": "1"})
    house.worker.run_until_idle()
    assert state_of(house) == "completed"


@pytest.mark.parametrize(
    ("verb", "form", "told"),
    [
        ("resume", {}, "resume takes one that is paused"),
        ("rewind", {"reason": "x"}, "rewind takes one that is failed"),
        ("rewind", {"reason": "x", "step": "one"}, "its number in the history"),
        ("restart", {}, "restart takes one that is completed"),
        ("restart", {"new_id": "a/b"}, "none of /"),
        ("purge", {}, "purge takes one that is completed"),
        ("fork", {"step": "9", "new_id": "f"}, "has no step 9"),
        ("fork", {"step": "1", "new_id": ""}, "1 to 256"),
        ("fork", {"step": "1", "new_id": "w"}, "is taken"),
        ("suspend", {"reason": " "}, "Say why"),
        ("terminate", {}, "Say why"),
        ("cancel", {"reason": "\x00"}, "Say why"),
        ("signal", {"name": ""}, "A signal needs a name"),
        ("relaunch", {}, "no flow has a run"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_band(
    house: House, begin: Begin, verb: str, form: dict[str, str], told: str
) -> None:
    waiting(house, begin)
    answer = do(house.admin, "w", verb, form)
    assert answer.status_code == 303
    page = house.admin.get(answer.headers["location"]).text
    assert '<p class="band refused"' in page
    assert told in page
    assert state_of(house) == "waiting"
    with house.database.reading() as connection:
        assert (acts.latest(connection)[0].outcome or "").startswith("refused: ")


@pytest.mark.parametrize("payload", ["{", "approved", "NaN", "[" * 10_000, '"</textarea><script>alert(1)</script>'])
def test_a_payload_that_is_no_json_is_shown_again_to_be_mended(house: House, begin: Begin, payload: str) -> None:
    waiting(house, begin)
    answer = do(house.admin, "w", "signal", {"name": "Approval", "payload": payload})
    assert answer.status_code == 422
    assert "The payload is no JSON" in answer.text
    assert 'value="Approval"' in answer.text
    assert f"\n{escape(payload)}</textarea>" in answer.text
    assert "<script>" not in answer.text
    assert state_of(house) == "waiting"
    assert house.client.describe("w").unread_signals == 0


def test_who_was_asked_to_end_is_not_asked_twice(house: House, begin: Begin) -> None:
    suspended(house, begin)
    assert do(house.admin, "w", "cancel", {"reason": "one"}).status_code == 303
    do(house.admin, "w", "cancel", {"reason": "two"})
    assert "It was asked to end before" in house.page("/audit")
    assert "one" in house.page("/workflows/w")


@pytest.mark.parametrize("verb", [*DONE, "purge", "relaunch"])
def test_a_verb_for_what_is_not_there_is_refused(house: House, verb: str) -> None:
    form = DONE[verb][1] if verb in DONE else {}
    assert do(house.admin, "nobody", verb, form).status_code == 303
    assert do(house.admin, "a\x00b", verb, form).status_code == 303
    audit = house.page("/audit")
    assert audit.count("refused: ") == 2


def test_a_payload_with_a_secret_is_not_kept_in_the_audit(house: House, begin: Begin) -> None:
    waiting(house, begin)
    do(house.admin, "w", "signal", {"name": "Approval", "payload": '{"password": "geheim"}'})
    assert "geheim" not in house.page("/audit")
    assert "geheim" not in house.page("/workflows/w")
    house.worker.run_until_idle()
    assert "geheim" not in house.page("/workflows/w")


def test_what_is_due_is_counted_down(house: House, begin: Begin) -> None:
    waiting(house, begin)
    advance(house.database, timedelta(days=1))
    page = house.page("/workflows/w")
    assert "Wakes next" in page
    assert "in 2 d" in page or "in 1 d" in page


def test_a_gather_is_one_step(house: House, begin: Begin) -> None:
    page = house.page(begin(everything, ["Tokyo", "Seattle"]))
    assert "gather deliver x2" in page
