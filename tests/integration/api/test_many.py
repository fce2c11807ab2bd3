"""Every list among very many workflows, whatever page and filter, read over HTTP."""

import time
from datetime import timedelta
from itertools import product
from statistics import median
from typing import Any

import pytest
from sqlalchemy import text

from durable.postgres import Database
from tests.integration.api.conftest import BASE, Stage
from tests.support import crowd
from tests.support.chaos import IS_LONG, Figure, sized

MANY = sized(1_000, 100_000)
TIMES = sized(1, 9)
FLOW_RUNS = MANY // 4
ENOUGH_S = 0.15
TOKEN = "x-ms-continuation-token"
STATUSES = ("Running", "Pending", "Completed", "Failed", "Terminated", "Canceled", "Suspended", "ContinuedAsNew")
LONG_AGO, SOON = "2001-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
FILTERS = (
    "",
    *(f"runtimeStatus={status}" for status in STATUSES),
    "runtimeStatus=Failed,Suspended,Terminated",
    "runtimeStatus=Running,Completed",
    "instanceIdPrefix=nap-",
    "instanceIdPrefix=nap-sleeper-77",
    "instanceIdPrefix=nobody",
    "instanceIdPrefix=nap-&runtimeStatus=Failed",
    "instanceIdPrefix=example&runtimeStatus=Completed",
    f"createdTimeFrom={LONG_AGO}",
    f"createdTimeFrom={LONG_AGO}&runtimeStatus=Completed",
    f"createdTimeFrom={LONG_AGO}&runtimeStatus=Failed",
    f"createdTimeFrom={SOON}",
    f"createdTimeTo={LONG_AGO}",
    f"createdTimeTo={SOON}&runtimeStatus=Suspended",
    f"createdTimeFrom={LONG_AGO}&createdTimeTo={SOON}&runtimeStatus=Terminated&instanceIdPrefix=nap",
)
# A few of each rare kind, among the oldest: to find them is the most there is to do.
_RARE = text("""
WITH rare AS (SELECT key, row_number() OVER (ORDER BY key) AS number FROM durable.workflows
    WHERE state = 'closed' AND name = 'nap' ORDER BY key LIMIT 9)
UPDATE durable.runs SET outcome = (ARRAY['failed', 'terminated', 'cancelled'])[1 + number % 3] FROM rare
WHERE workflow_key = key
""")
_PAUSED = text("""
UPDATE durable.workflows SET state = 'paused', wake_at = NULL
WHERE key IN (SELECT key FROM durable.workflows WHERE state = 'waiting' ORDER BY key LIMIT 3)
""")
_DEFINITION = '{"tasks":["A","B"],"hooks":{},"queue":"celery"}'
_GIVEN = text("UPDATE durable.runs SET input = :input WHERE name = 'example.WORKFLOW'")


def crowded(database: Database) -> None:
    with database.transaction("crowd") as connection:
        crowd.put_asleep(connection, MANY // 2)
        crowd.put_asleep(connection, MANY // 50, prefix="due", due=timedelta(hours=-1))
        crowd.put_ended(connection, MANY // 4)
        crowd.put_ended(connection, FLOW_RUNS, name="example.WORKFLOW")
        connection.execute(_RARE)
        connection.execute(_PAUSED)
        about = f'{{"id":"x","definition":{_DEFINITION},"comment":null,"periodic":true}}'
        connection.execute(_GIVEN, {"input": f'[[{{"user":1234,"cc":["ada","grace"]}},{about}],{{}}]'})
    crowd.settle(database)


@pytest.mark.chaos
def test_every_list_is_answered_among_very_many(stage: Stage, record_property: Figure) -> None:
    crowded(stage.worker.database)
    record_property("workflows", MANY)
    rows: dict[str, int] = {}
    for filter_, (top, shows_input) in product(FILTERS, ((100, "true"), (1000, "true"), (1000, "false"))):
        query = f"instances?{filter_}&top={top}&showInput={shows_input}".replace("?&", "?")
        rows[query] = measured(stage, f"{BASE}/{query}", record_property)
    assert rows["instances?top=100&showInput=true"] == 100
    assert rows["instances?top=1000&showInput=false"] == min(1000, MANY)
    assert rows["instances?runtimeStatus=Failed&top=100&showInput=true"] == 3
    assert rows["instances?runtimeStatus=Suspended&top=100&showInput=true"] == 3
    assert rows["instances?instanceIdPrefix=nobody&top=100&showInput=true"] == 0
    for filter_, pages in (("", MANY * 9 // 10_000), ("runtimeStatus=Completed", MANY * 4 // 10_000)):
        deep = place_after(stage, filter_, pages)
        for top in (100, 1000):
            measured(stage, f"{BASE}/instances?{filter_}&top={top}", record_property, deep, f", after {pages} pages")


@pytest.mark.chaos
@pytest.mark.parametrize("per_page", [10, 100, 1000])
def test_every_page_of_directors_is_answered_among_very_many(
    stage: Stage, per_page: int, record_property: Figure
) -> None:
    if not (there := stage.management.runs.count()):
        crowded(stage.worker.database)
    if there < MANY:
        with stage.worker.database.transaction("crowd") as connection:
            crowd.put_ended(connection, MANY - FLOW_RUNS, name="example.RANDOMS")
        crowd.settle(stage.worker.database)
    last = MANY // per_page
    for page, with_payload in product(sorted({1, min(10, last), last}), ("true", "false")):
        path = f"/api/workflows?page={page}&per_page={per_page}&with_payload={with_payload}"
        assert measured(stage, path, record_property) == per_page
    assert stage.admin.get(f"/api/workflows?page={last + 2}&per_page={per_page}").status_code == 404
    measured(stage, "/api/definitions", record_property)


def measured(stage: Stage, path: str, figure: Figure, after: dict[str, str] | None = None, more: str = "") -> int:
    """Ask several times, note the medians of what that took, and say how many rows came."""
    took: list[tuple[float, float]] = []
    found: Any = []
    for _ in range(TIMES):
        began, worked = time.monotonic(), time.process_time()
        answer = stage.admin.get(path, headers=after)
        took.append((time.monotonic() - began, time.process_time() - worked))
        assert answer.status_code == 200, answer.text
        found = answer.json()
    whole, own = (round(median(each) * 1000) for each in zip(*took, strict=True))
    figure(f"{path.removeprefix(BASE)}{more}: {len(found)} rows, median ms", f"{whole}, of which CPU of Python {own}")
    assert not IS_LONG or median(each for each, _ in took) < ENOUGH_S, path
    return len(found)


def place_after(stage: Stage, filter_: str, pages: int) -> dict[str, str]:
    """Where one is after so many pages of a thousand."""
    headers: dict[str, str] = {}
    for _ in range(pages):
        answer = stage.admin.get(f"{BASE}/instances?{filter_}&top=1000&showInput=false", headers=headers)
        headers = {TOKEN: answer.headers[TOKEN]}
    return headers
