"""Queues that are limited on each worker: alone, with a limit over all workers, and with a rate."""

import threading
from collections.abc import Callable, Sequence

from bot.demo.waiting import eventually
from durable import activity, resource, workflow
from durable.client import Client
from durable.model import Claim
from durable.postgres import Database, scheduling
from durable.queues import Queue, Queues
from durable.testing import InlineWorker
from durable.worker import Worker
from durable.worker.taking import Taking
from tests.integration.durable.test_queues import Crowd, narrow, start_many, takings


def workers(database: Database, many: int) -> list[Taking]:
    return [takings(database, ["narrow"]) for _ in range(many)]


def taken(worker: Taking) -> list[Claim]:
    return worker.take(8, worker.outlook())


def numbers_taken(workers: Sequence[Taking]) -> list[int]:
    return [len(taken(worker)) for worker in workers]


def give_back(database: Database, claim: Claim) -> None:
    with database.transaction("test") as connection:
        scheduling.release(connection, claim)


def test_at_most_so_many_of_a_queue_run_on_each_worker(database: Database, working: Callable[..., Worker]) -> None:
    together = threading.Barrier(4)

    @activity
    def work() -> None:
        with resource(Crowd).enter():
            together.wait(30)

    @workflow(queue="narrow")
    def busy() -> None:
        work()

    Queues(database).limit("narrow", most_per_worker=2)
    start_many(database, busy, 12)
    crowds = [Crowd(), Crowd()]
    for crowd in crowds:
        working(busy, resources={Crowd: crowd}, slots=8)
    eventually(lambda: Client(database).overview().counts == {"completed": 12})
    assert [(crowd.most, crowd.all) for crowd in crowds] == [(2, 6), (2, 6)]


def test_a_worker_that_is_full_leaves_the_rest_to_others(database: Database) -> None:
    Queues(database).limit("narrow", most_per_worker=3)
    start_many(database, narrow, 8)
    first, *others = workers(database, 3)
    assert len(taken(first)) == 3
    full = first.outlook()
    assert (full.due_in, full.admitting, full.held_back) == (None, (), True)
    assert first.take(8, full) == []
    assert numbers_taken(others) == [3, 2]
    assert first.outlook().held_back is False
    assert Queues(database).list() == [Queue("narrow", None, 3, None, 1, 8)]


def test_what_was_seen_before_the_worker_was_full_lets_it_take_no_more(database: Database) -> None:
    Queues(database).limit("narrow", most_per_worker=3)
    start_many(database, narrow, 8)
    worker = takings(database, ["narrow"])
    before = worker.outlook()
    assert [len(worker.take(2, before)) for _ in range(3)] == [2, 1, 0]


def test_a_place_that_becomes_free_is_free_on_its_own_worker_only(database: Database) -> None:
    Queues(database).limit("narrow", most_per_worker=2)
    start_many(database, narrow, 9)
    here, there = workers(database, 2)
    held = taken(here)
    assert len(taken(there)) == 2
    give_back(database, held[0])
    assert numbers_taken([there, here, here]) == [0, 1, 0]


def test_the_smallest_of_a_limit_on_each_worker_one_over_all_and_a_rate_holds(database: Database) -> None:
    queues = Queues(database)
    start_many(database, narrow, 20)
    queues.limit("narrow", most_running=5, most_per_worker=2)
    assert numbers_taken(workers(database, 4)) == [2, 2, 1, 0]
    queues.limit("narrow", most_per_worker=2, rate=0.001, burst=3)
    assert numbers_taken(workers(database, 3)) == [2, 1, 0]
    queues.limit("narrow", most_per_worker=5, rate=0.001, burst=4)
    assert numbers_taken(workers(database, 2)) == [0, 0]
    queues.limit("narrow", most_per_worker=5, most_running=10)
    assert numbers_taken(workers(database, 2)) == [2, 0]


def test_what_a_dead_worker_had_counts_on_no_other(database: Database) -> None:
    Queues(database).limit("narrow", most_per_worker=2)
    start_many(database, narrow, 6)
    dead, living = workers(database, 2)
    assert numbers_taken([dead, living]) == [2, 2]
    with database.transaction("test") as connection:
        assert len(scheduling.reclaim(connection, [dead._lease.worker])) == 2
    assert numbers_taken([living, takings(database, ["narrow"])]) == [0, 2]


def test_a_full_worker_goes_on_with_other_queues(database: Database) -> None:
    @workflow
    def free() -> None: ...

    Queues(database).limit("narrow", most_per_worker=1)
    start_many(database, narrow, 50)
    start_many(database, free, 3)
    worker = takings(database, ["narrow", "free"])
    assert sorted(claim.name for claim in taken(worker)) == ["free", "free", "free", "narrow"]
    start_many(database, free, 5)
    assert [claim.name for claim in taken(worker)] == ["free", "free"]


def test_the_limit_is_changed_and_lifted(database: Database, inline: Callable[..., InlineWorker]) -> None:
    queues = Queues(database)
    start_many(database, narrow, 12)
    worker = takings(database, ["narrow"])
    queues.limit("narrow", most_per_worker=1)
    assert len(taken(worker)) == 1
    queues.limit("narrow", most_per_worker=4)
    assert len(taken(worker)) == 3
    queues.limit("narrow", most_running=5)
    assert len(taken(worker)) == 1
    assert queues.unlimited("narrow")
    assert inline(narrow).run_until_idle() == 7
