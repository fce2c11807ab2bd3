"""An operator's verbs on PostgreSQL: what each does, where it is refused, and that it happens whole or not at all."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text

from durable import (
    ActivityFailed,
    Found,
    Park,
    RetryPolicy,
    activity,
    call,
    gather,
    info,
    injection,
    now,
    random,
    receive,
    resource,
    sleep,
    start_child,
    workflow,
)
from durable.errors import StepNotFound, WorkflowIdTaken, WorkflowNotFound, WrongState
from durable.model import MEMBER_MARK, Started
from durable.operator import PURGE_BATCH, Operator
from durable.postgres import Database
from durable.testing import InlineWorker, advance, crash_at
from durable.worker.lease import Lease
from durable.worker.orphans import settle_orphans
from durable.worker.upkeep import Upkeep

Inline = Callable[..., InlineWorker]


class World:
    """What activities find outside: what was done by key, errors to raise before or after it, and a duty in between."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.meanwhile: Callable[[], object] = lambda: None


def find(what: str) -> Found[str] | None:
    return Found(what) if info().key in resource(World).done else None


@activity(verify=find, retry=RetryPolicy(attempts=1))
def effect(what: str) -> str:
    world = resource(World)
    world.meanwhile()
    if world.before:
        raise world.before.pop(0)
    world.done.append(info().key)
    if world.after:
        raise world.after.pop(0)
    return what


@workflow
def three(last: str = "c") -> list[str]:
    return [effect("a"), effect("b"), effect(last)]


@workflow
def forgiving(mended: str) -> Any:
    caught = None
    try:
        effect("a")
    except ActivityFailed as failure:
        caught = failure.message
    told = effect("b")
    if deployed.broken:
        raise KeyError("our own bug")
    return [mended, caught, told]


@workflow
def compensating() -> Any:
    try:
        return effect("a")
    except ActivityFailed:
        told = receive("undo", timeout=60)
        effect("undone")
        if deployed.hiding:
            raise RuntimeError(f"gave up: {told}") from None
        raise RuntimeError(f"gave up: {told}")  # noqa: B904 - with the failure as its context, as authors often have it


@workflow
def listening() -> Any:
    signal = receive("go", timeout=timedelta(hours=1))
    return signal.payload if signal else "nothing came"


@workflow
def timed(seconds: float) -> Any:
    began = now()
    effect("a")
    sleep(seconds)
    return (now() - began).total_seconds()


@workflow(retention=timedelta(hours=1), queue="default", priority=3, deadline=timedelta(days=2))
def brief() -> str:
    return "done"


@workflow(retention=timedelta(days=90))
def kept() -> str:
    return "done"


@workflow
def leaving_children(children: int) -> None:
    for _ in range(children):
        start_child(listening)
    receive("go")


@workflow
def waiting_for_both() -> Any:
    return gather(call(listening), call(effect, "b"))


class Switches:
    """What a deploy between two passes changes in the workflows' code."""

    broken = False
    hiding = False


deployed = Switches()


@pytest.fixture(autouse=True)
def _as_deployed() -> Iterator[None]:
    yield
    deployed.broken = False
    deployed.hiding = False


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def worker(inline: Inline, world: World) -> InlineWorker:
    return inline(
        three,
        forgiving,
        compensating,
        listening,
        timed,
        brief,
        kept,
        leaving_children,
        waiting_for_both,
        resources={World: world},
    )


@pytest.fixture
def operator(database: Database) -> Operator:
    return Operator(database)


def state(worker: InlineWorker, workflow_id: str = "w") -> str:
    return worker.client.describe(workflow_id).state


def result(worker: InlineWorker, workflow_id: str = "w") -> Any:
    return worker.client.describe(workflow_id).result


def states_of_steps(worker: InlineWorker, workflow_id: str = "w") -> list[str]:
    return [entry.state for entry in worker.client.history(workflow_id)]


def settle(database: Database, worker: InlineWorker) -> None:
    """Let the wait before the first look at a doubtful effect pass."""
    advance(database, timedelta(seconds=2))
    with database.transaction("test") as connection:
        connection.execute(text("UPDATE durable.workflows SET wake_at = durable.now() WHERE wake_real"))
    worker.run_until_idle()


# --- suspend and resume ----------------------------------------------------------------------------------------------


def test_a_suspended_wait_goes_on_to_its_old_due_time_after_the_resume(
    database: Database, worker: InlineWorker, operator: Operator
) -> None:
    worker.client.start(timed, 3600, workflow_id="w")
    worker.run_until_idle()
    operator.suspend("w", "holiday")
    description = worker.client.describe("w")
    assert (description.state, description.reason, description.wake_at) == ("paused", "holiday", None)
    advance(database, timedelta(minutes=20))
    operator.resume("w")
    assert worker.client.describe("w").reason is None
    assert worker.run_until_idle() == 1
    advance(database, timedelta(minutes=38))
    assert worker.run_until_idle() == 0
    advance(database, timedelta(minutes=3))
    worker.run_until_idle()
    assert state(worker) == "completed"


def test_a_timer_that_passes_while_suspended_is_over_at_the_resume(
    database: Database, worker: InlineWorker, operator: Operator
) -> None:
    worker.client.start(timed, 60, workflow_id="w")
    worker.run_until_idle()
    operator.suspend("w", "holiday")
    worker.run_for(timedelta(days=1))
    assert state(worker) == "paused"
    operator.resume("w")
    worker.run_until_idle()
    assert state(worker) == "completed"


def test_a_suspended_workflow_takes_signals_and_reads_them_after_the_resume(
    worker: InlineWorker, operator: Operator
) -> None:
    worker.client.start(listening, workflow_id="w")
    worker.run_until_idle()
    operator.suspend("w", "holiday")
    assert worker.client.signal("w", "go", 7, key="1")
    worker.run_until_idle()
    assert (state(worker), worker.client.describe("w").unread_signals) == ("paused", 1)
    operator.resume("w")
    worker.run_until_idle()
    assert result(worker) == 7


def test_an_effect_in_hand_at_the_suspension_is_looked_for_after_the_resume(
    database: Database, worker: InlineWorker, world: World, operator: Operator
) -> None:
    def once() -> None:
        world.meanwhile = lambda: None
        operator.suspend("w", "stop right there")

    world.meanwhile = once
    worker.client.start(three, workflow_id="w")
    worker.run_until_idle()
    assert (state(worker), world.done, states_of_steps(worker)) == ("paused", ["w/1/1"], ["started"])
    operator.resume("w")
    worker.run_until_idle()
    settle(database, worker)
    assert (result(worker), world.done) == (["a", "b", "c"], ["w/1/1", "w/1/2", "w/1/3"])


def test_a_parked_workflow_can_be_suspended_and_is_not_woken_by_its_gate(
    worker: InlineWorker, world: World, operator: Operator
) -> None:
    world.before = [Park("slack", "invalid_auth")]
    worker.client.start(three, workflow_id="w")
    worker.run_until_idle()
    operator.suspend("w", "not now")
    assert worker.client.open_gate("slack") == 0
    worker.run_until_idle()
    assert state(worker) == "paused"
    operator.resume("w")
    worker.run_until_idle()
    assert result(worker) == ["a", "b", "c"]


# --- rewind ----------------------------------------------------------------------------------------------------------


def test_a_rewound_workflow_goes_on_from_its_failed_step_and_repeats_nothing_before_it(
    database: Database, worker: InlineWorker, world: World, operator: Operator
) -> None:
    worker.client.start(three, workflow_id="w")
    world.meanwhile = lambda: world.before.append(OSError("down")) if len(world.done) == 2 else None
    worker.run_until_idle()
    assert (state(worker), states_of_steps(worker)) == ("failed", ["done", "done", "failed"])
    world.meanwhile = lambda: None
    operator.rewind("w", "mended")
    description = worker.client.describe("w")
    assert (description.state, description.error, description.reason) == ("ready", None, "mended")
    worker.run_until_idle()
    settle(database, worker)
    assert (result(worker), world.done) == (["a", "b", "c"], ["w/1/1", "w/1/2", "w/1/3"])
    assert worker.client.describe("w").reason is None


def test_a_failed_effect_that_happened_after_all_is_found_and_not_repeated_by_the_rewind(
    worker: InlineWorker, world: World, operator: Operator, database: Database
) -> None:
    world.after = [OSError("the answer was lost, and this was the last attempt")]
    worker.client.start(three, workflow_id="w")
    worker.run_until_idle()
    assert (state(worker), world.done) == ("failed", ["w/1/1"])
    operator.rewind("w", "try again")
    worker.run_until_idle()
    settle(database, worker)
    assert (result(worker), world.done) == (["a", "b", "c"], ["w/1/1", "w/1/2", "w/1/3"])


def test_a_rewind_of_code_that_raised_by_itself_replays_it_and_keeps_failures_it_had_caught(
    worker: InlineWorker, world: World, operator: Operator
) -> None:
    world.before = [OSError("down")]
    deployed.broken = True
    worker.client.start(forgiving, "mended", workflow_id="w")
    worker.run_until_idle()
    assert (state(worker), states_of_steps(worker)) == ("failed", ["failed", "done"])
    operator.rewind("w", "no use without a mend")
    worker.run_until_idle()
    assert state(worker) == "failed"
    deployed.broken = False
    operator.rewind("w", "mended now")
    worker.run_until_idle()
    assert (result(worker), world.done) == (["mended", "down", "b"], ["w/1/2"])


def test_a_rewind_makes_signals_unread_again_that_were_read_after_the_failed_step(
    database: Database, worker: InlineWorker, world: World, operator: Operator
) -> None:
    world.before = [OSError("down")]
    worker.client.start(compensating, workflow_id="w")
    worker.client.signal("w", "undo", key="1")
    worker.run_until_idle()
    assert (state(worker), worker.client.describe("w").unread_signals) == ("failed", 0)
    operator.rewind("w", "mended")
    description = worker.client.describe("w")
    assert (description.unread_signals, description.history_length) == (1, 1)
    worker.run_until_idle()
    settle(database, worker)
    assert result(worker) == "a"


def test_a_rewind_goes_back_to_a_caught_failure_only_when_its_step_is_named(
    database: Database, worker: InlineWorker, world: World, operator: Operator
) -> None:
    world.before = [OSError("down")]
    deployed.hiding = True
    worker.client.start(compensating, workflow_id="w")
    worker.client.signal("w", "undo", key="1")
    worker.run_until_idle()
    operator.rewind("w", "without a step")
    worker.run_until_idle()
    assert (state(worker), world.done) == ("failed", ["w/1/3"])
    with pytest.raises(StepNotFound, match="workflow w has no failed step 2 in its run 1"):
        operator.rewind("w", "that one went well", step=2)
    assert state(worker) == "failed"
    operator.rewind("w", "with it", step=1)
    worker.run_until_idle()
    settle(database, worker)
    assert (result(worker), world.done) == ("a", ["w/1/3", "w/1/1"])


def test_a_suspended_gather_collects_after_the_resume_what_ended_meanwhile(
    worker: InlineWorker, operator: Operator
) -> None:
    worker.client.start(waiting_for_both, workflow_id="w")
    worker.run_until_idle()
    operator.suspend("w", "holiday")
    worker.client.signal("w~1.1.0", "go", 7, key="1")
    worker.run_until_idle()
    assert (state(worker), state(worker, "w~1.1.0")) == ("paused", "completed")
    with pytest.raises(WrongState, match="purge it when its parent w has read its result"):
        operator.purge("w~1.1.0")
    operator.resume("w")
    worker.run_until_idle()
    assert result(worker) == [7, "b"]
    operator.purge("w~1.1.0")


def test_of_two_operators_that_rewind_at_once_one_is_told_that_it_is_too_late(
    worker: InlineWorker, world: World, operator: Operator
) -> None:
    world.before = [OSError("down")]
    worker.client.start(three, workflow_id="w")
    worker.run_until_idle()
    together = Barrier(8)

    def rewind(number: int) -> str:
        together.wait()
        try:
            operator.rewind("w", str(number))
        except WrongState as late:
            return late.state
        return "rewound"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(rewind, range(8)))
    assert sorted(answers) == ["ready"] * 7 + ["rewound"]


# --- restart and fork ------------------------------------------------------------------------------------------------


def test_a_restart_is_the_next_run_with_the_same_input_and_effects_of_its_own(
    worker: InlineWorker, world: World, operator: Operator
) -> None:
    worker.client.start(three, "z", workflow_id="w")
    worker.run_until_idle()
    assert operator.restart("w") == Started("w", 2, is_new=True)
    worker.run_until_idle()
    assert (result(worker), world.done[3:]) == (["a", "b", "z"], ["w/2/1", "w/2/2", "w/2/3"])


def test_a_restart_under_another_id_leaves_the_old_one_as_it_was(worker: InlineWorker, operator: Operator) -> None:
    worker.client.start(three, "z", workflow_id="w")
    worker.run_until_idle()
    assert operator.restart("w", new_id="again") == Started("again", 1, is_new=True)
    worker.run_until_idle()
    assert result(worker, "again") == ["a", "b", "z"]
    assert (worker.client.describe("w").run, state(worker)) == (1, "completed")


def test_a_restart_keeps_queue_priority_deadline_and_retention(
    database: Database, worker: InlineWorker, operator: Operator
) -> None:
    worker.client.start(brief, workflow_id="w")
    worker.run_until_idle()
    advance(database, timedelta(days=30))
    operator.restart("w")
    operator_made = "SELECT run, priority, deadline_at - durable.now() AS left FROM durable.workflows"
    with database.reading() as connection:
        row = connection.execute(text(operator_made)).one()
        kept_for = connection.execute(text("SELECT keep_for FROM durable.runs WHERE run = 2")).scalar_one()
    assert (row.run, row.priority, kept_for) == (2, 3, timedelta(hours=1))
    assert timedelta(days=2, minutes=-1) < row.left <= timedelta(days=2)


def test_a_fork_has_the_history_below_its_step_and_keys_of_its_own(
    worker: InlineWorker, world: World, operator: Operator
) -> None:
    worker.client.start(three, workflow_id="w")
    worker.run_until_idle()
    assert operator.fork("w", 3, "fork") == Started("fork", 1, is_new=True)
    assert states_of_steps(worker, "fork") == ["done", "done"]
    worker.run_until_idle()
    assert (result(worker, "fork"), world.done[3:]) == (["a", "b", "c"], ["fork/1/3"])
    assert states_of_steps(worker) == ["done", "done", "done"]


def test_a_fork_of_a_waiting_workflow_has_the_times_of_the_first_and_the_first_waits_on(
    database: Database, worker: InlineWorker, operator: Operator
) -> None:
    worker.client.start(timed, 3600, workflow_id="w")
    worker.run_until_idle()
    advance(database, timedelta(minutes=30))
    operator.fork("w", 2, "fork")
    worker.run_for(timedelta(minutes=31))
    assert (state(worker), state(worker, "fork")) == ("completed", "waiting")
    worker.run_for(timedelta(minutes=30))
    assert 5400 <= result(worker, "fork") < 5410


@workflow
def chancy() -> tuple[float, str, float]:
    drawn = random()
    return (drawn, three_in_a_row() if drawn < 2 else "", random())


@activity
def three_in_a_row() -> str:
    return "123"


def test_a_fork_and_its_fork_draw_what_the_first_drew(inline: Inline, operator: Operator) -> None:
    worker = inline(chancy)
    worker.client.start(chancy, workflow_id="w")
    worker.run_until_idle()
    operator.fork("w", 1, "fork")
    worker.run_until_idle()
    operator.fork("fork", 1, "fork of the fork")
    operator.restart("fork", new_id="another")
    worker.run_until_idle()
    assert result(worker, "fork") == result(worker, "fork of the fork") == result(worker, "w")
    assert result(worker, "another") != result(worker, "w")


@pytest.mark.parametrize("step", [0, 4, -1])
def test_a_fork_from_a_step_that_is_not_there_is_refused(worker: InlineWorker, operator: Operator, step: int) -> None:
    worker.client.start(three, workflow_id="w")
    worker.run_until_idle()
    with pytest.raises(StepNotFound, match=f"workflow w has no step {step} in its run 1"):
        operator.fork("w", step, "fork")
    with pytest.raises(WorkflowNotFound):
        worker.client.describe("fork")


@pytest.mark.parametrize("other", ["open", "ended", "w"])
def test_a_restart_or_fork_takes_no_id_that_something_has(worker: InlineWorker, operator: Operator, other: str) -> None:
    worker.client.start(three, workflow_id="w")
    worker.client.start(three, workflow_id="ended")
    worker.client.start(listening, workflow_id="open")
    worker.run_until_idle()
    before = worker.client.list()
    attempts: tuple[Callable[[], object], ...] = (
        lambda: operator.fork("w", 1, other),
        lambda: operator.restart("w", new_id=other),
    )
    for attempt in attempts:
        with pytest.raises(WorkflowIdTaken, match=f"'{other}' is taken"):
            attempt()
    assert worker.client.list() == before


@pytest.mark.parametrize("new_id", ["", "a/b", MEMBER_MARK + "x"])
def test_a_restart_or_fork_takes_no_id_that_no_workflow_may_have(operator: Operator, new_id: str) -> None:
    attempts: tuple[Callable[[], object], ...] = (
        lambda: operator.fork("w", 1, new_id),
        lambda: operator.restart("w", new_id=new_id),
    )
    for attempt in attempts:
        with pytest.raises(ValueError, match="workflow id"):
            attempt()


# --- purge and retention ---------------------------------------------------------------------------------------------


def rows_left(database: Database) -> dict[str, int]:
    tables = ("workflows", "runs", "history", "inbox", "fans", "links", "children")
    with database.reading() as connection:
        return {
            table: connection.execute(text(f"SELECT count(*) FROM durable.{table}")).scalar_one()  # noqa: S608 - ours
            for table in tables
        }


def test_a_purge_leaves_nothing_of_the_workflow(database: Database, worker: InlineWorker, operator: Operator) -> None:
    worker.client.start(compensating, workflow_id="w")
    worker.client.signal("w", "undo", key="1")
    worker.run_until_idle()
    operator.purge("w")
    assert set(rows_left(database).values()) == {0}
    with pytest.raises(WorkflowNotFound):
        operator.purge("w")


def test_a_child_is_neither_purged_nor_rewound_while_its_living_parent_has_not_read_its_result(
    database: Database, worker: InlineWorker, operator: Operator
) -> None:
    worker.client.start(listening, workflow_id="parent")
    worker.client.start(brief, workflow_id="child")
    worker.run_until_idle()
    with database.transaction("test") as connection:
        connection.execute(
            text(
                "INSERT INTO durable.links (parent_key, run, step, member, child_key) SELECT parent.key, 1, 1, 0,"
                " child.key FROM durable.workflows parent, durable.workflows child"
                " WHERE parent.workflow_id = 'parent' AND child.workflow_id = 'child'"
            )
        )
    advance(database, timedelta(days=40))
    for verb in (operator.purge, operator.restart):
        with pytest.raises(WrongState, match="its parent parent has read its result"):
            verb("child")
    assert operator.purge_ended(timedelta(0)) == 0
    Upkeep(database, Lease(database, 5.0), on_due=lambda: None).prune()
    assert state(worker, "child") == "completed"
    worker.run_until_idle()
    operator.purge("child")


def test_ended_workflows_are_purged_by_age_and_state_batch_by_batch(
    database: Database, worker: InlineWorker, world: World, operator: Operator
) -> None:
    with database.transaction("test") as connection:
        connection.execute(
            text(
                "WITH made AS (INSERT INTO durable.workflows (workflow_id, name, run, state)"
                " SELECT 'old' || n, 'three', 1, 'closed' FROM generate_series(1, :many) n RETURNING key)"
                " INSERT INTO durable.runs (workflow_key, run, name, input, outcome, created_at, began_at, updated_at)"
                " SELECT key, 1, 'three', '[[],{}]', 'completed', durable.now(), durable.now(), durable.now() FROM made"
            ),
            {"many": PURGE_BATCH + 1},
        )
    world.before = [OSError("down")]
    worker.client.start(three, workflow_id="failed")
    worker.client.start(listening, workflow_id="open")
    worker.run_until_idle()
    advance(database, timedelta(minutes=50))
    worker.client.start(three, workflow_id="young")
    worker.run_until_idle()
    commits: list[str] = []
    injection.install(commits.append)
    try:
        assert operator.purge_ended(timedelta(minutes=30), states=("completed",)) == PURGE_BATCH + 1
    finally:
        injection.install(None)
    assert commits.count("commit.after purge") == 2
    assert [one.workflow_id for one in worker.client.list()] == ["failed", "open", "young"]
    assert operator.purge_ended(timedelta(minutes=30)) == 1
    assert [one.workflow_id for one in worker.client.list()] == ["open", "young"]


def test_only_ended_workflows_can_be_purged_by_age(operator: Operator) -> None:
    with pytest.raises(ValueError, match="states has paused, waiting; only completed"):
        operator.purge_ended(timedelta(0), states=("waiting", "completed", "paused"))


def test_pruning_goes_by_the_workflow_s_own_retention_where_it_has_one(
    database: Database, worker: InlineWorker
) -> None:
    for ended in (brief, kept, three):
        worker.client.start(ended, workflow_id=ended.name)
    worker.run_until_idle()
    upkeep = Upkeep(database, Lease(database, 5.0), on_due=lambda: None)

    def left_after(days: float) -> list[str]:
        advance(database, timedelta(days=days))
        upkeep.prune()
        return [one.workflow_id for one in worker.client.list()]

    assert left_after(0.01) == ["brief", "kept", "three"]
    assert left_after(1) == ["kept", "three"]
    assert left_after(30) == ["kept"]
    assert left_after(58) == ["kept"]
    assert left_after(2) == []


def test_pruning_leaves_a_run_alone_that_somebody_is_rewinding(
    database: Database, worker: InlineWorker, world: World, operator: Operator
) -> None:
    world.after = [OSError("down")]
    worker.client.start(three, workflow_id="w")
    worker.run_until_idle()
    advance(database, timedelta(days=40))
    upkeep = Upkeep(database, Lease(database, 5.0), on_due=lambda: None)

    def prune_before_the_commit(point: str) -> None:
        if point == "commit.before rewind":
            injection.install(None)
            upkeep.prune()

    injection.install(prune_before_the_commit)
    operator.rewind("w", "mended")
    assert states_of_steps(worker) == ["started"]
    worker.run_until_idle()
    settle(database, worker)
    assert (result(worker), len(world.done)) == (["a", "b", "c"], 3)


# --- every verb ------------------------------------------------------------------------------------------------------

VERBS: dict[str, Callable[[Operator], object]] = {
    "suspend": lambda operator: operator.suspend("w", "why"),
    "resume": lambda operator: operator.resume("w"),
    "rewind": lambda operator: operator.rewind("w", "why"),
    "restart": lambda operator: operator.restart("w"),
    "fork": lambda operator: operator.fork("w", 1, "fork"),
    "purge": lambda operator: operator.purge("w"),
}
ALL = ("ready", "waiting", "parked", "paused", "completed", "failed", "terminated")
ALLOWED = {
    "suspend": ("ready", "waiting", "parked"),
    "resume": ("paused",),
    "rewind": ("failed",),
    "restart": ("completed", "failed", "terminated"),
    "fork": ALL,
    "purge": ("completed", "failed", "terminated"),
}


def bring(worker: InlineWorker, operator: Operator, world: World, wanted: str) -> None:
    """Have a workflow in this state, with a first step in its history."""
    if wanted in ("parked", "failed"):
        world.before = [Park("slack", "invalid_auth") if wanted == "parked" else OSError("down")]
    worker.client.start(
        three if wanted == "completed" else timed, *([] if wanted == "completed" else [3600]), workflow_id="w"
    )
    worker.run_until_idle()
    if wanted in ("paused", "ready"):
        operator.suspend("w", "holiday")
    if wanted == "ready":
        operator.resume("w")
    if wanted == "terminated":
        worker.client.terminate("w", "no need")
    assert state(worker) == wanted


@pytest.mark.parametrize(("verb", "wrong"), [(verb, one) for verb in VERBS for one in ALL if one not in ALLOWED[verb]])
def test_in_the_wrong_state_a_verb_is_refused_with_its_reason_and_changes_nothing(
    worker: InlineWorker, world: World, operator: Operator, verb: str, wrong: str
) -> None:
    bring(worker, operator, world, wrong)
    before = (worker.client.describe("w"), worker.client.history("w"))
    with pytest.raises(WrongState, match=f"^workflow w is {wrong}: {verb} takes one that is {ALLOWED[verb][0]}"):
        VERBS[verb](operator)
    assert (worker.client.describe("w"), worker.client.history("w")) == before


@pytest.mark.parametrize(("verb", "right"), [(verb, one) for verb in VERBS for one in ALLOWED[verb]])
def test_a_verb_that_crashes_before_its_commit_changes_nothing_and_can_be_repeated(
    database: Database, worker: InlineWorker, world: World, operator: Operator, verb: str, right: str
) -> None:
    bring(worker, operator, world, right)
    before = (worker.client.list(), worker.client.history("w"), rows_left(database))
    with crash_at(f"commit.before {verb}"):
        VERBS[verb](operator)
    assert (worker.client.list(), worker.client.history("w"), rows_left(database)) == before
    VERBS[verb](operator)
    assert (worker.client.list(), rows_left(database)) != before[::2]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_on_a_workflow_that_is_not_there_says_so(operator: Operator, verb: str) -> None:
    with pytest.raises(WorkflowNotFound, match="no workflow has the id 'w'"):
        VERBS[verb](operator)


def test_a_worker_in_the_process_is_told_what_became_due(database: Database, worker: InlineWorker) -> None:
    hints: list[str] = []
    operator = Operator(database, hint=lambda: hints.append("look"))
    worker.client.start(listening, workflow_id="w")
    operator.suspend("w", "why")
    hints.clear()
    operator.resume("w")
    assert hints == ["look"]


# --- what a start does with an id that was used before ---------------------------------------------------------------


def test_a_start_that_rejects_reuse_refuses_an_ended_id_and_leaves_a_running_one(worker: InlineWorker) -> None:
    assert worker.client.start(listening, workflow_id="w", reuse="reject").is_new
    assert worker.client.start(listening, workflow_id="w", reuse="reject") == Started("w", 1, is_new=False)
    worker.client.terminate("w", "no need")
    with pytest.raises(WorkflowIdTaken, match="workflow id 'w' is taken by one that has ended"):
        worker.client.start(listening, workflow_id="w", reuse="reject")
    assert worker.client.describe("w").run == 1


def test_a_start_that_terminates_replaces_a_running_workflow_and_fences_it_off(
    database: Database, worker: InlineWorker, world: World
) -> None:
    def once() -> None:
        world.meanwhile = lambda: None
        started = worker.client.start(three, "new", workflow_id="w", reuse="terminate")
        assert started == Started("w", 2, is_new=True)

    world.meanwhile = once
    worker.client.start(three, "old", workflow_id="w")
    worker.run_until_idle()
    assert (result(worker), world.done) == (["a", "b", "new"], ["w/1/1", "w/2/1", "w/2/2", "w/2/3"])
    with database.reading() as connection:
        outcomes = connection.execute(text("SELECT outcome FROM durable.runs ORDER BY run")).scalars().all()
    assert outcomes == ["terminated", "completed"]


@pytest.mark.parametrize(
    "again",
    [
        lambda worker, _: worker.client.start(leaving_children, 0, workflow_id="w", reuse="terminate"),
        lambda worker, operator: (worker.client.terminate("w", "no need"), operator.restart("w")),
    ],
    ids=["start", "restart"],
)
def test_children_of_the_run_that_ended_are_seen_to_although_the_next_one_has_begun(
    database: Database, worker: InlineWorker, operator: Operator, again: Callable[[InlineWorker, Operator], object]
) -> None:
    worker.client.start(leaving_children, 1, workflow_id="w")
    worker.run_until_idle()
    child = "w~1.1.0"
    assert state(worker, child) == "waiting"
    again(worker, operator)
    assert settle_orphans(database) == 1
    assert (state(worker, child), state(worker)) == ("terminated", "ready")


def test_a_child_that_an_operator_restarts_after_its_parent_s_end_is_nobody_s_child(
    database: Database, worker: InlineWorker, operator: Operator
) -> None:
    worker.client.start(leaving_children, 1, workflow_id="w")
    worker.run_until_idle()
    worker.client.terminate("w", "no need")
    assert settle_orphans(database) == 1
    operator.restart("w~1.1.0")
    assert settle_orphans(database) == 0
    worker.run_until_idle()
    assert state(worker, "w~1.1.0") == "waiting"


@pytest.mark.parametrize("reuse", ["allow_closed", "terminate"])
def test_a_start_begins_the_next_run_of_an_ended_workflow(worker: InlineWorker, reuse: Any) -> None:
    for run in (1, 2):
        assert worker.client.start(three, workflow_id="w", reuse=reuse) == Started("w", run, is_new=True)
        worker.run_until_idle()


def test_a_reuse_that_does_not_exist_is_refused_and_never_passed_to_the_workflow(worker: InlineWorker) -> None:
    with pytest.raises(ValueError, match="reuse is 'maybe', must be one of allow_closed, reject, terminate"):
        worker.client.start(three, workflow_id="w", reuse="maybe")  # type: ignore[arg-type] # what is refused
