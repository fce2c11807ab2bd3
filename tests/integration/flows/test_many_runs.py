"""Many runs of flows among many other workflows: any page of them is as near as the first."""

import statistics
import time
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import text

from bot.demo.waiting import eventually
from durable.flows import FlowRuns, Flows
from durable.postgres import Database
from tests.support.chaos import Figure, sized
from tests.support.explained import touching_at_most

RUNS = sized(4_000, 100_000)
PER_PAGE = 50
A_PAGE = 20 * PER_PAGE
"""Buffers: some for each run on the page, and for the way through the index."""
_CROWD = text("""
WITH made AS (
    INSERT INTO durable.workflows (workflow_id, name, run, state)
    SELECT 'run ' || i || kind, CASE kind WHEN 1 THEN 'many.RUNS' WHEN 2 THEN 'no_flow' ELSE '@member.of' END, 1, 'closed'
    FROM generate_series(1, :runs) AS i, generate_series(1, 3) AS kind ORDER BY i RETURNING key, name
)
INSERT INTO durable.runs (workflow_key, run, name, input, outcome, created_at, began_at, updated_at)
SELECT key, 1, name, '[[{"number": ' || key || '}],{}]', 'completed', now(), now(), now() FROM made
""")

_SEEN_BY_ALL = text(
    "SELECT CAST(relallvisible AS float) / relpages FROM pg_class WHERE oid = CAST('durable.workflows' AS regclass)"
)


def is_vacuumed(database: Database) -> bool:
    """Vacuum, and say whether nobody had a look at the rows that kept them from being marked as seen by all."""
    with database.statement("test") as connection:
        connection.execute(text("VACUUM ANALYZE durable.workflows, durable.runs"))
        share: float = connection.execute(_SEEN_BY_ALL).scalar_one()
    return share > 0.99


def milliseconds(ask: Callable[[], object]) -> float:
    """The median of a few times it takes."""
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(taken), 1)


@pytest.mark.chaos
def test_any_page_of_runs_is_read_without_looking_at_the_others(database: Database, record_property: Figure) -> None:
    with database.transaction("test") as connection:
        connection.execute(_CROWD, {"runs": RUNS})
    eventually(lambda: is_vacuumed(database), within=120)
    runs = FlowRuns(database, Flows())
    pages = RUNS // PER_PAGE
    through_the_index = RUNS // 100
    for page in (1, pages // 2, pages):
        with touching_at_most(A_PAGE + through_the_index, database):
            found = runs.page(page, PER_PAGE)
        numbers = [run.payload["number"] for run in found]
        assert numbers == sorted(numbers, reverse=True)
        assert (len(found), {run.full_name for run in found}) == (PER_PAGE, {"many.RUNS"})
        record_property(f"page {page} of {pages}, ms", milliseconds(partial(runs.page, page, PER_PAGE)))
    assert runs.page(pages + 1, PER_PAGE) == []
    with touching_at_most(RUNS // 10, database):
        assert runs.count() == RUNS
    record_property("count, ms", milliseconds(runs.count))
    record_property("a page of 1000, ms", milliseconds(partial(runs.page, 2, 1000)))
