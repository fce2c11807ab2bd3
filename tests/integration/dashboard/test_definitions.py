"""The page of definitions, and the forms that begin them."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from durable.model import Filter
from durable.scheduler import Schedules
from durable.schedules import Every
from tests.integration.api.programs import echo
from tests.integration.dashboard.conftest import House
from tests.integration.dashboard.test_workers import latest_act

SCHEMA = "/definitions/schemas.SIMPLE_SCHEMA/run"
HOSTILE = "</textarea><script>alert(1)</script>"


def send(house: House, name: str, **fields: str) -> httpx.Response:
    """An admin sends the form of this definition; `field_x` is the field of x."""
    form = {key.replace("field_", "field."): value for key, value in fields.items()}
    return house.admin.post(f"/definitions/{name}/run", data=form)


def begun(house: House, answer: httpx.Response) -> Any:
    """What came of the workflow that was begun."""
    assert answer.status_code == 303, answer.text
    house.worker.run_until_idle()
    return house.client.describe(unquote(answer.headers["location"].removeprefix("/workflows/")))


def in_all(house: House) -> int:
    """How many workflows there are."""
    return len(house.client.search(Filter()).items)


def test_definitions_are_listed_with_what_they_take_and_how_a_flow_goes(house: House) -> None:
    page = house.page("/definitions")
    assert "<code>name: string</code>" in page
    assert "<code>price?: number</code>" in page
    assert "<code>subject: str</code>" in page
    assert "<code>parcel?: Any</code>" in page
    assert "Waits for a decision." in page
    group = page.split("example.SIMPLE_GROUP</span>")[1].partition("</td>")[0]
    assert re.findall(r'<span class="task">(\w+)</span>', group) == ["TASK_A", "TASK_B", "TASK_C"]
    assert group.index('class="group"') > group.index("TASK_A")
    assert "after failure: TASK_B" in page
    assert "q1, q2" in page
    assert house.anonymous.get("/definitions").status_code == 401


def test_a_viewer_sees_definitions_and_forms_but_no_button_and_may_not_run(house: House) -> None:
    assert "/run" not in house.page("/definitions").partition("<main")[2].partition("</main>")[0]
    page = house.page(SCHEMA)
    assert "an admin may run this" in page
    assert "<button" not in page.partition("<main")[2].partition("</main>")[0]
    for path in (SCHEMA, "/definitions/echo/run"):
        assert [client.post(path).status_code for client in (house.viewer, house.anonymous)] == [403, 401]
    assert in_all(house) == 0


def test_what_runs_by_itself_says_when(house: House) -> None:
    Schedules(house.database).put("often", echo, "x", spec=Every(timedelta(minutes=5)))
    assert "every 5 min" in house.page("/definitions").split(">echo</span>")[1].partition("</tr>")[0]


def test_a_flow_runs_with_what_was_typed_into_the_form_of_its_schema(house: House) -> None:
    page = house.admin.get(SCHEMA).text
    assert ('name="field.name"' in page, 'name="field.price"' in page) == (True, True)
    answer = send(house, "schemas.SIMPLE_SCHEMA", field_name="Ada", field_price="2.5", comment="by hand")
    workflow = begun(house, answer)
    run = house.management.runs.get(workflow.workflow_id)
    assert (run.payload, run.comment, run.status) == ({"name": "Ada", "price": 2.5}, "by hand", "success")
    assert latest_act(house) == ("run", "schemas.SIMPLE_SCHEMA", "done")


def test_a_flow_without_a_schema_takes_any_json(house: House) -> None:
    answer = send(house, "example.SIMPLE_CHAIN", raw='{"any": ["thing"]}')
    assert house.management.runs.get(begun(house, answer).workflow_id).payload == {"any": ["thing"]}


def test_what_is_wrong_is_shown_beside_what_was_typed(house: House) -> None:
    answer = send(house, "schemas.SIMPLE_SCHEMA", field_name=HOSTILE, field_price="dear", comment="kept")
    assert answer.status_code == 422
    assert "&#39;dear&#39; is no number" in answer.text
    assert 'value="dear"' in answer.text
    assert 'value="kept"' in answer.text
    assert "&lt;/textarea&gt;&lt;script&gt;" in answer.text
    assert HOSTILE not in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert (in_all(house), latest_act(house)[2]) == (0, "refused: Nothing was started: see what is marked.")


def test_what_the_schema_refuses_is_said_in_its_words(house: House) -> None:
    answer = send(house, "schemas.SIMPLE_SCHEMA", raw='{"price": 1}')
    assert answer.status_code == 422
    assert "&#39;name&#39; is a required property" in answer.text
    assert "{&#34;price&#34;: 1}</textarea>" in answer.text


def test_a_workflow_runs_with_arguments_of_its_types_under_the_id_that_was_typed(house: House) -> None:
    page = house.admin.get("/definitions/everything/run").text
    assert "list[str]" in page
    answer = send(house, "everything", field_cities='["Tokyo", "Berlin"]', id="mine:1")
    assert answer.headers["location"] == "/workflows/mine:1"
    assert begun(house, answer).result.number == 2


def test_without_an_id_one_is_made_up_and_what_may_be_left_out_is(house: House) -> None:
    workflow = begun(house, send(house, "delivery", field_parcel=""))
    assert workflow.workflow_id.startswith("delivery-")
    assert workflow.result == "nothing"


def test_all_arguments_may_be_typed_as_json(house: House) -> None:
    workflow = begun(house, send(house, "two_arguments", raw='{"_first": 1, "_second": 2}'))
    assert workflow.state == "completed"


@pytest.mark.parametrize(
    ("name", "fields", "told"),
    [
        ("approval", {"field_subject": ""}, "is required"),
        ("everything", {"field_cities": "Tokyo"}, "is no JSON"),
        ("everything", {"field_cities": "[1]"}, "0: Input should be a valid string"),
        ("two_arguments", {"field__first": "1.5", "field__second": "2"}, "is no whole number"),
        ("two_arguments", {"raw": '{"_first": 1}'}, "missing a required argument"),
        ("two_arguments", {"raw": '{"_first": "x", "_second": 2}'}, "_first: Input should be a valid integer"),
        ("two_arguments", {"raw": "[1, 2]"}, "has to be an object"),
        ("approval", {"field_subject": "x", "id": "a/b"}, "printable characters"),
        ("approval", {"field_subject": "x", "id": "taken"}, "taken runs already"),
        ("echo", {"raw": '{"value": "\\ud800"}', "id": "@x"}, "printable characters"),
    ],
)
def test_arguments_that_do_not_fit_start_nothing(house: House, name: str, fields: dict[str, str], told: str) -> None:
    house.client.start(house.management.workflows["approval"], "x", workflow_id="taken")
    answer = send(house, name, **fields)
    assert (answer.status_code, told in answer.text) == (422, True), answer.text
    assert in_all(house) == 1


def test_what_nobody_knows_cannot_be_run(house: House) -> None:
    assert house.viewer.get("/definitions/nobody/run").status_code == 404
    answer = send(house, "nobody")
    assert (answer.status_code, "knows no workflow or flow nobody" in answer.text) == (404, True)


def test_every_definition_has_a_form_that_can_be_shown(house: House) -> None:
    for name in house.management.workflows:
        assert house.viewer.get(f"/definitions/{name}/run").status_code == 200, name
