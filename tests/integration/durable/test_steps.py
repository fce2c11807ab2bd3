"""Activities, transactions and what a crash in their middle means."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from durable import (
    ActivityFailed,
    Found,
    InDoubt,
    Park,
    RetryAfter,
    RetryPolicy,
    activity,
    continue_as_new,
    heartbeat,
    info,
    injection,
    resource,
    sleep,
    transaction,
    workflow,
)
from durable.postgres import Database
from durable.testing import A_LONG_LEASE_S, InlineWorker, advance

Inline = Callable[..., InlineWorker]


class Crash(BaseException):
    """Ends a run as abruptly as a test in one process can."""


class World:
    """What activities find outside: posted messages by key, and errors to raise before or after the effect."""

    def __init__(self) -> None:
        self.posted: list[str] = []
        self.looks = 0
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.look_errors: list[Exception] = []

    def post(self, key: str) -> str:
        if self.before:
            raise self.before.pop(0)
        self.posted.append(key)
        if self.after:
            raise self.after.pop(0)
        return f"ts-{len(self.posted)}"

    def find(self, key: str) -> str | None:
        self.looks += 1
        if self.look_errors:
            raise self.look_errors.pop(0)
        return f"ts-{self.posted.index(key) + 1}" if key in self.posted else None


class Refused(Exception):
    pass


def look(text: str) -> Found[str] | None:
    found = resource(World).find(info().key)
    return Found(found) if found else None


@activity(verify=look, retry=RetryPolicy(first=1, attempts=3), non_retryable=(Refused,))
def post(text: str) -> str:
    return resource(World).post(info().key)


@activity(retry=RetryPolicy(first=10, factor=2, attempts=3), non_retryable=(Refused,))
def fetch() -> str:
    return resource(World).post(info().key)


@workflow
def posting(message: str) -> str:
    return post(message)


@workflow
def fetching() -> str:
    try:
        return fetch()
    except ActivityFailed as failure:
        return f"{failure.error}: {failure.message}"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def worker(inline: Inline, world: World) -> InlineWorker:
    return inline(posting, fetching, resources={World: world})


@pytest.fixture
def crash_at() -> Iterator[Callable[[str], None]]:
    """Let the run crash the next time it comes to a point."""

    def install(wanted: str) -> None:
        def hook(point: str) -> None:
            if point == wanted:
                injection.install(None)
                raise Crash

        injection.install(hook)

    yield install
    injection.install(None)


def crash_and_return(database: Database, worker: InlineWorker) -> None:
    """Run into the crash, then let another worker find what was left."""
    with pytest.raises(Crash):
        worker.run_until_idle()
    with database.transaction("test") as connection:
        connection.execute(
            text("UPDATE durable.workflows SET state = 'waiting', wake_at = durable.now() WHERE state = 'running'")
        )
    advance(database, timedelta(seconds=5))
    worker.run_until_idle()


def settle(database: Database, worker: InlineWorker) -> None:
    """Let every wait on the real clock end, as time would."""
    with database.transaction("test") as connection:
        connection.execute(text("UPDATE durable.workflows SET wake_at = durable.now() WHERE state = 'waiting'"))
        connection.execute(text("UPDATE durable.history SET due_at = durable.now() WHERE due_at > durable.now()"))
    worker.run_until_idle()


def result(worker: InlineWorker) -> Any:
    return worker.client.describe("w").result


@pytest.mark.parametrize(
    "point", ["call.before post", "call.after post", "commit.before complete", "commit.before journal"]
)
def test_a_verified_effect_happens_once_wherever_the_worker_crashes(
    database: Database, worker: InlineWorker, world: World, crash_at: Callable[[str], None], point: str
) -> None:
    worker.client.start(posting, "hi", workflow_id="w")
    crash_at(point)
    crash_and_return(database, worker)
    assert (world.posted, result(worker)) == (["w/1/1"], "ts-1")


def test_an_effect_whose_answer_was_lost_is_looked_for_and_adopted(
    database: Database, worker: InlineWorker, world: World
) -> None:
    world.after = [InDoubt("the answer was lost")]
    worker.client.start(posting, "hi", workflow_id="w")
    worker.run_until_idle()
    settle(database, worker)
    assert (world.posted, world.looks, result(worker)) == (["w/1/1"], 1, "ts-1")


def test_an_effect_in_doubt_that_did_not_happen_is_repeated_under_the_same_key(
    database: Database, worker: InlineWorker, world: World
) -> None:
    world.before = [InDoubt("connection reset")]
    worker.client.start(posting, "hi", workflow_id="w")
    worker.run_until_idle()
    settle(database, worker)
    assert (world.posted, world.looks, result(worker)) == (["w/1/1"], 1, "ts-1")


def test_a_look_that_fails_never_falls_through_to_the_call(
    database: Database, worker: InlineWorker, world: World
) -> None:
    world.after = [InDoubt("the answer was lost")]
    world.look_errors = [OSError("cannot look"), OSError("cannot look"), InDoubt("nor now")]
    worker.client.start(posting, "hi", workflow_id="w")
    worker.run_until_idle()
    for _ in range(3):
        settle(database, worker)
        assert (world.posted, result(worker)) == (["w/1/1"], None)
    settle(database, worker)
    assert (world.posted, result(worker)) == (["w/1/1"], "ts-1")


def test_an_unforeseen_error_of_a_verified_effect_is_looked_into_as_well(
    database: Database, worker: InlineWorker, world: World
) -> None:
    world.after = [ValueError("our own bug after the call")]
    worker.client.start(posting, "hi", workflow_id="w")
    worker.run_until_idle()
    settle(database, worker)
    assert (world.posted, result(worker)) == (["w/1/1"], "ts-1")


def test_a_retry_waits_as_a_durable_timer_that_grows(database: Database, worker: InlineWorker, world: World) -> None:
    world.before = [OSError("one"), OSError("two")]
    worker.client.start(fetching, workflow_id="w")
    worker.run_until_idle()
    advance(database, timedelta(seconds=9))
    assert worker.run_until_idle() == 0
    advance(database, timedelta(seconds=1))
    assert worker.run_until_idle() == 1
    advance(database, timedelta(seconds=19))
    assert worker.run_until_idle() == 0
    advance(database, timedelta(seconds=1))
    worker.run_until_idle()
    assert result(worker) == "ts-1"


def test_attempts_that_are_used_up_fail_in_the_workflow(worker: InlineWorker, world: World) -> None:
    world.before = [OSError(str(number)) for number in range(9)]
    worker.client.start(fetching, workflow_id="w")
    worker.run_for(timedelta(hours=1))
    assert (result(worker), len(world.before)) == ("OSError: 2", 6)


def test_a_non_retryable_error_fails_at_once(worker: InlineWorker, world: World) -> None:
    world.before = [Refused("no")]
    worker.client.start(fetching, workflow_id="w")
    worker.run_until_idle()
    assert result(worker) == "Refused: no"


def test_retry_after_uses_up_no_attempt_and_goes_by_the_real_clock(
    database: Database, worker: InlineWorker, world: World
) -> None:
    world.before = [RetryAfter(3600) for _ in range(20)]
    worker.client.start(fetching, workflow_id="w")
    worker.run_until_idle()
    advance(database, timedelta(days=1))
    assert worker.run_until_idle() == 0
    for _ in range(20):
        settle(database, worker)
    assert result(worker) == "ts-1"


def test_a_refused_token_parks_the_workflow_until_the_gate_is_opened(worker: InlineWorker, world: World) -> None:
    world.before = [Park("slack", "invalid_auth")]
    worker.client.start(posting, "hi", workflow_id="w")
    worker.run_for(timedelta(days=1))
    (gate,) = worker.client.gates()
    assert (gate.name, gate.reason, gate.parked) == ("slack", "invalid_auth", 1)
    assert worker.client.describe("w").state == "parked"
    assert worker.client.open_gate("slack") == 1
    worker.run_until_idle()
    assert (world.posted, worker.client.gates()) == (["w/1/1"], [])


def test_only_an_effect_that_must_not_happen_twice_is_bound_by_the_lease(inline: Inline) -> None:
    def told() -> Found[float] | None:
        return None

    @activity(timeout=7200)
    def harmless() -> float:
        return info().timeout

    @activity(verify=told, timeout=7200)
    def grave() -> float:
        return info().timeout

    @workflow
    def both() -> list[float]:
        return [harmless(), grave()]

    worker = inline(both)
    worker.client.start(both, workflow_id="w")
    worker.run_until_idle()
    unbound, bound = result(worker)
    assert unbound == 7200
    assert 3000 < bound < A_LONG_LEASE_S


def test_a_heartbeat_renews_the_time_of_a_long_activity(database: Database, inline: Inline) -> None:
    def silence_left() -> float:
        with database.reading() as connection:
            asked = "SELECT extract(epoch FROM claimed_until - clock_timestamp()) FROM durable.workflows"
            return float(connection.execute(text(asked)).scalar_one())

    @activity(timeout=30)
    def long() -> bool:
        with database.transaction("test") as connection:
            connection.execute(text("UPDATE durable.workflows SET claimed_until = clock_timestamp()"))
        heartbeat()
        return silence_left() > 60

    @workflow
    def patient() -> bool:
        return long()

    worker = inline(patient)
    worker.client.start(patient, workflow_id="w")
    worker.run_until_idle()
    assert result(worker) is True


def test_a_heartbeat_ends_the_call_of_a_worker_that_lost_the_workflow(database: Database, inline: Inline) -> None:
    after: list[str] = []

    @activity
    def taken_away() -> None:
        with database.transaction("test") as connection:
            connection.execute(text("UPDATE durable.workflows SET fence = fence + 1"))
        heartbeat()
        after.append("went on")

    @workflow
    def unlucky() -> None:
        taken_away()

    worker = inline(unlucky)
    worker.client.start(unlucky, workflow_id="w")
    worker.run_until_idle()
    assert (after, worker.client.describe("w").state) == ([], "running")


def test_a_result_that_cannot_be_stored_fails_its_own_step(inline: Inline) -> None:
    @activity
    def strange() -> object:
        return object()

    @workflow
    def asking() -> str:
        try:
            return str(strange())
        except ActivityFailed as failure:
            return failure.error

    worker = inline(asking)
    worker.client.start(asking, workflow_id="w")
    worker.run_until_idle()
    assert result(worker) == "NotSerializable"


@workflow
def posting_in_two_runs(run: int) -> str:
    timestamp = post("hi")
    if run == 1:
        continue_as_new(2)
    return timestamp


def test_the_same_step_of_the_next_run_is_another_effect_and_adopts_nothing(
    database: Database, inline: Inline, world: World
) -> None:
    worker = inline(posting_in_two_runs, resources={World: world})
    worker.client.start(posting_in_two_runs, 1, workflow_id="w")
    world.after = [InDoubt("the answer was lost"), InDoubt("and again")]
    worker.run_until_idle()
    settle(database, worker)
    settle(database, worker)
    assert (world.posted, result(worker)) == (["w/1/1", "w/2/1"], "ts-2")


@transaction
def count_up(connection: Connection, name: str) -> int:
    insert = "INSERT INTO counts VALUES (:name, 1) ON CONFLICT (name) DO UPDATE SET n = counts.n + 1 RETURNING n"
    counted: int = connection.execute(text(insert), {"name": name}).scalar_one()
    return counted


@workflow
def counting() -> list[int]:
    first = count_up("a")
    sleep(1)
    return [first, count_up("a")]


@pytest.mark.parametrize("point", ["commit.before transaction", "commit.after transaction"])
def test_a_transaction_happens_once_with_its_journal_row(
    database: Database, inline: Inline, crash_at: Callable[[str], None], point: str
) -> None:
    with database.transaction("test") as connection:
        connection.execute(text("CREATE TABLE counts (name text PRIMARY KEY, n integer)"))
    worker = inline(counting)
    worker.client.start(counting, workflow_id="w")
    crash_at(point)
    crash_and_return(database, worker)
    worker.run_for(timedelta(seconds=5))
    assert result(worker) == [1, 2]


def test_a_transaction_that_fails_leaves_nothing_and_is_tried_again(database: Database, inline: Inline) -> None:
    with database.transaction("test") as connection:
        connection.execute(text("CREATE TABLE counts (name text PRIMARY KEY, n integer)"))
    troubles = [ValueError("once")]

    @transaction
    def moody(connection: Connection) -> int:
        counted = count_up.function(connection, "m")
        if troubles:
            raise troubles.pop()
        return int(counted)

    @workflow
    def trying() -> int:
        return moody()

    worker = inline(trying)
    worker.client.start(trying, workflow_id="w")
    worker.run_for(timedelta(minutes=1))
    assert result(worker) == 1
