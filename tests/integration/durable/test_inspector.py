"""One workflow seen closely: its runs, steps, signals and kin, and nothing of it that is too long to look at."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from durable import activity, call, gather, receive, set_status, sleep, start_child, workflow
from durable.errors import StepNotFound, WorkflowNotFound
from durable.inspector import LONGEST, Inspector
from durable.operator import Operator
from durable.payloads import Payloads
from durable.postgres import Database
from durable.serde import decode, encode
from durable.testing import InlineWorker, advance

Inline = Callable[..., InlineWorker]


@activity
def repeat(word: str, times: int) -> str:
    return word * times


@workflow
def wordy(word: str, times: int) -> int:
    set_status({"word": word})
    return len(repeat(word, times))


@workflow
def listener() -> list[Any]:
    return [receive("tick") for _ in range(2)]


@workflow
def grandchild() -> None:
    sleep(timedelta(days=1))


@workflow
def family() -> None:
    start_child(grandchild, workflow_id="eldest")
    gather(call(repeat, "a", 1), call(grandchild))


@pytest.fixture
def inspector(database: Database) -> Inspector:
    return Inspector(database, timeout=5.0)


def test_a_run_is_shown_with_all_that_is_known_of_it(database: Database, inline: Inline, inspector: Inspector) -> None:
    worker = inline(wordy)
    worker.client.start(wordy, "ab", 3, workflow_id="w")
    assert inspector.run("w").state == "ready"
    worker.run_until_idle()
    seen = inspector.run("w")
    assert (seen.name, seen.run, seen.last_run, seen.state, seen.is_present) == ("wordy", 1, 1, "completed", True)
    assert (decode(seen.input), decode(seen.status or ""), decode(seen.result or "")) == (
        [["ab", 3], {}],
        {"word": "ab"},
        6,
    )
    assert seen.created_at <= seen.began_at <= seen.updated_at
    assert (seen.error, seen.reason, seen.wake_at, seen.queue, seen.history_length) == (None, None, None, "default", 1)
    [step] = inspector.steps("w", 1)
    assert (step.title, step.state, decode(step.payload or "")) == ("activity repeat", "done", "ababab")
    assert decode(step.arguments or "") == [["ab", 3], {}]


def test_former_runs_stay_and_are_found_by_their_number(
    database: Database, inline: Inline, inspector: Inspector
) -> None:
    worker = inline(wordy)
    for word in ("first", "second"):
        worker.client.start(wordy, word, 1, workflow_id="w")
        worker.run_until_idle()
    assert [(row.run, row.state) for row in inspector.runs("w")] == [(2, "completed"), (1, "completed")]
    former = inspector.run("w", 1)
    assert (decode(former.input)[0][0], former.last_run, former.is_present) == ("first", 2, False)
    assert decode(inspector.steps("w", 1)[0].payload or "") == "first"
    Operator(database).restart("w")
    assert [row.state for row in inspector.runs("w")] == ["ready", "completed", "completed"]
    assert inspector.run("w", 2).state == "completed"
    assert [row.run for row in inspector.runs("w", limit=1)] == [3]


def test_what_is_not_there_is_said_so(inline: Inline, inspector: Inspector) -> None:
    worker = inline(wordy)
    worker.client.start(wordy, "a", 1, workflow_id="w")
    with pytest.raises(WorkflowNotFound, match="no workflow has the id 'nobody'"):
        inspector.run("nobody")
    with pytest.raises(WorkflowNotFound, match="no run 7"):
        inspector.run("w", 7)
    with pytest.raises(StepNotFound, match="no step 9 in its run 1"):
        inspector.step("w", 1, 9)
    assert inspector.runs("nobody") == []
    assert inspector.parent("nobody") is None
    assert inspector.children("nobody") == []
    assert inspector.signals("nobody") == []


def test_a_long_value_is_named_and_the_step_alone_has_it(inline: Inline, inspector: Inspector) -> None:
    worker = inline(wordy)
    worker.client.start(wordy, "x", LONGEST, workflow_id="w")
    worker.run_until_idle()
    assert decode(inspector.steps("w", 1)[0].payload or "") == f"({LONGEST + 2} bytes, not read here)"
    assert decode(inspector.step("w", 1, 1).payload or "") == "x" * LONGEST


def test_what_is_kept_apart_is_named_too(database_url: str, inline: Inline, inspector: Inspector) -> None:
    database = Database(database_url, payloads=Payloads(offload_over=1000))
    try:
        worker = InlineWorker(database, workflows=[wordy])
        worker.client.start(wordy, "y" * 1200, 1, workflow_id="w")
        worker.client.signal("w", "tick", "z" * 1200, key="k")
        worker.run_until_idle()
        worker.close()
    finally:
        database.close()
    length = len(encode("y" * 1200))
    assert inspector.steps("w", 1)[0].payload == f'"({length} characters, not read here)"'
    assert inspector.run("w").input.endswith('characters, not read here)"')
    assert inspector.signals("w")[0].payload == f'"({length} characters, not read here)"'
    assert decode(inspector.step("w", 1, 1).payload or "") == "y" * 1200


def test_signals_are_there_read_and_unread_the_newest_first(inline: Inline, inspector: Inspector) -> None:
    worker = inline(listener)
    worker.client.start(listener, workflow_id="w")
    worker.client.signal("w", "tick", {"n": 1}, key="one")
    worker.client.signal("w", "other", None, key="two")
    worker.run_until_idle()
    other, tick = inspector.signals("w")
    assert (tick.name, tick.key, decode(tick.payload), tick.read_run, tick.read_step) == ("tick", "one", {"n": 1}, 1, 1)
    assert tick.read_at is not None
    assert tick.read_at >= tick.sent_at
    assert (other.name, other.read_run, other.read_step, other.read_at) == ("other", None, None, None)
    assert [signal.key for signal in inspector.signals("w", limit=1)] == ["two"]


def test_children_and_parents_know_each_other(database: Database, inline: Inline, inspector: Inspector) -> None:
    worker = inline(family, grandchild)
    worker.client.start(family, workflow_id="w")
    worker.run_until_idle()
    children = inspector.children("w")
    assert [(child.name, child.state) for child in children if child.name == "grandchild"] == [
        ("grandchild", "waiting"),
        ("grandchild", "waiting"),
    ]
    assert "eldest" in {child.workflow_id for child in children}
    found = inspector.parent("eldest")
    assert found is not None
    assert (found.workflow_id, found.name, found.state) == ("w", "family", "waiting")
    assert inspector.parent("w") is None
    assert len(inspector.children("w", limit=1)) == 1
    advance(database, timedelta(days=2))
    worker.run_until_idle()
    assert {child.state for child in inspector.children("w")} == {"completed"}


def test_a_long_history_is_read_piece_by_piece_from_its_end(inline: Inline, inspector: Inspector) -> None:
    @workflow
    def steps_in_plenty() -> None:
        for number in range(12):
            repeat("x", number)

    worker = inline(steps_in_plenty)
    worker.client.start(steps_in_plenty, workflow_id="w")
    worker.run_until_idle()
    last = inspector.steps("w", 1, limit=5)
    assert [entry.step for entry in last] == [8, 9, 10, 11, 12]
    assert [entry.step for entry in inspector.steps("w", 1, before=8, limit=5)] == [3, 4, 5, 6, 7]
    assert [entry.step for entry in inspector.steps("w", 1, before=3, limit=5)] == [1, 2]
