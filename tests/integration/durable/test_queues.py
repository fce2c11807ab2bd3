"""Queues with limits over all workers, priorities, pinned versions, deadlines, and workers that know different things."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from bot.demo.waiting import eventually
from durable import activity, call, gather, receive, sleep, workflow
from durable.client import Client
from durable.postgres import Database, scheduling
from durable.postgres.scheduling import Process, Serves
from durable.queues import Queue, Queues
from durable.testing import InlineWorker, advance
from durable.worker import Worker
from durable.worker.lease import Lease
from durable.worker.taking import Taking

Working = Callable[..., Worker]
Inline = Callable[..., InlineWorker]


class Crowd:
    """Counts who is inside at one time, and how many there were at most and in all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self.most = 0
        self.all = 0

    @contextmanager
    def enter(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
            self.all += 1
            self.most = max(self.most, self._inside)
        yield
        with self._lock:
            self._inside -= 1


@workflow(queue="narrow")
def narrow() -> None: ...


def takings(database: Database, names: Sequence[str], **serves: Any) -> Taking:
    """What a worker takes by, without the worker: nothing that it takes is run."""
    lease = Lease(database, 60)
    with database.transaction("register") as connection:
        lease.worker = scheduling.register(connection, Process("elsewhere", 1, 0), 60)
    return Taking(database, lease, Serves(names, **serves))


def start_many(database: Database, what: Any, many: int) -> None:
    client = Client(database)
    for number in range(many):
        client.start(what, workflow_id=f"{what.name}{number}")


def states(client: Client) -> dict[str, str]:
    return {found.workflow_id: found.state for found in client.list()}


def test_what_is_due_is_counted_by_its_queue(database: Database) -> None:
    @workflow
    def wide() -> None: ...

    @workflow(queue="narrow", priority=3, version="2")
    def narrow_too() -> None: ...

    client = Client(database)
    assert client.due_by_queue() == {}
    for declared, many in ((narrow, 2), (narrow_too, 3), (wide, 1)):
        start_many(database, declared, many)
    assert client.due_by_queue() == {"default": 1, "narrow": 5}
    assert client.overview().due == 6


def test_at_most_so_many_run_at_one_time_over_two_workers(database: Database, working: Working) -> None:
    crowd = Crowd()

    @activity
    def work() -> None:
        with crowd.enter():
            threading.Event().wait(0.02)

    @workflow(queue="narrow")
    def busy() -> None:
        work()

    Queues(database).limit("narrow", most_running=3)
    start_many(database, busy, 30)
    working(busy)
    working(busy)
    eventually(lambda: Client(database).overview().counts == {"completed": 30})
    assert (crowd.all, crowd.most <= 3) == (30, True)


def test_workers_that_claim_at_the_very_same_time_do_not_over_admit(database: Database) -> None:
    Queues(database).limit("narrow", most_running=5)
    start_many(database, narrow, 40)
    workers = [takings(database, ["narrow"]) for _ in range(8)]
    looks = [worker.outlook() for worker in workers]
    together = threading.Barrier(len(workers))

    def take(number: int) -> int:
        together.wait(10)
        return len(workers[number].take(4, looks[number]))

    with ThreadPoolExecutor(len(workers)) as pool:
        assert sum(pool.map(take, range(len(workers)))) == 5
    (queue,) = Queues(database).list()
    assert (queue.name, queue.most_running, queue.running) == ("narrow", 5, 5)


def test_a_rate_holds_over_workers_that_claim_at_the_very_same_time(database: Database) -> None:
    Queues(database).limit("narrow", rate=0.001, burst=7)
    start_many(database, narrow, 40)
    workers = [takings(database, ["narrow"]) for _ in range(8)]
    looks = [worker.outlook() for worker in workers]
    with ThreadPoolExecutor(len(workers)) as pool:
        taken = pool.map(lambda worker, look: len(worker.take(4, look)), workers, looks)
        assert sum(taken) == 7


def test_a_rate_holds_over_two_workers_as_time_goes_by(database: Database, working: Working) -> None:
    Queues(database).limit("narrow", rate=25, burst=5)
    start_many(database, narrow, 30)
    began = time.monotonic()
    working(narrow)
    working(narrow)
    eventually(lambda: Client(database).overview().counts == {"completed": 30})
    assert time.monotonic() - began >= (30 - 5) / 25


def test_an_exhausted_queue_is_looked_at_again_when_it_has_a_token_and_a_full_one_by_polling(
    database: Database,
) -> None:
    Queues(database).limit("narrow", rate=0.1)
    start_many(database, narrow, 3)
    worker = takings(database, ["narrow"])
    assert len(worker.take(8, worker.outlook())) == 1
    exhausted = worker.outlook()
    assert exhausted.due_in == pytest.approx(10, abs=1)
    assert worker.take(8, exhausted) == []
    Queues(database).limit("narrow", most_running=1)
    assert worker.outlook().due_in is None


def test_saying_the_same_limit_again_gives_no_fresh_tokens(database: Database) -> None:
    Queues(database).limit("narrow", rate=0.001, burst=2)
    start_many(database, narrow, 5)
    worker = takings(database, ["narrow"])
    assert len(worker.take(8, worker.outlook())) == 2
    Queues(database).limit("narrow", rate=0.001, burst=2)
    assert worker.take(8, worker.outlook()) == []


def test_a_waiting_workflow_holds_no_slot(database: Database, inline: Inline) -> None:
    @workflow(queue="narrow")
    def waits() -> None:
        sleep(3600)
        receive("go")

    Queues(database).limit("narrow", most_running=1)
    start_many(database, waits, 20)
    assert inline(waits).run_until_idle() == 20
    assert set(states(Client(database)).values()) == {"waiting"}
    assert [queue.running for queue in Queues(database).list()] == [0]


def test_a_backlog_of_an_exhausted_queue_does_not_hold_up_the_others(database: Database, inline: Inline) -> None:
    @workflow
    def free() -> None: ...

    Queues(database).limit("narrow", rate=0.001)
    start_many(database, narrow, 200)
    start_many(database, free, 5)
    inline(narrow, free).run_until_idle()
    assert Client(database).overview().counts == {"completed": 6, "waiting": 199}


def test_a_lifted_limit_lets_everything_run(database: Database, inline: Inline) -> None:
    queues = Queues(database)
    queues.limit("narrow", rate=0.001)
    start_many(database, narrow, 10)
    worker = inline(narrow)
    assert worker.run_until_idle() == 1
    assert (queues.unlimited("narrow"), queues.unlimited("narrow"), queues.list()) == (True, False, [])
    assert worker.run_until_idle() == 9


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        ({}, "queue 'q': give most_running, most_per_worker or rate"),
        ({"most_running": 0}, "queue 'q': most_running is 0, must be more than 0"),
        ({"most_per_worker": 0}, "queue 'q': most_per_worker is 0, must be more than 0"),
        ({"rate": -1.0}, "queue 'q': rate is -1.0, must be more than 0"),
        ({"rate": 1.0, "burst": 0}, "queue 'q': burst is 0, must be more than 0"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(database: Database, limits: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Queues(database).limit("q", **limits)


def test_a_worker_serves_the_queues_it_names_and_leaves_the_others(database: Database, inline: Inline) -> None:
    @workflow
    def free() -> None: ...

    start_many(database, narrow, 1)
    start_many(database, free, 1)
    inline(narrow, free, queues=["narrow"]).run_until_idle()
    assert states(Client(database)) == {"narrow0": "completed", "free0": "ready"}
    inline(narrow, free).run_until_idle()
    assert states(Client(database)) == {"narrow0": "completed", "free0": "completed"}


def test_a_workflow_that_only_one_of_two_workers_knows_is_run_by_that_one_and_the_other_is_not_disturbed(
    database: Database, working: Working, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []

    @activity
    def note(what: str) -> None:
        ran.append(what)

    @workflow
    def known_to_both() -> None:
        note("both")

    @workflow
    def known_to_one() -> None:
        note("one")

    client = Client(database)
    working(known_to_both)
    start_many(database, known_to_one, 20)
    start_many(database, known_to_both, 20)
    eventually(lambda: ran == ["both"] * 20)
    assert {client.describe(f"known_to_one{number}").state for number in range(20)} == {"ready"}
    working(known_to_both, known_to_one)
    eventually(lambda: client.overview().counts == {"completed": 40})
    assert ran.count("one") == 20
    assert [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


def test_an_activity_that_only_one_of_two_workers_knows_is_called_by_that_one(
    database: Database, inline: Callable[..., InlineWorker]
) -> None:
    without = inline()

    @activity
    def only_here() -> str:
        return "called"

    @workflow
    def asking() -> list[Any]:
        return gather(call(only_here), call(only_here))

    with_it = inline(asking)
    client = Client(database)
    client.start(asking, workflow_id="w")
    [claim] = with_it._taking.take(1, with_it._taking.outlook())
    with_it._runner.run(claim, time.monotonic())
    assert without.run_until_idle() == 0
    assert [client.describe(f"w~1.1.{number}").state for number in (0, 1)] == ["ready", "ready"]
    with_it.run_until_idle()
    assert client.describe("w").result == ["called", "called"]


def test_a_pinned_workflow_is_left_to_its_version_and_another_is_for_any(database: Database, inline: Inline) -> None:
    @workflow(version="2")
    def pinned() -> None:
        receive("go")

    @workflow
    def loose() -> None: ...

    start_many(database, pinned, 1)
    start_many(database, loose, 1)
    client = Client(database)
    for older in ({}, {"version": "1"}):
        worker = inline(pinned, loose, **older)
        worker.run_until_idle()
        assert client.describe("pinned0").state == "ready"
    assert client.describe("loose0").state == "completed"
    inline(pinned, loose, version="2").run_until_idle()
    assert client.describe("pinned0").state == "waiting"
    client.signal("pinned0", "go", key="1")
    worker.run_until_idle()
    assert client.describe("pinned0").state == "ready"


def test_higher_priority_goes_first_then_who_is_due_the_longest(database: Database, inline: Inline) -> None:
    ran: list[str] = []

    @activity
    def note(what: str) -> None:
        ran.append(what)

    @workflow
    def usual(what: str) -> None:
        note(what)

    @workflow
    def as_usual(what: str) -> None:
        note(what)

    @workflow(priority=5, queue="other")
    def urgent(what: str) -> None:
        note(what)

    @workflow(priority=-5)
    def idle(what: str) -> None:
        note(what)

    client = Client(database)
    order = [(idle, "e"), (usual, "b"), (urgent, "a"), (as_usual, "c"), (usual, "d"), (urgent, "aa")]
    for what, name in order:
        client.start(what, name, workflow_id=name)
    inline(usual, as_usual, urgent, idle).run_until_idle()
    assert ran == ["a", "aa", "b", "c", "d", "e"]


def test_one_slot_takes_the_higher_priority_out_of_a_large_backlog(database: Database) -> None:
    @workflow(priority=1)
    def urgent() -> None: ...

    start_many(database, narrow, 100)
    start_many(database, urgent, 1)
    worker = takings(database, ["narrow", "urgent"])
    (claim,) = worker.take(1, worker.outlook())
    assert claim.name == "urgent"


def test_priority_holds_within_what_a_limit_admits(database: Database) -> None:
    @workflow(priority=1, queue="narrow")
    def urgent() -> None: ...

    Queues(database).limit("narrow", most_running=2)
    start_many(database, narrow, 10)
    start_many(database, urgent, 1)
    worker = takings(database, ["narrow", "urgent"])
    assert [claim.name for claim in worker.take(8, worker.outlook())] == ["urgent", "narrow"]


def test_a_run_past_its_deadline_is_cancelled_and_one_before_it_is_not(database: Database, inline: Inline) -> None:
    @workflow(deadline=timedelta(hours=1))
    def short() -> None:
        receive("never")

    @workflow(deadline=timedelta(hours=3))
    def long() -> None:
        receive("never")

    client = Client(database)
    start_many(database, short, 1)
    start_many(database, long, 1)
    worker = inline(short, long)
    worker.run_for(timedelta(minutes=59))
    assert states(client) == {"short0": "waiting", "long0": "waiting"}
    worker.run_for(timedelta(minutes=2))
    assert states(client) == {"short0": "cancelled", "long0": "waiting"}
    assert "deadline" in (client.describe("short0").reason or "")


def test_a_worker_with_threads_cancels_what_is_past_its_deadline(database: Database, working: Working) -> None:
    @workflow(deadline=timedelta(hours=1))
    def short() -> None:
        receive("never")

    start_many(database, short, 1)
    client = Client(database)
    working(short)
    eventually(lambda: client.describe("short0").state == "waiting")
    advance(database, timedelta(hours=2))
    eventually(lambda: client.describe("short0").state == "cancelled")


def test_a_workflow_that_ended_before_its_deadline_is_left_alone(database: Database, inline: Inline) -> None:
    @workflow(deadline=timedelta(hours=1))
    def brief() -> str:
        return "done"

    start_many(database, brief, 1)
    inline(brief).run_for(timedelta(hours=2))
    assert states(Client(database)) == {"brief0": "completed"}


def test_what_runs_is_counted_for_queues_without_a_limit_too(database: Database) -> None:
    start_many(database, narrow, 3)
    worker = takings(database, ["narrow"])
    assert len(worker.take(2, worker.outlook())) == 2
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM durable.queues")).scalar_one() == 0
    assert Queues(database).list() == [Queue("narrow", None, None, None, None, 2)]
