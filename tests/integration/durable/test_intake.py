"""Deliveries: stored once, applied in order, none held up by another."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from durable import receive, workflow
from durable.client import Client
from durable.errors import IntakeUnavailable
from durable.intake import Delivery, Ignore, Instruction, Intake, SendSignal, SignalWithStart, Unroutable
from durable.postgres import Database
from durable.postgres.scheduling import engine_now
from durable.testing import InlineWorker, advance

Inline = Callable[..., InlineWorker]


@workflow
def gather_until_end() -> list[Any]:
    seen: list[Any] = []
    while True:
        signal = receive()
        assert signal is not None
        if signal.payload == "end":
            return seen
        seen.append(signal.payload)


def delivery(number: int | str, body: bytes = b"x", workflow_id: str = "w") -> Delivery:
    return Delivery("test", f"d{number}", {"to": workflow_id}, body)


def router(received: Delivery, connection: Connection) -> Sequence[Instruction]:
    body = received.body.decode()
    if body == "poison":
        connection.execute(text("SELECT 1 / 0"))
    if body == "nothing":
        return [Ignore("not of use")]
    if body == "signal only":
        return [SendSignal(received.headers["to"], "n", body)]
    return [SignalWithStart(gather_until_end, (), received.headers["to"], "n", body)]


@pytest.fixture
def intake(database: Database) -> Intake:
    return Intake(database)


@pytest.fixture
def worker(inline: Inline) -> InlineWorker:
    return inline(gather_until_end, routes={"test": router})


def states(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(text("SELECT state FROM durable.deliveries ORDER BY id")).scalars())


def test_a_delivery_sent_five_times_at_once_counts_once(
    database: Database, intake: Intake, worker: InlineWorker
) -> None:
    start = threading.Barrier(5)

    def put(_: int) -> bool:
        start.wait()
        return intake.put(delivery(1, b"hello"))

    with ThreadPoolExecutor(5) as pool:
        assert sorted(pool.map(put, range(5))) == [False, False, False, False, True]
    intake.put(delivery(2, b"end"))
    worker.run_until_idle()
    assert worker.client.describe("w").result == ["hello"]


def test_deliveries_are_applied_in_the_order_of_their_arrival(intake: Intake, worker: InlineWorker) -> None:
    for number in range(120):
        intake.put(delivery(number, str(number).encode()))
    intake.put(delivery("end", b"end"))
    worker.run_until_idle()
    assert worker.client.describe("w").result == [str(number) for number in range(120)]


def test_a_bad_delivery_does_not_hold_up_the_others_and_fails_in_the_end(
    database: Database, intake: Intake, worker: InlineWorker
) -> None:
    intake.put(delivery(1, b"poison"))
    intake.put(delivery(2, b"end"))
    worker.run_until_idle()
    assert (states(database), worker.client.describe("w").state) == (["received", "applied"], "completed")
    for _ in range(5):
        with database.transaction("test") as connection:
            connection.execute(text("UPDATE durable.deliveries SET next_at = clock_timestamp()"))
        worker.run_until_idle()
    assert (states(database), worker.client.overview().failed_deliveries) == (["failed", "applied"], 1)


def test_a_delivery_that_no_try_can_apply_fails_at_once_whatever_its_error_says(
    database: Database, intake: Intake, inline: Inline
) -> None:
    def refuse(received: Delivery, connection: Connection) -> Sequence[Instruction]:
        raise Unroutable("not \x00 readable")

    intake.put(delivery(1))
    inline(gather_until_end, routes={"test": refuse}).run_until_idle()
    assert states(database) == ["failed"]


def test_a_delivery_that_failed_is_shown_with_its_reason_and_can_be_tried_again(
    database: Database, intake: Intake, inline: Inline
) -> None:
    def refuse(received: Delivery, connection: Connection) -> Sequence[Instruction]:
        raise Unroutable("no such repository")

    intake.put(delivery(1, b"end"))
    client = Client(database)
    assert [(one.id, one.state, one.attempts) for one in client.unapplied_deliveries()] == [("d1", "received", 0)]
    assert not client.retry_delivery("test", "d1"), "it has not failed"
    inline(gather_until_end, routes={"test": refuse}).run_until_idle()
    [failed] = client.unapplied_deliveries()
    assert (failed.state, failed.attempts, failed.note) == ("failed", 1, "Unroutable: no such repository")
    assert client.retry_delivery("test", "d1")
    inline(gather_until_end, routes={"test": router}).run_until_idle()
    assert (states(database), client.unapplied_deliveries()) == (["applied"], [])


def test_deliveries_are_counted_by_the_engines_time_in_whatever_state_they_are(
    database: Database, intake: Intake, worker: InlineWorker
) -> None:
    advance(database, timedelta(hours=5))
    for number, body in enumerate((b"nothing", b"poison")):
        intake.put(delivery(number, body))
    worker.run_until_idle()
    intake.put(delivery("unread", b"end"))
    client = Client(database)
    with database.reading() as connection:
        now = engine_now(connection)
    minute = timedelta(minutes=1)
    assert client.count_deliveries(now - minute, now + minute) == 3
    assert client.count_deliveries(now - 301 * minute, now - 60 * minute) == 0
    assert client.count_deliveries(now + minute, now + 2 * minute) == 0


def test_the_intake_outlives_a_delivery_that_cannot_be_stored(database: Database, intake: Intake) -> None:
    with pytest.raises(IntakeUnavailable):
        intake.put(Delivery("te\x00st", "1", {}, b""))
    assert intake.put(delivery(2))


def test_a_redelivery_of_a_failed_one_is_tried_again_and_of_an_applied_one_is_a_duplicate(
    database: Database, intake: Intake, worker: InlineWorker
) -> None:
    assert intake.put(delivery(1, b"hello"))
    worker.run_until_idle()
    assert not intake.put(delivery(1, b"hello"))
    with database.transaction("test") as connection:
        connection.execute(text("UPDATE durable.deliveries SET state = 'failed'"))
    assert intake.put(delivery(1, b"hello"))
    worker.run_until_idle()
    assert states(database) == ["applied"]


def test_a_locked_workflow_does_not_hold_up_deliveries_for_others(
    database: Database, intake: Intake, worker: InlineWorker
) -> None:
    intake.put(delivery(1, b"hello", "locked"))
    worker.run_until_idle()
    with database.engine.connect() as holder, holder.begin():
        holder.execute(text("SELECT * FROM durable.workflows WHERE workflow_id = 'locked' FOR UPDATE"))
        intake.put(delivery(2, b"end", "locked"))
        intake.put(delivery(3, b"end", "free"))
        worker.run_until_idle()
        assert worker.client.describe("free").state == "completed"
    with database.transaction("test") as connection:
        connection.execute(text("UPDATE durable.deliveries SET next_at = clock_timestamp()"))
    worker.run_until_idle()
    assert worker.client.describe("locked").state == "completed"


def test_a_signal_for_nobody_is_ignored_with_its_reason(
    database: Database, intake: Intake, worker: InlineWorker
) -> None:
    intake.put(delivery(1, b"signal only", "nobody"))
    intake.put(delivery(2, b"nothing"))
    worker.run_until_idle()
    with database.reading() as connection:
        notes = list(connection.execute(text("SELECT note FROM durable.deliveries ORDER BY id")).scalars())
    assert notes == ["ignored: no workflow has the id 'nobody'", "ignored: not of use"]


def test_headers_and_raw_bytes_come_back_as_they_were(database: Database, intake: Intake, inline: Inline) -> None:
    seen: list[Delivery] = []

    def remember(received: Delivery, connection: Connection) -> Sequence[Instruction]:
        seen.append(received)
        return []

    sent = Delivery("test", "id", {"x-github-event": "ping"}, bytes(range(256)) * 100)
    intake.put(sent)
    inline(gather_until_end, routes={"test": remember}).run_until_idle()
    assert seen == [sent]


def test_deliveries_of_a_source_without_route_are_left_alone(
    database: Database, intake: Intake, worker: InlineWorker
) -> None:
    intake.put(Delivery("other", "1", {}, b""))
    worker.run_until_idle()
    assert states(database) == ["received"]


def test_a_delivery_that_cannot_be_stored_is_refused_and_not_lost_silently() -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(IntakeUnavailable, match="delivery d1"):
        Intake(nowhere, timeout=5).put(delivery(1))


def test_the_hint_is_given_after_the_commit(database: Database) -> None:
    stored_at_hint: list[int] = []

    def hint() -> None:
        stored_at_hint.append(len(states(database)))

    Intake(database, hint=hint).put(delivery(1))
    assert stored_at_hint == [1]
