"""Every page among very many workflows, whatever page and filter."""

import re
import time
from datetime import timedelta
from statistics import median

import pytest
from sqlalchemy import text

from durable.model import Filter
from handlers.records import acts
from tests.integration.dashboard.conftest import House
from tests.support import crowd
from tests.support.boards import put, watch_of
from tests.support.chaos import IS_LONG, Figure, sized

MANY = sized(600, 100_000)
WATCHED = sized(10, 500)
TIMES = sized(1, 9)
MOST_MS = 150
_STATUSES = text("""
UPDATE durable.runs SET status = '{"turn":{"reason":"' || CASE WHEN workflow_key % 500 = 0 THEN 'review_requested'
    ELSE 'draft' END || '"},"reminders":' || workflow_key % 7 || '}'
""")
_STEPS = text("""
INSERT INTO durable.history (workflow_key, run, step, kind, name, state, arguments, payload, attempt, at)
SELECT key, run, step, 'activity', 'post_message', 'done', '[["' || repeat('channel ', 500) || '"],{}]',
    '{"text":"' || repeat('word ', 1500) || '"}', 1, durable.now() + make_interval(secs => step)
FROM durable.workflows, generate_series(2, 1000) AS step WHERE workflow_id = :workflow_id
""")


@pytest.mark.chaos
def test_every_page_is_answered_among_very_many(house: House, record_property: Figure) -> None:
    fill(house)
    record_property("workflows", MANY)
    deep = middle_of(house)
    day = f"{house.now() - timedelta(days=8):%Y-%m-%dT%H:%M}"
    pages = {
        "the board": "/",
        "the board, searched": "/?q=cache",
        "a pull request": "/pulls/github.com/acme/api/7",
        "workers": "/workers",
        "schedules": "/schedules",
        "definitions": "/definitions",
        "insights": "/insights",
        "the list": "/workflows",
        "the list, from the middle": f"/workflows?after={deep}",
        "waiting": "/workflows?state=waiting",
        "failed, of which there is none": "/workflows?state=failed",
        "waiting or completed": "/workflows?state=waiting&state=completed",
        "completed, from the middle": f"/workflows?state=completed&after={deep}",
        "a name": "/workflows?name=example.WORKFLOW",
        "a name that nothing has": "/workflows?name=nobody",
        "a beginning of ids": "/workflows?prefix=nap-sleeper-7",
        "a time": f"/workflows?from={day}",
        "a time, from the other end": f"/workflows?to={day}",
        "a status": "/workflows?status=turn.reason+%3D+review_requested",
        "a status, from the middle": f"/workflows?status=turn.reason+%3D+review_requested&after={deep}",
        "a status that nothing has": "/workflows?status=turn.reason+%3D+nothing",
        "a status, a name and a state": "/workflows?status=reminders+%3D+3&name=nap&state=waiting",
        "one that waits": "/workflows/nap-sleeper-7",
        "one that is over": "/workflows/nap-ended-70",
        "one of a thousand long steps": "/workflows/nap-sleeper-1",
        "its first steps": "/workflows/nap-sleeper-1?before=201",
        "a flow": f"/workflows/{house.management.runs.page(1, 1)[0].id}",
        "the audit": "/audit",
        "the audit, of one": "/audit?subject=w:7",
        "the audit, from the middle": f"/audit?before={sized(50, 5_000)}",
    }
    slow = {}
    for what, address in pages.items():
        took = median(asked(house, address) for _ in range(TIMES)) * 1000
        record_property(f"{what}, median ms", round(took))
        if took > MOST_MS:
            slow[what] = took
    if IS_LONG:
        assert slow == {}


def fill(house: House) -> None:
    """Half of them asleep, half over, all with a status; one of a thousand long steps; a flow; a long audit; and a board
    of pull requests."""
    with house.database.transaction("crowd") as connection:
        crowd.put_asleep(connection, MANY // 2)
        crowd.put_ended(connection, MANY // 4)
        crowd.put_ended(connection, MANY // 4, name="example.SIMPLE_CHAIN")
        connection.execute(_STATUSES)
        connection.execute(_STEPS, {"workflow_id": "nap-sleeper-1"})
        for number in range(sized(100, 10_000)):
            acts.note(connection, "ada", "suspend", f"w:{number % 100}", "reason: maintenance")
    put(house.database, *(watch_of(number, house.now()) for number in range(1, WATCHED + 1)))
    house.management.runs.start("example.SIMPLE_GROUP", {})
    house.worker.run_for(timedelta(seconds=1))
    crowd.settle(house.database)


def middle_of(house: House) -> str:
    place = None
    for _ in range(max(MANY // 2 // 500, 1)):
        place = house.client.search(Filter(), limit=min(500, MANY // 2), after=place).next
    return place or ""


def asked(house: House, path: str) -> float:
    """How long the page took, in seconds. It has to have something of its own in it."""
    began = time.monotonic()
    answer = house.viewer.get(path)
    took = time.monotonic() - began
    assert answer.status_code == 200, answer.text
    assert re.search(r"<h1>.+</h1>", answer.text)
    return took
