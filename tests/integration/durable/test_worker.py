"""Workers with threads: leases, fences, takeover, stopping, hints."""

import math
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from bot.demo.waiting import eventually
from durable import Found, activity, receive, sleep, workflow
from durable.client import Client
from durable.model import Claim, Entry
from durable.postgres import Database, scheduling
from durable.postgres.journal import FenceLost, Hold, Write, write
from durable.postgres.scheduling import Process, Serves
from durable.testing import InlineWorker, advance
from durable.worker import Worker
from durable.worker.lease import this_process

Working = Callable[..., Worker]
Inline = Callable[..., InlineWorker]


class Valve:
    """Holds activities until it is opened, and counts who came."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.calls = 0

    def pass_through(self) -> int:
        self.calls += 1
        self.entered.set()
        self.open.wait(30)
        return self.calls


@workflow
def brief() -> str:
    return "done"


@workflow
def patient() -> str:
    signal = receive("go")
    return "" if signal is None else str(signal.payload)


def holding(valve: Valve, *, and_more: bool = False) -> Any:
    @activity(verify=lambda: Found(-1) if valve.calls else None)
    def hold() -> int:
        return valve.pass_through()

    @workflow
    def held() -> int:
        result = hold()
        if and_more:
            sleep(0)
        return result

    return held


def state(client: Client, workflow_id: str) -> str:
    return client.describe(workflow_id).state


def claim_one(database: Database, worker: int) -> Claim:
    with database.transaction("claim") as connection:
        (claim,) = scheduling.claim(connection, worker, Serves(["brief"]), 1, 60)
    return claim


def register(database: Database, process: Process, lease: float = 60) -> int:
    with database.transaction("register") as connection:
        return scheduling.register(connection, process, lease)


def elsewhere() -> Process:
    return Process("another host", 1, 0)


def test_many_workflows_run_on_two_workers_each_once(database: Database, working: Working) -> None:
    seen: list[str] = []

    @activity
    def see(name: str) -> None:
        seen.append(name)

    @workflow
    def seeing(name: str) -> None:
        see(name)

    client = Client(database, hint=[working(seeing), working(seeing)][0].hint)
    for number in range(100):
        client.start(seeing, str(number), workflow_id=f"s{number}")
    eventually(lambda: client.overview().counts == {"completed": 100})
    assert sorted(seen, key=int) == [str(number) for number in range(100)]


def test_a_worker_says_what_it_takes_and_how_long_its_lease_lasts(database: Database, working: Working) -> None:
    working(brief, slots=3, lease=4.0, version="2026.11")
    register(database, elsewhere(), lease=-1)
    ours, other = Client(database).workers()
    assert (ours.alive, ours.slots, ours.version, 0 < ours.lease_left <= 4) == (True, 3, "2026.11", True)
    assert (other.alive, other.slots, other.version, other.lease_left) == (False, None, None, 0)


def test_a_start_in_another_process_wakes_a_worker_by_a_hint_and_not_by_its_poll(
    database: Database, working: Working
) -> None:
    working(brief, poll=600.0)
    other = Worker(database, workflows=[patient])
    other._notifier.start()
    client = Client(database, hint=other.hint)
    client.start(brief, workflow_id="w")
    eventually(lambda: state(client, "w") == "completed")


def test_without_any_hint_polling_finds_what_is_due(database: Database, working: Working) -> None:
    working(brief)
    client = Client(database)
    client.start(brief, workflow_id="w")
    eventually(lambda: state(client, "w") == "completed")


def test_a_worker_that_is_away_in_another_call_leaves_the_other_slots_free(
    database: Database, working: Working
) -> None:
    valve = Valve()
    held = holding(valve)
    client = Client(database, hint=working(held, brief, slots=2).hint)
    client.start(held, workflow_id="held")
    client.start(brief, workflow_id="brief")
    eventually(lambda: state(client, "brief") == "completed")
    assert state(client, "held") == "running"
    valve.open.set()


def test_an_old_fence_writes_nothing(database: Database) -> None:
    Client(database).start(brief, workflow_id="w")
    first = claim_one(database, register(database, elsewhere()))
    with database.transaction("test") as connection:
        connection.execute(text("UPDATE durable.workflows SET state = 'waiting', wake_at = durable.now()"))
    second = claim_one(database, register(database, elsewhere()))
    with pytest.raises(FenceLost, match="fence 1"), database.transaction("test") as connection:
        write(connection, Write(first, [], Hold(60)))
    with database.transaction("test") as connection:
        write(connection, Write(second, [], Hold(60)))


def test_what_a_dead_process_of_this_host_held_is_taken_over_before_its_lease_ends(
    database: Database, working: Working
) -> None:
    host = this_process().host
    Client(database).start(brief, workflow_id="w")
    claim_one(database, register(database, Process(host, 2**22 + 1, 0), lease=3600))
    client = Client(database, hint=working(brief).hint)
    eventually(lambda: state(client, "w") == "completed")


def test_what_a_silent_worker_of_another_host_held_is_taken_over_when_its_lease_ends(
    database: Database, working: Working
) -> None:
    Client(database).start(brief, workflow_id="w")
    claim_one(database, register(database, elsewhere(), lease=0.5))
    client = Client(database, hint=working(brief, lease=1.0).hint)
    eventually(lambda: state(client, "w") == "completed")
    assert [row.host for row in client.workers() if row.host == "another host"] == []


def test_what_a_living_worker_of_another_host_holds_is_left_to_it(database: Database, inline: Inline) -> None:
    Client(database).start(brief, workflow_id="w")
    claim_one(database, register(database, elsewhere(), lease=3600))
    worker = inline(brief)
    with database.transaction("reap") as connection:
        assert scheduling.reclaim(connection) == []
    assert worker.run_until_idle() == 0


def test_a_claim_that_stays_silent_past_its_deadline_is_taken_away_from_a_living_worker(database: Database) -> None:
    Client(database).start(brief, workflow_id="w")
    worker = register(database, elsewhere(), lease=3600)
    with database.transaction("claim") as connection:
        scheduling.claim(connection, worker, Serves(["brief"]), 1, -1)
    with database.transaction("reap") as connection:
        assert scheduling.reclaim(connection) == ["w"]


def test_a_worker_without_a_lease_claims_nothing(database: Database) -> None:
    Client(database).start(brief, workflow_id="w")
    worker = register(database, elsewhere(), lease=-1)
    with database.transaction("claim") as connection:
        assert scheduling.claim(connection, worker, Serves(["brief"]), 1, 60) == []


def test_a_worker_that_was_written_off_begins_anew_and_its_run_is_fenced_off(
    database: Database, working: Working, caplog: pytest.LogCaptureFixture
) -> None:
    valve = Valve()
    held = holding(valve)
    client = Client(database, hint=working(held, lease=1.0).hint)
    client.start(held, workflow_id="w")
    assert valve.entered.wait(10)
    with database.transaction("test") as connection:
        connection.execute(text("DELETE FROM durable.workers"))
        connection.execute(
            text("UPDATE durable.workflows SET state = 'waiting', wake_at = durable.now() WHERE state = 'running'")
        )
    eventually(lambda: client.describe("w").result == -1)
    valve.open.set()
    eventually(lambda: any("fence lost" in record.message for record in caplog.records))
    assert (valve.calls, [entry.payload for entry in client.history("w")]) == (1, ["-1"])


def test_stopping_gives_back_at_once_and_lets_a_call_under_way_end(database: Database) -> None:
    valve = Valve()
    held = holding(valve, and_more=True)
    worker = Worker(database, workflows=[held, patient])
    worker.start()
    client = Client(database, hint=worker.hint)
    client.start(held, workflow_id="held")
    client.start(patient, workflow_id="patient")
    assert valve.entered.wait(10)
    stopping = threading.Thread(target=worker.stop, args=(10,))
    stopping.start()
    eventually(worker._runner._stopping.is_set)
    valve.open.set()
    stopping.join(10)
    assert (state(client, "held"), client.workers()) == ("ready", [])
    assert [entry.state for entry in client.history("held")] == ["done"]


def test_stopping_leaves_a_call_that_does_not_end_in_doubt_for_others(database: Database, inline: Inline) -> None:
    valve = Valve()
    held = holding(valve)
    worker = Worker(database, workflows=[held])
    worker.start()
    client = Client(database, hint=worker.hint)
    client.start(held, workflow_id="held")
    assert valve.entered.wait(10)
    began = time.monotonic()
    worker.stop(grace=0.2)
    assert time.monotonic() - began < 3
    assert [entry.state for entry in client.history("held")] == ["started"]
    other = inline(held)
    eventually(lambda: other.run_until_idle() >= 0 and client.describe("held").result == -1)
    valve.open.set()


def test_a_result_is_committed_alone_when_the_next_verb_is_long_in_coming(database: Database, working: Working) -> None:
    valve = Valve()

    @activity
    def quick() -> int:
        return 1

    @workflow
    def thinking() -> int:
        result = quick()
        valve.pass_through()
        sleep(0)
        return result

    client = Client(database, hint=working(thinking).hint)
    client.start(thinking, workflow_id="w")
    assert valve.entered.wait(10)
    eventually(lambda: [entry.state for entry in client.history("w")] == ["done"])
    valve.open.set()


def test_a_workflow_that_kills_its_worker_again_and_again_is_paused_with_its_reason(
    database: Database, inline: Inline
) -> None:
    worker = inline(brief)
    worker.client.start(brief, workflow_id="w")
    for _ in range(10):
        claim_one(database, register(database, elsewhere(), lease=3600))
        with database.transaction("test") as connection:
            connection.execute(text("UPDATE durable.workflows SET state = 'waiting', wake_at = durable.now()"))
    worker.run_until_idle()
    described = worker.client.describe("w")
    assert described.state == "paused"
    assert "claimed 10 times without progress" in str(described.reason)


def test_the_more_workers_die_of_a_workflow_without_progress_the_later_the_next_one_takes_it_up(
    database: Database, inline: Inline
) -> None:
    worker = inline(brief)
    worker.client.start(brief, workflow_id="w")
    waits = []
    for _ in range(10):
        dead = register(database, elsewhere(), lease=3600)
        claim_one(database, dead)
        with database.transaction("reap") as connection:
            scheduling.reclaim(connection, [dead])
            due_in = connection.execute(text("SELECT wake_at - durable.now() FROM durable.workflows")).scalar_one()
        waits.append(math.ceil(due_in.total_seconds()))
        advance(database, due_in)
    assert waits == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_workflow_that_got_on_between_two_deaths_is_taken_up_at_once(database: Database, inline: Inline) -> None:
    worker = inline(brief)
    worker.client.start(brief, workflow_id="w")
    for _ in range(5):
        dead = register(database, elsewhere(), lease=3600)
        claim = claim_one(database, dead)
        entry = Entry(1, "activity", "step", "done", claim.now)
        with database.transaction("journal") as connection:
            write(connection, Write(claim, [entry], Hold(60)))
        with database.transaction("reap") as connection:
            assert scheduling.reclaim(connection, [dead]) == ["w"]


def test_two_workflows_of_one_name_are_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="same name"):
        Worker(database, workflows=[brief, brief])
