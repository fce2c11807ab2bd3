"""Workflows found by id, name, state and time, the newest first, page by page."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from time import perf_counter
from typing import Any

import pytest
from sqlalchemy import text

from durable import activity, call, gather, receive, serializable, set_status, sleep, workflow
from durable.client import Client
from durable.definitions import Workflow
from durable.model import Description, Filter, StatusIs, WorkflowState
from durable.operator import Operator
from durable.postgres import Database, search
from durable.testing import InlineWorker, advance
from tests.support.chaos import Figure, sized

Inline = Callable[..., InlineWorker]
MANY = sized(3_000, 100_000)
NAMES = ("invoice", "report", "seldom")


@activity
def one() -> int:
    return 1


@workflow
def brief() -> list[Any]:
    return gather(call(one), call(one))


@workflow
def failing() -> None:
    raise ValueError("always")


@workflow
def asleep() -> None:
    sleep(timedelta(days=3))


@workflow
def attentive() -> None:
    receive("never")


@pytest.fixture
def client(database: Database, inline: Inline) -> Client:
    """Four of each kind, of all states but running and parked, each a minute after the one before."""
    worker = inline(brief, failing, asleep, attentive)
    kinds: tuple[Workflow[[], Any], ...] = (brief, failing, asleep, attentive)
    for number, function in itertools.product(range(4), kinds):
        worker.client.start(function, workflow_id=f"{function.name}:{number}")
        worker.run_until_idle()
        advance(database, timedelta(minutes=1))
    worker.client.terminate("asleep:0", "enough")
    worker.client.cancel("asleep:1", "please")
    Operator(database).suspend("attentive:2", "wait")
    worker.run_until_idle()
    worker.client.start(brief, workflow_id="brief:ready")
    return worker.client


def all_of(client: Client, wanted: Filter, limit: int) -> list[Description]:
    found: list[Description] = []
    after = None
    while True:
        page = client.search(wanted, limit=limit, after=after)
        assert len(page.items) <= limit
        found += page.items
        after = page.next
        if after is None:
            return found


def ids(found: Sequence[Description]) -> list[str]:
    return [each.workflow_id for each in found]


def test_every_filter_finds_what_it_says_the_newest_first_and_each_once(client: Client) -> None:
    everything = all_of(client, Filter(), 100)
    assert len(everything) == 17
    assert {each.state for each in everything} == {
        *("ready", "waiting", "paused", "completed", "failed", "terminated", "cancelled")
    }
    middle = everything[8].created_at
    states: tuple[tuple[WorkflowState, ...], ...] = (
        (),
        *[(state,) for state in ("ready", "waiting", "running", "parked", "paused", "completed", "failed")],
        ("terminated", "cancelled"),
        ("waiting", "failed"),
    )
    for prefix, names, wanted, begin, end, limit in itertools.product(
        ("", "brief:", "asl", "none"),
        ((), ("brief",), ("asleep", "failing")),
        states,
        (None, middle),
        (None, middle),
        (3,),
    ):
        expected = [
            each
            for each in everything
            if each.workflow_id.startswith(prefix)
            and (not names or each.name in names)
            and (not wanted or each.state in wanted)
            and (begin is None or each.created_at >= begin)
            and (end is None or each.created_at < end)
        ]
        found = all_of(client, Filter(prefix, names, wanted, begin, end), limit)
        assert ids(found) == ids(expected), (prefix, names, wanted, begin, end)
    assert ids(everything) == ids(sorted(everything, key=lambda each: each.created_at, reverse=True))


def test_what_begins_while_somebody_turns_pages_disturbs_nothing(client: Client) -> None:
    before = ids(all_of(client, Filter(), 100))
    first = client.search(Filter(), limit=5)
    client.start(attentive, workflow_id="newer")
    rest = [first.items]
    after = first.next
    while after is not None:
        page = client.search(Filter(), limit=5, after=after)
        rest.append(page.items)
        after = page.next
    assert [each.workflow_id for items in rest for each in items] == before


def test_a_workflow_begun_again_is_found_once_as_its_present_run(client: Client) -> None:
    client.start(brief, workflow_id="brief:0")
    found = all_of(client, Filter(prefix="brief:0"), 2)
    assert [(each.run, each.state) for each in found] == [(2, "ready")]


@pytest.mark.parametrize("place", ["", "!", "bm8gcGxhY2U=", "MjAyNi0wMS0wMQ=="])
def test_a_place_that_no_page_gave_is_refused(client: Client, place: str) -> None:
    with pytest.raises(ValueError, match="take it from the page before"):
        client.search(after=place)


def test_a_state_that_there_is_not_is_refused_with_those_there_are(client: Client) -> None:
    with pytest.raises(ValueError, match="state 'finished' is none of ready, running"):
        client.search(Filter(states=["finished"]))  # type: ignore[list-item] # the point


@serializable
@dataclass(frozen=True)
class Whose:
    reason: str
    people: tuple[str, ...] = ()


@workflow
def telling(status: Any) -> None:
    set_status(status)
    receive("never")


def tell(inline: Inline, *statuses: Any) -> Client:
    """One workflow with each status, named by its number."""
    worker = inline(telling)
    for number, status in enumerate(statuses):
        worker.client.start(telling, status, workflow_id=str(number))
    worker.run_until_idle()
    return worker.client


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("turn.reason", "review_requested", ["2", "0"]),
        ("turn.people", "bob", ["0"]),
        ("reminders", "3", ["3"]),
        ("open", "true", ["3"]),
        ("", "review_requested", ["5"]),
        ("word", 'with "quotes" and ünicode', ["4"]),
        ("turn", "review_requested", []),
        ("turn.reason.more", "review_requested", []),
        ("reminders", "", []),
    ],
)
def test_a_status_is_found_by_what_stands_at_a_path_in_it(
    inline: Inline, path: str, value: str, expected: list[str]
) -> None:
    client = tell(
        inline,
        {"turn": Whose("review_requested", ("ada", "bob"))},
        {"turn": Whose("draft"), "note": "review_requested"},
        {"turn": {"reason": "review_requested"}},
        {"reminders": 3, "open": True},
        {"word": 'with "quotes" and ünicode', "bad": "\x00\ud800"},
        "review_requested",
        None,
    )
    wanted = StatusIs(tuple(path.split(".")) if path else (), value)
    assert ids(all_of(client, Filter(status=wanted), 1)) == expected
    assert ids(all_of(client, Filter(status=wanted, states=["paused"]), 5)) == []


def test_a_page_of_a_status_says_where_to_go_on_although_it_is_empty(
    inline: Inline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LOOKED_AT", 4)
    client = tell(inline, {"a": "yes"}, *[{"a": "no"}] * 6, {"a": "yes"}, {"a": "yes"})
    wanted = Filter(status=StatusIs(("a",), "yes"))
    first = client.search(wanted, limit=5)
    assert ids(first.items) == ["8", "7"]
    second = client.search(wanted, limit=5, after=first.next)
    assert (second.items, second.next is None) == ([], False)
    third = client.search(wanted, limit=5, after=second.next)
    assert (ids(third.items), third.next) == (["0"], None)
    assert ids(all_of(client, wanted, 1)) == ["8", "7", "0"]


def test_the_input_of_a_workflow_comes_back_as_it_was_given(database: Database) -> None:
    client = Client(database)

    @workflow
    def given(who: str, *, when: timedelta) -> None: ...

    client.start(given, "Ada", when=timedelta(days=1), workflow_id="w")
    assert client.input("w") == (("Ada",), {"when": timedelta(days=1)})


def test_workflows_are_described_together_by_their_ids(client: Client) -> None:
    described = client.describe_all(["failing:0", "brief:0", "none"])
    assert described == {name: client.describe(name) for name in ("brief:0", "failing:0")}
    assert client.describe_all([]) == {}


def test_what_this_process_cannot_read_is_shown_as_it_is_stored(database: Database, client: Client) -> None:
    unknown = '{"$":"data","of":"FromAnotherRelease","v":{"number":7}}'
    with database.transaction("test") as connection:
        connection.execute(text("UPDATE durable.runs SET result = :r WHERE name = 'brief'"), {"r": unknown})
        connection.execute(text("UPDATE durable.runs SET input = :r WHERE name = 'failing'"), {"r": unknown})
    assert client.describe("brief:0").result == {"$": "data", "of": "FromAnotherRelease", "v": {"number": 7}}
    assert client.search(Filter(prefix="brief:0")).items[0].result == client.describe("brief:0").result
    assert client.inputs(["brief:0", "failing:0", "none"]) == {"brief:0": ((), {})}


def test_the_overview_counts_each_state_once(client: Client) -> None:
    counts = client.overview().counts
    assert counts == {"completed": 4, "failed": 4, "terminated": 1, "cancelled": 1, "waiting": 6, "paused": 1}


@pytest.mark.chaos
def test_any_page_of_a_hundred_thousand_is_read_without_the_others(database: Database, record_property: Figure) -> None:
    fill(database, MANY)
    client = Client(database)
    newest = client.search(limit=1).items[0].created_at
    filters = {
        "all": Filter(),
        "a name that is frequent": Filter(names=["invoice"]),
        "a name that is seldom": Filter(names=["seldom"]),
        "completed": Filter(states=["completed"]),
        "failed": Filter(states=["failed"]),
        "a name and a state": Filter(names=["report"], states=["failed"]),
        "waiting": Filter(states=["waiting"]),
        "paused, of which there is none": Filter(states=["paused"]),
        "running, parked or paused": Filter(states=["running", "parked", "paused"]),
        "a beginning of ids": Filter(prefix="invoice:77"),
        "a status that there is": Filter(status=StatusIs(("turn", "reason"), "review_requested")),
        "a status that there is not": Filter(status=StatusIs(("turn", "reason"), "nothing")),
        "of ten minutes": Filter(
            created_from=newest - timedelta(minutes=30), created_to=newest - timedelta(minutes=20)
        ),
    }
    deep = middle_of(client, MANY // 2)
    for what, wanted in filters.items():
        for place in (None, deep):
            if place is not None and what == "of ten minutes":
                continue
            took, rows = [], 0
            for _ in range(5):
                began = perf_counter()
                rows = len(client.search(wanted, limit=100, after=place).items)
                took.append((perf_counter() - began) * 1000)
            record_property(f"{what}{', from the middle' if place else ''}, {rows} rows, ms", round(median(took), 1))
    began = perf_counter()
    client.overview()
    record_property("overview, ms", round((perf_counter() - began) * 1000, 1))


def middle_of(client: Client, skipped: int) -> str | None:
    place = None
    for _ in range(skipped // 500):
        place = client.search(limit=500, after=place).next
    return place


def fill(database: Database, many: int) -> None:
    """Workflows begun a second apart: most have ended, one in ten waits, one in a thousand has a seldom name."""
    with database.transaction("test") as connection:
        connection.execute(
            text("""
WITH clock AS MATERIALIZED (SELECT durable.now() AS now), made AS (
    SELECT number, CASE WHEN number % 1000 = 0 THEN 'seldom' WHEN number % 2 = 0 THEN 'invoice' ELSE 'report' END AS name,
        CASE WHEN number % 10 = 0 THEN NULL WHEN number % 7 = 0 THEN 'failed' ELSE 'completed' END AS outcome
    FROM generate_series(1, :many) AS number
), begun AS (
    INSERT INTO durable.workflows (workflow_id, name, run, state, wake_at)
    SELECT name || ':' || number, name, 1, CASE WHEN outcome IS NULL THEN 'waiting' ELSE 'closed' END,
        CASE WHEN outcome IS NULL THEN now + interval '1 day' END FROM made, clock ORDER BY number
    RETURNING key, workflow_id
)
INSERT INTO durable.runs (workflow_key, run, name, input, outcome, result, created_at, began_at, updated_at, status)
SELECT key, 1, name, '[[],{}]', outcome, '"some result"', at, at, at,
    '{"turn":{"reason":"' || CASE WHEN number % 3000 = 0 THEN 'review_requested' ELSE 'draft' END || '"}}'
FROM begun JOIN made ON workflow_id = name || ':' || number
CROSS JOIN LATERAL (SELECT now - interval '1 second' * (:many - number) AS at FROM clock) AS begun_at
"""),
            {"many": many},
        )
    with database.statement("analyze") as connection:
        connection.execute(text("ANALYZE durable.workflows, durable.runs"))
