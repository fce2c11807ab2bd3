"""Large values on PostgreSQL: kept once and beside the rows, whole for whoever reads them, and forgotten after their users."""

import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from bot.demo.waiting import eventually
from durable import (
    ActivityFailed,
    NotSerializable,
    RetryPolicy,
    activity,
    call,
    continue_as_new,
    first_of,
    gather,
    injection,
    receive,
    rounds,
    set_status,
    sleep,
    start_child,
    transaction,
    workflow,
)
from durable.client import Client
from durable.export import export, replay_exported
from durable.intake import Delivery, Intake, SignalWithStart
from durable.operator import Operator
from durable.payloads import Payloads, Stored, hash_of, reference_to, referred_to
from durable.postgres import Database, views
from durable.replay import Completed
from durable.scheduler import Schedules
from durable.schedules import Every
from durable.serde import encode
from durable.testing import InlineWorker, advance
from durable.worker import Worker
from durable.worker.lease import Lease
from durable.worker.upkeep import Upkeep
from tests.integration.durable.crash_stage import Crash, Fate
from tests.support.chaos import Figure, sized

Inline = Callable[..., InlineWorker]
OFFLOAD_OVER = 1_000
MOST = 50_000
LARGE = 2_000
A_DAY_AND_A_BIT = timedelta(hours=25)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url, payloads=Payloads(offload_over=OFFLOAD_OVER, most=MOST))
    yield opened
    opened.close()


def large(what: str) -> str:
    return what * (LARGE // len(what))


@activity
def draw(what: str) -> str:
    return large(what)


@activity
def measure(what: str) -> int:
    return len(what)


@workflow
def drawing(what: str) -> str:
    return draw(what)


@workflow
def drawing_and_sleeping(what: str) -> list[Any]:
    picture = draw(what)
    sleep(timedelta(days=10))
    return [picture, measure(picture)]


# --- where contents are ----------------------------------------------------------------------------------------------


def stored(database: Database) -> set[str]:
    """The contents that are kept."""
    with database.reading() as connection:
        return set(map(unpacked, connection.execute(text("SELECT content FROM durable.payloads")).scalars()))


def unpacked(content: memoryview) -> str:
    return zlib.decompress(content).decode()


def texts_in_rows(database: Database) -> list[str]:
    """Every text that stands in a row."""
    with database.reading() as connection:
        return [
            value
            for table, columns in {
                "runs": "input, status, result",
                "history": "arguments, payload",
                "inbox": "payload, start_input",
            }.items()
            for row in connection.execute(text(f"SELECT {columns} FROM durable.{table}"))  # noqa: S608 - our own names
            for value in row
            if value is not None
        ]


def users(database: Database) -> set[tuple[str, str]]:
    """Who uses what."""
    with database.reading() as connection:
        used = connection.execute(
            text(
                "SELECT workflow_id, content FROM durable.payload_uses JOIN durable.payloads USING (hash)"
                " JOIN durable.workflows ON key = workflow_key"
            )
        )
        return {(row.workflow_id, unpacked(row.content)) for row in used}


def prune_every_day(worker: InlineWorker, days: int) -> None:
    """Let days pass, with the pruner at work each day."""
    for _ in range(days):
        worker.run_for(timedelta(days=1, minutes=1))
        worker._upkeep.prune()


def result(worker: InlineWorker, workflow_id: str) -> Any:
    return worker.client.describe(workflow_id).result


# --- once, beside the rows -------------------------------------------------------------------------------------------


def test_a_large_result_is_kept_once_although_two_workflows_have_it(inline: Inline, database: Database) -> None:
    worker = inline(drawing)
    for workflow_id in ("a", "b"):
        worker.client.start(drawing, "x", workflow_id=workflow_id)
    worker.run_until_idle()
    assert stored(database) == {encode(large("x"))}
    assert users(database) == {("a", encode(large("x"))), ("b", encode(large("x")))}
    assert [result(worker, workflow_id) for workflow_id in ("a", "b")] == [large("x")] * 2


def test_no_row_holds_a_large_value_and_whoever_looks_sees_it_whole(inline: Inline, database: Database) -> None:
    @workflow
    def showing(picture: str) -> str:
        set_status({"shown": picture})
        measure(picture)
        return draw("y")

    worker = inline(showing)
    worker.client.start(showing, large("x"), workflow_id="w")
    worker.run_until_idle()
    assert max(map(len, texts_in_rows(database))) < OFFLOAD_OVER
    found = worker.client.describe("w")
    assert (found.status, found.result) == ({"shown": large("x")}, large("y"))
    measured, drawn = worker.client.history("w")
    assert (measured.arguments, measured.payload) == (encode([[large("x")], {}]), encode(LARGE))
    assert drawn.payload == encode(large("y"))


def test_a_small_value_stays_in_its_row(inline: Inline, database: Database) -> None:
    worker = inline(drawing_and_sleeping)
    worker.client.start(drawing_and_sleeping, "x" * (OFFLOAD_OVER - len('[[""],{}]')), workflow_id="w")
    assert stored(database) == set()
    assert texts_in_rows(database) == [encode([["x" * (OFFLOAD_OVER - 9)], {}])]


def test_what_looks_like_a_reference_comes_back_as_it_was(inline: Inline) -> None:
    look_alike = {"$": "stored", "v": hash_of("nothing")}
    worker = inline(drawing_and_sleeping)
    for number, value in enumerate((encode(look_alike), reference_to(hash_of("nothing")))):
        worker.client.start(drawing_and_sleeping, value, workflow_id=str(number))
        worker.run_for(timedelta(days=11))
        assert result(worker, str(number)) == [large(value), len(large(value))]


# --- reading does not depend on the configuration ---------------------------------------------------------------------


@pytest.mark.parametrize("reader", [Payloads(offload_over=None), Payloads(), Payloads(offload_over=100, most=1_000)])
def test_a_large_value_comes_back_equal_after_a_replay_by_a_worker_configured_otherwise(
    inline: Inline, database_url: str, reader: Payloads
) -> None:
    @workflow
    def patient(picture: str) -> list[Any]:
        drawn = draw("y")
        heard = receive("picture")
        assert heard is not None
        return [drawn == large("y"), picture == large("x"), heard.payload == large("z")]

    first = inline(patient)
    first.client.start(patient, large("x"), workflow_id="w")
    first.run_until_idle()
    first.client.signal("w", "picture", large("z"), key="1")
    other = Database(database_url, payloads=reader)
    second = InlineWorker(other, workflows=[patient])
    second.run_until_idle()
    assert second.client.describe("w").result == [True, True, True]
    second.close()
    other.close()


def test_a_worker_with_threads_and_a_client_read_and_write_large_values(
    working: Callable[..., Worker], database: Database
) -> None:
    working(gathering, drawing)
    client = Client(database, timeout=5)
    client.start(gathering, ["x", "y"], workflow_id="w")
    eventually(lambda: client.describe("w").history_length == 3)
    advance(database, timedelta(days=3))
    eventually(lambda: client.describe("w").state == "completed")
    assert client.describe("w").result == [large("x"), LARGE]


# --- texts put together of others ------------------------------------------------------------------------------------


@workflow
def gathering(names: list[str]) -> list[Any]:
    pictures = gather(*(call(draw, name) for name in names), call(drawing, "child"))
    sizes = gather(*(call(measure, picture) for picture in pictures))
    sleep(timedelta(days=3))
    assert pictures == [large(name) for name in (*names, "child")]
    return [pictures[0], sizes[0]]


def test_a_gather_over_members_with_large_values_is_whole_also_after_its_members_are_forgotten(
    inline: Inline, database: Database
) -> None:
    worker = inline(gathering, drawing)
    names = [f"picture {number}" for number in range(20)]
    worker.client.start(gathering, names, workflow_id="w")
    worker.run_until_idle()
    assert any("stored" in content for content in stored(database)), "the references together are large themselves"
    assert max(map(len, texts_in_rows(database))) < OFFLOAD_OVER
    prune_every_day(worker, 2)
    (child,) = (found for found in worker.client.list() if found.workflow_id != "w")
    Operator(database).purge(child.workflow_id)
    prune_every_day(worker, 2)
    assert result(worker, "w") == [large(names[0]), len(large(names[0]))]


def test_a_race_and_a_child_hand_on_what_is_large(inline: Inline, database: Database) -> None:
    @workflow
    def relying() -> list[Any]:
        number, picture = first_of(call(drawing, "x"), call(drawing_and_sleeping, "y"))
        child = start_child(drawing, large("z"), on_parent_close="abandon", workflow_id="child").result()
        sleep(timedelta(days=3))
        return [number, picture == large("x"), child == large("z")]

    worker = inline(relying, drawing, drawing_and_sleeping)
    worker.client.start(relying, workflow_id="w")
    worker.run_until_idle()
    Operator(database).purge("child")
    prune_every_day(worker, 4)
    assert result(worker, "w") == [0, True, True]
    assert max(map(len, texts_in_rows(database))) < OFFLOAD_OVER


def test_a_large_signal_is_read_whole_whenever_it_came(inline: Inline, database: Database) -> None:
    @workflow
    def listening() -> list[Any]:
        first, second = receive("picture"), receive("picture")
        assert first is not None
        assert second is not None
        sleep(60)
        return [first.payload == large("x"), second.payload == [large("y")]]

    worker = inline(listening)
    worker.client.signal_with_start(listening, workflow_id="w", signal="picture", payload=large("x"), key="1")
    worker.run_until_idle()
    assert worker.client.signal("w", "picture", [large("y")], key="2")
    assert not worker.client.signal("w", "picture", [large("z")], key="2")
    worker.run_for(timedelta(minutes=2))
    assert result(worker, "w") == [True, True]
    assert max(map(len, texts_in_rows(database))) < OFFLOAD_OVER


def test_a_signal_with_a_large_start_that_nobody_read_begins_the_next_run(inline: Inline, database: Database) -> None:
    @workflow
    def hasty(picture: str) -> int:
        measure(picture)
        return len(picture)

    worker = inline(hasty)
    worker.client.start(hasty, large("x"), workflow_id="w")

    def send(point: str) -> None:
        if point == "call.after measure":
            injection.install(None)
            worker.client.signal_with_start(
                hasty, large("y") + "!", workflow_id="w", signal="go", payload=large("z"), key="1"
            )

    injection.install(send)
    worker.run_until_idle()
    assert (worker.client.describe("w").run, result(worker, "w")) == (2, LARGE + 1)


def test_a_transaction_a_schedule_and_a_delivery_take_large_values(database: Database) -> None:
    @transaction
    def note(connection: Connection, what: str) -> str:
        connection.execute(text("SELECT 1"))
        return what + "!"

    @workflow
    def noting(what: str) -> str:
        return note(what)

    def route(delivery: Delivery, _connection: Connection) -> list[SignalWithStart]:
        return [SignalWithStart(noting, (delivery.body.decode(),), "delivered", "come", delivery.body.decode())]

    worker = InlineWorker(database, workflows=[noting], routes={"web": route})
    Schedules(database).put("often", noting, large("x"), spec=Every(timedelta(hours=1)))
    triggered = Schedules(database).trigger("often")
    Intake(database).put(Delivery("web", "1", {}, large("y").encode()))
    worker.run_for(timedelta(hours=1))
    scheduled = [found for found in worker.client.list(prefix="sched:") if found.workflow_id != triggered]
    assert [result(worker, found.workflow_id) for found in scheduled] == [large("x") + "!"]
    assert (result(worker, triggered), result(worker, "delivered")) == (large("x") + "!", large("y") + "!")
    assert max(map(len, texts_in_rows(database))) < OFFLOAD_OVER
    worker.close()


# --- what is forgotten, and what is not ------------------------------------------------------------------------------


def test_a_content_is_forgotten_when_its_last_user_was_purged_and_not_before(
    inline: Inline, database: Database
) -> None:
    worker = inline(drawing)
    for workflow_id in ("a", "b"):
        worker.client.start(drawing, "x", workflow_id=workflow_id)
    worker.run_until_idle()
    Operator(database).purge("a")
    prune_every_day(worker, 2)
    assert (stored(database), result(worker, "b")) == ({encode(large("x"))}, large("x"))
    Operator(database).purge("b")
    worker._upkeep.prune()
    assert stored(database) == {encode(large("x"))}, "somebody may be about to use it"
    prune_every_day(worker, 1)
    assert stored(database) == set()


def test_a_loop_with_a_large_state_keeps_only_what_its_rows_refer_to(inline: Inline, database: Database) -> None:
    @workflow
    def forever(state: str) -> None:
        set_status(state + "status")
        measure(state)
        sleep(timedelta(hours=12))
        continue_as_new(large(chr(ord(state[0]) + 1)))

    @workflow
    def going_round() -> None:
        for round_ in rounds(large("A")):
            sleep(timedelta(hours=12))
            round_.value = large(chr(ord(round_.value[0]) + 1))

    worker = inline(forever, going_round)
    worker.client.start(forever, large("a"), workflow_id="forever")
    worker.client.start(going_round, workflow_id="going round")
    prune_every_day(worker, 5)
    for workflow_id in ("forever", "going round"):
        assert worker.client.describe(workflow_id).state == "waiting"
        worker.client.terminate(workflow_id, "enough")
    prune_every_day(worker, 2)
    assert len(stored(database)) == 3
    assert set(map(hash_of, stored(database))) == set().union(*map(referred_to, texts_in_rows(database)))


def test_a_read_signal_that_was_pruned_takes_its_content_with_it(inline: Inline, database: Database) -> None:
    @workflow
    def listening() -> None:
        for _ in rounds(0):
            receive("picture")

    worker = inline(listening)
    worker.client.start(listening, workflow_id="w")
    worker.client.signal("w", "picture", large("x"), key="1")
    prune_every_day(worker, 2)
    assert stored(database) != set()
    advance(database, timedelta(days=31))
    worker.client.signal("w", "picture", "small", key="2")
    prune_every_day(worker, 3)
    assert stored(database) == set()


def test_what_a_running_workflow_has_committed_stays_until_its_row_is_written(
    inline: Inline, database: Database
) -> None:
    worker = inline(drawing)
    worker.client.start(drawing, "x", workflow_id="w")

    def prune_much_later(point: str) -> None:
        if point == "commit.after payload":
            injection.install(None)
            advance(database, A_DAY_AND_A_BIT)
            worker._upkeep.prune()

    injection.install(prune_much_later)
    worker.run_until_idle()
    prune_every_day(worker, 2)
    assert result(worker, "w") == large("x")


def test_a_start_that_comes_when_its_content_was_pruned_is_refused(database: Database, inline: Inline) -> None:
    worker = inline(drawing)

    def prune_much_later(point: str) -> None:
        if point == "commit.after payload":
            injection.install(None)
            advance(database, A_DAY_AND_A_BIT)
            worker._upkeep.prune()

    injection.install(prune_much_later)
    with pytest.raises(IntegrityError):
        worker.client.start(drawing, large("x"), workflow_id="w")
    assert worker.client.list() == []
    worker.client.start(drawing, large("x"), workflow_id="w")
    worker.run_until_idle()
    assert len(result(worker, "w")) == LARGE


# --- what an operator does -------------------------------------------------------------------------------------------


def test_a_fork_and_a_restart_have_what_the_original_had_when_that_is_forgotten(
    inline: Inline, database: Database
) -> None:
    @workflow
    def lasting(picture: str) -> list[Any]:
        drawn = draw("y")
        sleep(timedelta(days=5))
        return [measure(drawn), drawn == large("y"), picture == large("x")]

    worker, operator = inline(lasting), Operator(database)
    worker.client.start(lasting, large("x"), workflow_id="w")
    worker.run_until_idle()
    operator.fork("w", 2, "fork")
    worker.client.terminate("w", "enough")
    operator.restart("w", new_id="again")
    operator.purge("w")
    prune_every_day(worker, 6)
    assert [result(worker, workflow_id) for workflow_id in ("fork", "again")] == [[LARGE, True, True]] * 2


def test_a_failed_workflow_is_rewound_with_its_large_values(inline: Inline, database: Database) -> None:
    mended = False

    @activity(retry=RetryPolicy(attempts=1))
    def frail(picture: str) -> str:
        if not mended:
            raise OSError("not yet")
        return picture

    @workflow
    def hopeful(picture: str) -> bool:
        drawn = draw("y")
        return frail(drawn + picture) == large("y") + large("x")

    worker = inline(hopeful)
    worker.client.start(hopeful, large("x"), workflow_id="w")
    worker.run_until_idle()
    assert worker.client.describe("w").state == "failed"
    prune_every_day(worker, 2)
    mended = True
    Operator(database).rewind("w", "mended")
    worker.run_until_idle()
    assert result(worker, "w") is True


def test_an_exported_history_is_whole(inline: Inline, database: Database) -> None:
    worker = inline(gathering, drawing)
    worker.client.start(gathering, [large("x")[:1500], "y"], workflow_id="w")
    worker.run_for(timedelta(days=4))
    with database.reading() as connection:
        exported = export(connection, "w")
    assert "stored" not in exported
    assert replay_exported(exported, gathering) == Completed(encode(result(worker, "w")))


def test_a_list_names_large_values_and_does_not_read_them(inline: Inline, database: Database) -> None:
    hardly_compressible = "".join(hash_of(str(number)) for number in range(500))

    @workflow
    def showing() -> str:
        set_status("small")
        return hardly_compressible

    worker = inline(showing)
    worker.client.start(showing, workflow_id="w")
    worker.run_until_idle()
    [found] = worker.client.list()
    whole = encode(hardly_compressible)
    assert (found.status, found.result) == ("small", Stored(hash_of(whole), len(whole)))
    assert (
        reads_of_contents(database, lambda at: views.list_workflows(at, prefix="", states=(), limit=9, after="")) == 0
    )
    assert reads_of_contents(database, lambda at: views.describe(at, "w")) == 1


def reads_of_contents(database: Database, look: Callable[[Connection], object]) -> int:
    """How often PostgreSQL went for a content while we looked: it keeps them apart from the rows of their table, too."""
    with database.transaction("test") as connection:
        look(connection)
        scans: int = connection.execute(
            text(
                "SELECT coalesce(idx_scan, 0) FROM pg_stat_xact_all_tables"
                " WHERE relid = (SELECT reltoastrelid FROM pg_class WHERE oid = 'durable.payloads'::regclass)"
            )
        ).scalar_one()
        return scans


# --- what is refused -------------------------------------------------------------------------------------------------


@activity
def draw_too_much() -> dict[str, str]:
    return {"small": "x", "picture": "x" * MOST}


def test_what_is_larger_than_anything_stored_is_refused_with_path_and_size(inline: Inline, database: Database) -> None:
    @workflow
    def trying(what: str) -> Any:
        try:
            if what == "argument":
                measure("x" * MOST)
            if what == "result":
                draw_too_much()
            if what == "member":
                gather(call(measure, "x" * MOST))
            if what == "status":
                set_status("x" * MOST)
        except (NotSerializable, ActivityFailed) as refused:
            return str(refused)
        if what == "input":
            continue_as_new("x" * MOST)
        return "x" * MOST

    worker = inline(trying)
    with pytest.raises(
        NotSerializable, match=rf"^value\[0\]\[0\]: takes {MOST + 2} characters .* {MOST} that are stored"
    ):
        worker.client.start(trying, "x" * MOST, workflow_id="refused")
    worker.client.start(trying, "nothing", workflow_id="w")
    with pytest.raises(NotSerializable, match=r"^value: takes"):
        worker.client.signal("w", "picture", "x" * MOST, key="1")
    with pytest.raises(NotSerializable, match=r"^value\[0\]\[0\]: takes"):
        Schedules(database).put("never", trying, "x" * MOST, spec=Every(timedelta(hours=1)))
    for what in ("argument", "result", "member", "status", "input"):
        worker.client.start(trying, what, workflow_id=what)
    worker.run_until_idle()
    assert "value['picture']: takes" in result(worker, "result")
    assert all("takes" in result(worker, what) for what in ("argument", "member", "status"))
    for what in ("w", "input"):
        failed = worker.client.describe(what)
        assert (failed.state, (failed.reason or "").partition(": ")[0]) == ("failed", "NotSerializable")
    assert stored(database) == set()


# --- crashes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["commit.before payload", "commit.after payload"])
def test_a_crash_between_the_content_and_the_row_leaves_nothing_broken(
    inline: Inline, database: Database, point: str
) -> None:
    def crash(reached: str) -> None:
        if reached == point:
            injection.install(None)
            raise Crash

    client = Client(database)
    injection.install(crash)
    with pytest.raises(Crash):
        client.start(drawing_and_sleeping, large("x"), workflow_id="w")
    assert client.list() == []
    doomed = inline(drawing_and_sleeping)
    client.start(drawing_and_sleeping, "y", workflow_id="w")
    injection.install(crash)
    with pytest.raises(Crash):
        doomed.run_until_idle()
    with database.transaction("test") as connection:
        connection.execute(text("UPDATE durable.workers SET lease_until = clock_timestamp()"))
    successor = inline(drawing_and_sleeping)
    successor.take_over()
    prune_every_day(successor, 11)
    assert result(successor, "w") == [large("y"), LARGE]
    assert encode([[large("x")], {}]) not in stored(database)


@transaction
def copy(_connection: Connection, picture: str) -> str:
    return picture


@workflow
def everything_large(picture: str, pictures: list[str]) -> list[str]:
    set_status(large("status"))
    pictures += [copy(picture), draw("z")]
    heard = receive("picture", timeout=60)
    if heard is not None:
        pictures.append(heard.payload)
    pictures += gather(call(copy, large("copy")), call(drawing, large("child")))
    pictures.append(start_child(drawing, large("other child")).result())
    for round_ in rounds(large("round")):
        sleep(60)
        pictures.append(round_.value)
        if round_.number == 2:
            break
        round_.value = large("next")
    if heard is not None:
        continue_as_new(large("again"), pictures)
    return pictures


def live_through(database: Database, workflow_id: str, *deaths: int) -> list[list[str]]:
    """Live `everything_large` to its end, dying at these points; returns the points of each life."""
    fate = Fate(deaths)
    injection.install(fate)
    while True:
        with database.transaction("test") as connection:
            connection.execute(text("UPDATE durable.workers SET lease_until = clock_timestamp()"))
        try:
            worker = InlineWorker(database, workflows=[everything_large, drawing], guard=False)
            worker.take_over()
            worker.client.signal_with_start(
                everything_large, large("x"), [], workflow_id=workflow_id, signal="picture", payload=large("y"), key="1"
            )
            worker.run_for(timedelta(minutes=10))
            worker.close()
        except Crash:
            continue
        injection.install(None)
        return fate.lives


@pytest.mark.chaos
def test_wherever_it_crashes_large_values_come_to_the_same_end(database: Database, record_property: Figure) -> None:
    client = Client(database)
    [points] = live_through(database, "crash-free")
    expected = client.describe("crash-free").result
    assert [len(picture) > OFFLOAD_OVER for picture in expected] == [True] * 13
    assert max(map(len, texts_in_rows(database))) < OFFLOAD_OVER
    for first in range(1, len(points) + 1, sized(29, 1)):
        live_through(database, f"crashed at {first}", first)
        assert client.describe(f"crashed at {first}").result == expected, points[first - 1]
    upkeep = Upkeep(database, Lease(database, 1.0), lambda: None)
    for _ in range(2):
        advance(database, timedelta(days=2))
        upkeep.prune()
    assert client.describe("crashed at 1").result == expected
    assert set(map(hash_of, stored(database))) == set().union(*map(referred_to, texts_in_rows(database)))
    record_property("points", len(points))
