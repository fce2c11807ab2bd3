"""What is made of a workflow id that was used before: as the workflow was declared, unless whoever starts it says
otherwise."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durable import ActivityFailed, WorkflowIdTaken, activity, receive, resource, start_child, workflow
from durable.client import Client
from durable.intake import Delivery, Intake, SignalWithStart
from durable.model import Started
from durable.operator import Operator
from durable.postgres import Database
from durable.scheduler import Schedules
from durable.schedules import Every, workflow_id_of
from durable.testing import InlineWorker

Inline = Callable[..., InlineWorker]
TAKEN = "workflow id 'w' is taken by one that has ended"


@workflow(reuse="reject")
def once(value: Any = None) -> Any:
    signal = receive("go", timeout=60)
    return value if signal is None else signal.payload


@workflow(reuse="terminate")
def latest(value: Any = None) -> Any:
    signal = receive("go", timeout=60)
    return value if signal is None else signal.payload


@pytest.fixture
def worker(inline: Inline) -> InlineWorker:
    return inline(once, latest)


def seen(worker: InlineWorker) -> tuple[int, str, Any]:
    described = worker.client.describe("w")
    return described.run, described.state, described.result


def test_a_workflow_declared_to_reject_reuse_runs_once_under_an_id(worker: InlineWorker) -> None:
    assert worker.client.start(once, 1, workflow_id="w") == Started("w", 1, is_new=True)
    assert worker.client.start(once, 2, workflow_id="w") == Started("w", 1, is_new=False)
    worker.run_for(timedelta(minutes=2))
    with pytest.raises(WorkflowIdTaken, match=TAKEN):
        worker.client.start(once, 3, workflow_id="w")
    assert seen(worker) == (1, "completed", 1)


def test_a_workflow_declared_to_terminate_the_old_is_replaced_while_it_runs(worker: InlineWorker) -> None:
    worker.client.start(latest, 1, workflow_id="w")
    worker.run_until_idle()
    assert worker.client.start(latest, 2, workflow_id="w") == Started("w", 2, is_new=True)
    worker.run_for(timedelta(minutes=2))
    assert seen(worker) == (2, "completed", 2)


def test_whoever_starts_a_workflow_may_say_otherwise_than_it_was_declared(worker: InlineWorker) -> None:
    client = worker.client
    client.start(once, 1, workflow_id="w")
    assert client.start(once, 2, workflow_id="w", reuse="terminate").run == 2
    client.terminate("w", "no need")
    assert client.start(latest, 3, workflow_id="w", reuse="allow_closed").run == 3
    assert client.start(latest, 4, workflow_id="w", reuse="allow_closed") == Started("w", 3, is_new=False)
    client.terminate("w", "no need")
    with pytest.raises(WorkflowIdTaken, match=TAKEN):
        client.start(latest, 5, workflow_id="w", reuse="reject")


def test_a_declared_reuse_that_does_not_exist_is_refused_with_what_there_is() -> None:
    undecided: Any = "maybe"
    with pytest.raises(ValueError, match="reuse is 'maybe', must be one of allow_closed, reject, terminate"):
        workflow(reuse=undecided)


def test_an_operator_restarts_what_rejects_reuse_under_its_own_id(database: Database, worker: InlineWorker) -> None:
    worker.client.start(once, 1, workflow_id="w")
    worker.client.terminate("w", "no need")
    assert Operator(database).restart("w").run == 2


def test_a_signal_with_start_begins_what_rejects_reuse_and_raises_once_it_has_ended(worker: InlineWorker) -> None:
    def send(key: str) -> bool:
        return worker.client.signal_with_start(once, workflow_id="w", signal="go", payload=key, key=key)

    assert send("a")
    worker.run_until_idle()
    assert seen(worker) == (1, "completed", "a")
    assert send("a") is False
    with pytest.raises(WorkflowIdTaken, match=TAKEN):
        send("b")


def test_a_signal_with_start_that_nobody_read_begins_no_next_run_of_what_rejects_reuse(
    database: Database, inline: Inline
) -> None:
    @activity
    def late_signal() -> None:
        resource(Client).signal_with_start(deaf, workflow_id="w", signal="go", key="late")

    @workflow(reuse="reject")
    def deaf() -> None:
        late_signal()

    worker = inline(deaf, resources={Client: Client(database)})
    worker.client.start(deaf, workflow_id="w")
    worker.run_until_idle()
    assert (seen(worker), worker.client.describe("w").unread_signals) == ((1, "completed", None), 1)


def test_a_signal_with_start_ends_nothing_that_runs_although_a_start_would(worker: InlineWorker) -> None:
    worker.client.start(latest, 1, workflow_id="w")
    worker.client.signal_with_start(latest, workflow_id="w", signal="go", payload="heard", key="k")
    worker.run_until_idle()
    assert seen(worker) == (1, "completed", "heard")


def test_a_delivery_for_one_that_rejects_reuse_and_has_ended_is_ignored(database: Database, inline: Inline) -> None:
    worker = inline(once, routes={"web": lambda _, __: [SignalWithStart(once, (), "w", "go", "heard")]})
    for number in (1, 2):
        Intake(database).put(Delivery("web", str(number), {}, b""))
        worker.run_until_idle()
    assert seen(worker) == (1, "completed", "heard")
    assert worker.client.unapplied_deliveries() == []


def test_an_occurrence_runs_also_where_its_id_was_used_before(database: Database, worker: InlineWorker) -> None:
    schedules = Schedules(database)
    schedules.put("s", once, spec=Every(timedelta(days=1), since=datetime(2026, 1, 1, tzinfo=UTC)))
    [due, *_] = schedules.list()[0].next
    taken = workflow_id_of("s", due)
    worker.client.start(once, workflow_id=taken)
    worker.client.terminate(taken, "no need")
    worker.run_for(timedelta(days=1, minutes=2))
    described = worker.client.describe(taken)
    assert (described.run, described.state) == (2, "completed")


def test_a_child_takes_no_id_that_was_used_before_however_its_workflow_is_declared(inline: Inline) -> None:
    @workflow
    def parent() -> Any:
        try:
            return start_child(latest, workflow_id="w").workflow_id
        except ActivityFailed as failure:
            return failure.error

    worker = inline(parent, latest)
    worker.client.start(latest, workflow_id="w")
    worker.client.start(parent, workflow_id="parent")
    worker.run_until_idle()
    assert worker.client.describe("parent").result == "WorkflowIdTaken"
