"""No statement of the engine's daily work reads what it does not need: each touches as much as in an empty database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from durable import (
    Park,
    activity,
    call,
    continue_as_new,
    first_of,
    gather,
    receive,
    resource,
    rounds,
    sleep,
    start_child,
    transaction,
    workflow,
)
from durable.intake import Delivery, Intake, SignalWithStart
from durable.postgres import Database, commands, deadlines, deliveries, gates, pruning, schedules, scheduling
from durable.queues import Queues
from durable.scheduler import Schedules
from durable.schedules import Every
from durable.testing import InlineWorker, advance
from tests.support import crowd
from tests.support.chaos import Figure, sized
from tests.support.database import Databases
from tests.support.explained import Touched, explaining, touching_at_most, undone

CROWD = sized(5_000, 300_000)
DEEPER = 60
"""Larger indexes are a few levels deeper, for each of a statement's look-ups: twice as much as alone, and this."""
A_FEW = 60
MINUTE = timedelta(minutes=1)
MONTH = timedelta(days=30)

pytestmark = pytest.mark.chaos


class World:
    """Something outside that may refuse us."""

    refuses = True


@activity
def step(number: int) -> int:
    return number


@transaction
def record(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))


@activity
def refused() -> None:
    if resource(World).refuses:
        raise Park("outside", "refused")


@workflow(retention=MINUTE)
def child(minutes: int) -> int:
    sleep(minutes * MINUTE)
    return step(minutes)


@workflow
def everything() -> None:
    step(1)
    record()
    sleep(MINUTE)
    receive("signal")
    receive("never", timeout=MINUTE)
    gather(call(step, 1), call(child, 1))
    first_of(call(child, 1), call(child, 500))
    start_child(child, 1).result()
    start_child(child, 500, on_parent_close="cancel")
    refused()
    for round_ in rounds(0):
        sleep(MINUTE)
        if round_.number == 2:
            return


@workflow
def runs(number: int = 1) -> None:
    if number < 3:
        continue_as_new(number + 1)


@workflow(deadline=3 * MINUTE)
def late() -> None:
    receive("never")


@workflow(queue="limited")
def limited() -> int:
    return step(1)


def daily_work(database: Database, clock: Database) -> None:
    """A little of everything that the engine does. Time is moved by `clock`, which is not the engine's work, and by
    minutes, so that it does not matter how many seconds this takes."""
    world = World()
    route = {"web": lambda delivery, _: [SignalWithStart(runs, (), f"delivered-{delivery.id}", "arrived", None)]}
    worker = InlineWorker(
        database,
        workflows=[everything, child, runs, late, limited],
        routes=route,
        resources={World: world},
        guard=False,
    )

    def pass_minutes(many: int) -> None:
        for _ in range(many):
            advance(clock, MINUTE)
            worker.run_until_idle()

    Queues(database).limit("limited", most_running=2, most_per_worker=2, rate=1000, burst=10)
    Schedules(database).put("often", child, 1, spec=Every(2 * MINUTE))
    for function in (everything, runs, late, limited):
        worker.client.start(function, workflow_id=function.name)
    Intake(database).put(Delivery("web", "1", {}, b"body"))
    pass_minutes(3)
    worker.client.signal("everything", "signal", key="1")
    pass_minutes(7)
    assert worker.client.describe("everything").state == "parked"
    world.refuses = False
    worker.client.open_gate("outside")
    pass_minutes(3)
    assert worker.client.describe("everything").state == "completed"
    assert worker.client.describe("late").state == "cancelled"
    upkeep(worker)
    worker.close()


def upkeep(worker: InlineWorker) -> None:
    """What a worker does beside its runs: its heartbeat, its hourly duties, and giving back what it holds."""
    worker.client.start(runs, workflow_id="given back")
    for claim in worker._taking.take(1, worker._taking.outlook()):
        worker._runner._release(claim)
    worker._lease._beat()
    worker._upkeep.reap()
    worker._upkeep.cancel_overdue()
    worker._upkeep.wake_strays()
    worker._upkeep.prune()
    worker.client.workers()
    worker.client.history("everything")


@contextmanager
def migrated(databases: Databases) -> Iterator[tuple[Database, Database]]:
    with databases.migrated() as url:
        pair = Database(url), Database(url, pool_size=1)
        yield pair
        for database in pair:
            database.close()


def most_touched(noted: list[Touched]) -> dict[str, int]:
    most: dict[str, int] = {}
    for touched in noted:
        most[touched.statement] = max(touched.buffers, most.get(touched.statement, 0))
    return most


@pytest.fixture(scope="module")
def alone(databases: Databases) -> dict[str, int]:
    """What each statement touches at most in a database where there is nothing else."""
    with migrated(databases) as (database, clock), explaining(database) as noted:
        daily_work(database, clock)
    return most_touched(noted)


@pytest.fixture(scope="module")
def crowded(databases: Databases) -> Iterator[tuple[Database, Database]]:
    with migrated(databases) as (database, clock):
        with clock.transaction("crowd") as connection:
            crowd.put_asleep(connection, CROWD)
            crowd.give_deadlines(connection)
            crowd.put_parked(connection, CROWD // 5, "elsewhere")
            crowd.put_ended(connection, CROWD)
            crowd.put_schedules(connection, 6_000)
        crowd.settle(clock)
        yield database, clock


def test_every_statement_of_the_daily_work_touches_as_little_in_a_crowd_as_alone(
    alone: dict[str, int], crowded: tuple[Database, Database], record_property: Figure
) -> None:
    with explaining(crowded[0]) as noted:
        daily_work(*crowded)
    found = most_touched(noted)
    greedy = [
        f"{buffers} buffers, alone {alone.get(statement)}: {statement}"
        for statement, buffers in found.items()
        if buffers > 2 * alone.get(statement, 0) + DEEPER
    ]
    assert not greedy, "\n".join(greedy)
    record_property("statements looked at, each executed at least once", len(found))
    record_property("buffers the greediest touched more than alone", max(found[it] - alone.get(it, 0) for it in found))


def reclaim(connection: Connection) -> None:
    scheduling.reclaim(connection)


def find_overdue(connection: Connection) -> None:
    deadlines.any_overdue(connection)


def wake_parked(connection: Connection) -> None:
    gates.wake(connection, "outside")


def take_due_schedule(connection: Connection) -> None:
    schedules.take_due(connection, [])


def find_deliveries(connection: Connection) -> None:
    deliveries.waiting(connection, ["web"], 50)


def prune_runs(connection: Connection) -> None:
    pruning.prune(connection, "runs", MONTH)


def prune_signals(connection: Connection) -> None:
    pruning.prune(connection, "signals", MONTH)


def prune_deliveries(connection: Connection) -> None:
    pruning.prune(connection, "deliveries", MONTH)


def send_signal(connection: Connection) -> None:
    commands.signal(connection, "nap-sleeper-7", commands.Outgoing("signal", "null", "key"))


@pytest.mark.parametrize(
    ("ask", "loss"),
    [
        (reclaim, "DROP INDEX durable.workflows_running, durable.workflows_queue_running"),
        (find_overdue, "DROP INDEX durable.workflows_deadline"),
        (wake_parked, "DROP INDEX durable.workflows_parked"),
        (take_due_schedule, "DROP INDEX durable.schedules_due"),
        (find_deliveries, "DROP INDEX durable.deliveries_received"),
        (prune_runs, "DROP INDEX durable.runs_ended"),
        (prune_signals, "DROP INDEX durable.inbox_read"),
        (prune_deliveries, "DROP INDEX durable.deliveries_age"),
        (send_signal, "ALTER TABLE durable.workflows DROP CONSTRAINT workflows_workflow_id_key"),
    ],
)
def test_this_notices_when_a_statement_loses_its_index(
    crowded: tuple[Database, Database], ask: Callable[[Connection], None], loss: str
) -> None:
    database = crowded[0]
    with undone(database) as connection:
        with touching_at_most(A_FEW, database):
            ask(connection)
        connection.execute(text(loss))
        with pytest.raises(AssertionError, match="of them by"), touching_at_most(A_FEW, database):
            ask(connection)


def test_a_backlog_of_deliveries_is_not_read_whole_for_each_batch(crowded: tuple[Database, Database]) -> None:
    database = crowded[0]
    with undone(database) as connection:
        crowd.put_undispatched(connection, CROWD)
        with touching_at_most(A_FEW, database):
            assert deliveries.next_in(connection, ["web"]) == 0
            assert len(deliveries.waiting(connection, ["web"], 50)) == 50


def test_every_foreign_key_has_an_index_for_what_goes_with_its_row(database: Database) -> None:
    with database.reading() as connection:
        assert connection.execute(_UNSUPPORTED).all() == []


_UNSUPPORTED = text("""
SELECT conrelid::regclass, conname FROM pg_constraint key
WHERE contype = 'f' AND connamespace = 'durable'::regnamespace AND NOT EXISTS (
    SELECT FROM pg_index WHERE indrelid = conrelid AND indpred IS NULL
        AND (string_to_array(indkey::text, ' ')::int[])[1:cardinality(conkey)] = conkey::int[])
""")
