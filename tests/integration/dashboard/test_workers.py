"""The page of workers: who works, what is limited, what is closed, and which deliveries are not applied."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from sqlalchemy import Connection, text

from durable.intake import Delivery, Instruction, Intake, Unroutable
from durable.postgres import gates
from durable.queues import Queue, Queues
from durable.testing import InlineWorker
from durable.worker import Worker
from handlers.records import acts
from tests.integration.api.programs import WORKFLOWS
from tests.integration.dashboard.conftest import House

HOSTILE = '<script>alert("x")</script>'


@contextmanager
def working(house: House) -> Iterator[Worker]:
    """A worker of its own threads, for the house has one that keeps still."""
    worker = Worker(house.database, workflows=WORKFLOWS, slots=3, version="2026.11")
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def close(house: House, name: str, reason: str = "invalid_auth") -> None:
    """Close a gate, with one workflow parked there."""
    workflow_id = house.client.start(
        house.management.workflows["echo"], "x", workflow_id=f"at-{quote(name, safe='')[:40].replace('%', '-')}"
    ).workflow_id
    with house.database.transaction("test") as connection:
        gates.close(connection, name, reason)
        connection.execute(
            text("UPDATE durable.workflows SET state = 'parked', gate = :gate WHERE workflow_id = :id"),
            {"gate": name, "id": workflow_id},
        )


def fail(house: House, id_: str, reason: str) -> None:
    """Take a delivery in that nobody can apply."""

    def refuse(_delivery: Delivery, _connection: Connection) -> Sequence[Instruction]:
        raise Unroutable(reason)

    Intake(house.database).put(Delivery("github", id_, {}, b"{}"))
    worker = InlineWorker(house.database, workflows=[], routes={"github": refuse})
    worker.run_until_idle()
    worker.close()


def latest_act(house: House) -> tuple[str, str, str | None]:
    """What was done last, to what, and how it went."""
    with house.database.reading() as connection:
        [act] = acts.latest(connection, limit=1)
    return act.act, act.subject, act.outcome


def told(house: House, path: str, **fields: str) -> str:
    """What an admin is told on the page after sending this form."""
    answer = house.admin.post(path, data=fields, headers={"Referer": "http://bot/workers"})
    assert answer.status_code == 303, answer.text
    return house.admin.get("/workers").text


def test_nobody_sees_workers_without_signing_in(house: House) -> None:
    assert house.anonymous.get("/workers").status_code == 401


def test_without_a_worker_the_page_says_how_to_start_one(house: House) -> None:
    house.worker.close()
    with house.database.transaction("test") as connection:
        connection.execute(text("DELETE FROM durable.workers"))
    page = house.page("/workers")
    assert "No worker is alive" in page
    assert "python -m bot worker" in page
    assert "None: nothing refuses us." in page
    assert "None: every delivery came to its workflow." in page


def test_a_worker_is_shown_with_its_lease_its_load_and_its_version(house: House) -> None:
    with working(house):
        page = house.page("/workers")
    assert "s left" in page
    assert '0 <span class="quiet">of 3</span>' in page
    assert '<td data-name="version">2026.11</td>' in page


def test_a_worker_whose_lease_ran_out_is_shown_as_lost(house: House) -> None:
    with house.database.transaction("test") as connection:
        connection.execute(text("UPDATE durable.workers SET lease_until = clock_timestamp() - interval '1 minute'"))
    page = house.page("/workers")
    assert '<span class="state lost">lost</span>' in page
    assert "No worker is alive" in page


def test_a_closed_gate_says_why_and_how_many_are_parked_and_an_admin_opens_it(house: House) -> None:
    close(house, "slack", f"the token xoxb-1234567-secret was revoked {HOSTILE}")
    page = house.page("/workers")
    assert "was revoked &lt;script&gt;" in page
    assert "xoxb-1234567" not in page
    assert '<a href="/workflows?state=parked">1</a>' in page
    assert "The gate slack is open: 1 workflow goes on" in told(house, "/gates/slack/open")
    assert latest_act(house) == ("open gate", "slack", "done")
    assert house.client.gates() == []
    assert "the gate slack is open already" in told(house, "/gates/slack/open")


@pytest.mark.parametrize("name", ["a/b", "50%?", "x#y", HOSTILE, '"quoted"'])
def test_a_gate_and_a_queue_of_any_name_can_be_steered(house: House, name: str) -> None:
    close(house, name)
    Queues(house.database).limit(name, most_running=1)
    page = house.admin.get("/workers").text
    path = quote(name, safe=":@")
    assert (f'action="/gates/{path}/open"' in page, f'action="/queues/{path}/limit"' in page) == (True, True)
    assert HOSTILE not in page
    assert house.admin.post(f"/gates/{path}/open").status_code == 303
    assert house.admin.post(f"/queues/{path}/unlimited").status_code == 303
    assert (house.client.gates(), Queues(house.database).list()) == ([], [])


def test_queues_are_shown_with_their_limits_and_what_is_due(house: House) -> None:
    Queues(house.database).limit("slack", most_running=6, most_per_worker=2, rate=0.8, burst=5)
    house.client.start(house.management.workflows["echo"], "x", workflow_id="due")
    page = house.page("/workers")
    assert "6 at one time; 2 per worker; 0.8 a second, 5 at once" in page
    default = page.split('<span class="named">default</span>')[1].partition("</tr>")[0]
    assert '<td class="number" data-name="due">1</td>' in default
    assert "no limit" in default


def test_an_admin_limits_a_queue_and_lifts_its_limit(house: House) -> None:
    page = told(house, "/queues/slack/limit", most_running="3", rate="", burst="")
    assert "The queue slack is limited" in page
    assert Queues(house.database).list() == [Queue("slack", 3, None, None, 1, 0)]
    told(house, "/queues/limit", name="post", most_running="", rate="0,5", burst="4")
    assert Queues(house.database).list()[0] == Queue("post", None, None, 0.5, 4, 0)
    told(house, "/queues/slack/limit", most_running="", most_per_worker="2", rate="", burst="")
    assert Queues(house.database).list()[1] == Queue("slack", None, 2, None, 1, 0)
    assert 'name="most_per_worker" type="number" min="1" max="1000000" value="2"' in house.admin.get("/workers").text
    assert "has no limit any more" in told(house, "/queues/slack/unlimited")
    assert latest_act(house) == ("lift limit", "slack", "done")
    assert "the queue slack has no limit" in told(house, "/queues/slack/unlimited")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "say how many of slack may run at one time"),
        ({"most_running": "many"}, "most running: &#39;many&#39; is not a whole number from 1 to 1000000"),
        ({"most_running": "0"}, "is not a whole number from 1"),
        ({"most_running": "2.5"}, "is not a whole number from 1"),
        ({"most_per_worker": "-1"}, "most per worker: &#39;-1&#39; is not a whole number from 1 to 1000000"),
        ({"rate": "nan"}, "rate: &#39;nan&#39; is not a number"),
        ({"rate": "1e300"}, "is not a number from above 0 to 1000000"),
        ({"most_running": "99999999999999999999"}, "is not a whole number"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused(house: House, fields: dict[str, str], reason: str) -> None:
    assert reason in told(house, "/queues/slack/limit", **fields)
    assert Queues(house.database).list() == []


def test_a_delivery_that_failed_says_why_and_an_admin_tries_it_again(house: House) -> None:
    fail(house, "d-1", f"no title {HOSTILE}")
    page = house.page("/workers")
    assert "no title &lt;script&gt;" in page
    assert "Redeliver" in page
    assert "The delivery d-1 is tried again" in told(house, "/deliveries/d-1/retry", source="github")
    assert house.client.overview().undispatched == 1
    assert "has not failed" in told(house, "/deliveries/d-1/retry", source="github")
    assert "has not failed" in told(house, "/deliveries/d-1/retry", source="nobody")


ACTS = (
    "/gates/slack/open",
    "/deliveries/d-1/retry",
    "/queues/limit",
    "/queues/slack/limit",
    "/queues/slack/unlimited",
)


@pytest.mark.parametrize("path", ACTS)
def test_a_viewer_may_press_none_of_its_buttons(house: House, path: str) -> None:
    close(house, "slack")
    fail(house, "d-1", "odd")
    Queues(house.database).limit("slack", most_running=2)
    assert [client.post(path).status_code for client in (house.viewer, house.anonymous)] == [403, 401]
    assert "<form" not in house.page("/workers").partition("<main")[2].partition("</main>")[0]
    assert (len(house.client.gates()), Queues(house.database).list()[0].most_running) == (1, 2)
    assert house.client.overview().failed_deliveries == 1


def test_what_nothing_can_store_is_refused_and_breaks_nothing(house: House) -> None:
    for path in ("/gates/%00/open", "/deliveries/%00/retry", "/queues/%00/limit", "/queues/limit"):
        assert house.admin.post(path, data={"name": "\x00", "most_running": "1"}).status_code == 303
    assert Queues(house.database).list() == []
