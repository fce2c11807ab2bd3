"""Every list among very many workflows, whatever page and filter, read over HTTP."""

import time
from statistics import median

import pytest

from tests.integration.api.conftest import BASE, Stage
from tests.support import crowd
from tests.support.chaos import Figure, sized

MANY = sized(1_000, 100_000)
TIMES = sized(1, 9)
ANSWERS = {
    "instances": 100,
    "instances?top=1000&showInput=false": 1000,
    "instances?runtimeStatus=Running": 100,
    "instances?runtimeStatus=Completed": 100,
    "instances?runtimeStatus=Failed": 0,
    "instances?instanceIdPrefix=nap-": 100,
    "instances?instanceIdPrefix=nobody": 0,
    "instances?createdTimeFrom=2001-01-01T00:00:00Z&runtimeStatus=Completed": 100,
    "instances?createdTimeTo=2001-01-01T00:00:00Z": 0,
}


@pytest.mark.chaos
def test_every_list_is_answered_among_very_many(stage: Stage, record_property: Figure) -> None:
    database = stage.worker.database
    with database.transaction("crowd") as connection:
        crowd.put_asleep(connection, MANY // 2)
        crowd.put_ended(connection, MANY // 4)
        crowd.put_ended(connection, MANY // 4, name="example.WORKFLOW")
    crowd.settle(database)
    record_property("workflows", MANY)
    for query, rows in ANSWERS.items():
        answers = [asked(stage, f"{BASE}/{query}") for _ in range(TIMES)]
        assert answers[0][1] == min(rows, MANY)
        record_property(f"{query}, median ms", round(median(took for took, _ in answers) * 1000))
    last = MANY // 4 // 100
    for query in ("page=1&per_page=100", f"page={last}&per_page=100", "page=1&per_page=100&with_payload=false"):
        answers = [asked(stage, f"/api/workflows?{query}") for _ in range(TIMES)]
        assert answers[0][1] == min(100, MANY)
        record_property(f"/api/workflows?{query}, median ms", round(median(took for took, _ in answers) * 1000))


def asked(stage: Stage, path: str) -> tuple[float, int]:
    """How long the answer took, in seconds, and how many rows it has."""
    began = time.monotonic()
    answer = stage.admin.get(path)
    assert answer.status_code == 200, answer.text
    return time.monotonic() - began, len(answer.json())
