"""The journal's one writer in a worker: who comes together shares a commit, and nobody pays for another's trouble."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from bot.demo.waiting import eventually
from durable import injection, workflow
from durable.model import Claim, Entry
from durable.postgres import Database
from durable.postgres.journal import Close, FenceLost, Hold, Wait, Write
from durable.testing import InlineWorker
from durable.worker.writer import Writer

Inline = Callable[..., InlineWorker]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MANY = 6


@workflow
def written_by_hand() -> None:
    """Is claimed and never run."""


@pytest.fixture
def claims(inline: Inline) -> list[Claim]:
    worker = inline(written_by_hand)
    for number in range(MANY):
        worker.client.start(written_by_hand, workflow_id=f"w{number}")
    return worker._taking.take(MANY, worker._taking.outlook())


@pytest.fixture
def commits() -> Iterator[list[str]]:
    """The commits that were begun. The first one waits until `MANY` - 1 more writes stand in line behind it."""
    begun: list[str] = []
    yield begun
    injection.install(None)


def step(payload: str = "1", *, name: str = "act") -> Entry:
    return Entry(1, "activity", name, "done", NOON, payload=payload, attempt=1)


def write_together(database: Database, orders: list[Write], commits: list[str]) -> list[BaseException | None]:
    """Write all orders by threads of their own, the first while the others come; what each ended with."""
    writer = Writer(database)
    first_is_at_it = threading.Event()

    def hold_the_first(point: str) -> None:
        if not point.startswith("commit.before"):
            return
        commits.append(point)
        if len(commits) == 1:
            first_is_at_it.set()
            eventually(lambda: len(writer._line) == len(orders) - 1, every=0.001)

    injection.install(hold_the_first)
    with ThreadPoolExecutor(len(orders)) as pool:
        first = pool.submit(writer.write, orders[0])
        first_is_at_it.wait(10)
        others = [pool.submit(writer.write, order) for order in orders[1:]]
        return [future.exception() for future in [first, *others]]


def history(database: Database) -> dict[str, Any]:
    with database.reading() as connection:
        rows = connection.execute(
            text("SELECT workflow_id, payload FROM durable.history JOIN durable.workflows ON key = workflow_key")
        )
        return {row.workflow_id: row.payload for row in rows}


def state(database: Database, workflow_id: str) -> Any:
    with database.reading() as connection:
        return connection.execute(
            text(
                "SELECT w.state, wake_at, listening, worker_id, claimed_until, status, updated_at > began_at AS shown"
                " FROM durable.workflows w JOIN durable.runs ON workflow_key = key WHERE workflow_id = :id"
            ),
            {"id": workflow_id},
        ).one()


def test_writes_that_come_together_share_one_commit(
    database: Database, claims: list[Claim], commits: list[str]
) -> None:
    orders = [Write(claim, [step(str(number))], Hold(60)) for number, claim in enumerate(claims)]
    assert write_together(database, orders, commits) == [None] * MANY
    assert commits == ["commit.before journal"] * 2
    assert history(database) == {claim.workflow_id: str(number) for number, claim in enumerate(claims)}


def test_waits_statuses_and_holds_come_out_of_a_shared_commit_as_from_one_of_their_own(
    database: Database, claims: list[Claim], commits: list[str]
) -> None:
    due = NOON + timedelta(hours=1)
    orders = [
        Write(claims[0], [step()], Hold(60)),
        Write(claims[1], [step()], Wait(due)),
        Write(claims[2], [step()], Wait(None, listening=True), status='"reading"'),
        Write(claims[3], [], Hold(60), status='"busy"'),
        Write(claims[4], [step()], Hold(60)),
    ]
    assert write_together(database, orders, commits) == [None] * 5
    sleeping, listening, busy, going_on = (state(database, claims[number].workflow_id) for number in (1, 2, 3, 4))
    assert (sleeping.state, sleeping.wake_at, sleeping.listening) == ("waiting", due, False)
    assert (sleeping.worker_id, sleeping.claimed_until) == (None, None)
    assert (listening.state, listening.wake_at, listening.listening, listening.status) == (
        "waiting",
        None,
        True,
        '"reading"',
    )
    assert (busy.state, busy.status, busy.shown) == ("running", '"busy"', True)
    assert (going_on.state, going_on.status, going_on.shown) == ("running", None, False)
    assert going_on.worker_id is not None


def test_a_lost_fence_in_a_shared_commit_is_told_to_its_own_run_only(
    database: Database, claims: list[Claim], commits: list[str]
) -> None:
    with database.transaction("test") as connection:
        connection.execute(text("UPDATE durable.workflows SET fence = fence + 1 WHERE workflow_id = 'w3'"))
    orders = [Write(claim, [step()], Hold(60)) for claim in claims]
    ended = write_together(database, orders, commits)
    lost = {claim.workflow_id for claim, error in zip(claims, ended, strict=True) if isinstance(error, FenceLost)}
    assert lost == {"w3"}
    assert set(history(database)) == {claim.workflow_id for claim in claims} - lost


def test_what_the_database_refuses_spoils_no_other_write(
    database: Database, claims: list[Claim], commits: list[str]
) -> None:
    orders = [Write(claim, [step(name="a" if n != 2 else "a\0b")], Hold(60)) for n, claim in enumerate(claims)]
    ended = write_together(database, orders, commits)
    assert [type(error) for error in ended] == [type(None), type(None), DataError, *[type(None)] * 3]
    assert len(history(database)) == MANY - 1


def test_a_row_that_somebody_holds_keeps_no_other_write_waiting(
    database: Database, claims: list[Claim], commits: list[str]
) -> None:
    holder = database.engine.connect()
    holder.execute(text("SELECT 1 FROM durable.workflows WHERE workflow_id = 'w4' FOR UPDATE"))
    with ThreadPoolExecutor(1) as pool:
        orders = [Write(claim, [step()], Hold(60)) for claim in claims]
        ended = pool.submit(write_together, database, orders, commits)
        eventually(lambda: len(history(database)) == MANY - 1)
        holder.rollback()
        holder.close()
        assert ended.result(10) == [None] * MANY
    assert len(history(database)) == MANY


def test_a_run_without_kin_ends_in_a_shared_commit_and_one_with_kin_is_left_to_its_own_trip(
    database: Database, claims: list[Claim], commits: list[str]
) -> None:
    with database.transaction("test") as connection:
        connection.execute(text("UPDATE durable.workflows SET awaited = true WHERE workflow_id = 'w1'"))
        connection.execute(text("UPDATE durable.workflows SET recalled = true WHERE workflow_id = 'w2'"))
        connection.execute(
            text(
                "INSERT INTO durable.children SELECT child.key, parent.key, 'abandon' FROM durable.workflows child,"
                " durable.workflows parent WHERE (child.workflow_id, parent.workflow_id) = ('w4', 'w3')"
            )
        )
    ended = write_together(
        database, [Write(claim, [step()], Close("completed", result="7")) for claim in claims], commits
    )
    lost = [claim.workflow_id for claim, error in zip(claims, ended, strict=True) if isinstance(error, FenceLost)]
    assert lost == ["w1", "w2", "w3"]
    assert {state(database, name).state for name in lost} == {"running"}
    assert {state(database, name).state for name in ("w0", "w4", "w5")} == {"closed"}
