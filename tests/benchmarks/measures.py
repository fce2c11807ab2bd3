"""The measured programs. Each returns operations per second, or seconds where its name says so."""

import time
from collections.abc import Callable
from datetime import timedelta

import psycopg2
from sqlalchemy import text

from bot.demo.waiting import eventually
from durable import activity, sleep, workflow
from durable.client import Client
from durable.intake import Delivery, Intake
from durable.postgres import Database, scheduling
from durable.postgres.scheduling import Serves
from durable.testing import InlineWorker
from durable.worker import Worker

WORKFLOWS = 200
STEPS = 5
SLEEPERS = 20_000
PATIENCE_S = 120.0


@activity
def nothing(number: int) -> int:
    """A step without effect."""
    return number


@workflow
def five_steps() -> int:
    """Five steps in a row."""
    return sum(nothing(number) for number in range(STEPS))


@workflow
def never_run() -> None:
    """Is started and left alone: no worker here knows it."""


@workflow
def long_sleep() -> None:
    """Sleeps for a year."""
    sleep(timedelta(days=365))


def commits_of_bare_psycopg2(database: Database) -> float:
    """Single-row inserts, each committed, from one thread: the floor that one writer cannot go below."""
    connection = psycopg2.connect(database.url.set(drivername="postgresql").render_as_string(hide_password=False))
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE IF NOT EXISTS floor (id bigserial PRIMARY KEY, payload text)")

    def insert_many() -> int:
        for number in range(2000):
            cursor.execute("INSERT INTO floor (payload) VALUES (%s)", (str(number),))
        return 2000

    rate = _rate(insert_many)
    connection.close()
    return rate


def starts(database: Database) -> float:
    """Workflow starts by one client, each its own transaction."""
    client = Client(database)
    prefix = f"start-{time.monotonic_ns()}"

    def start_many() -> int:
        for number in range(500):
            client.start(never_run, workflow_id=f"{prefix}-{number}")
        return 500

    return _rate(start_many)


def steps(database: Database) -> float:
    """Steps of one worker with eight slots: workflows of five no-op activities, started beforehand."""
    return _drained(database, slots=8) * STEPS


def seconds_of_one_workflow(database: Database) -> float:
    """From the start of one workflow of five steps on an idle worker to its result, in seconds."""
    worker = Worker(database, workflows=[five_steps])
    worker.start()
    client = Client(database, hint=worker.hint)
    workflow_id = f"one-{time.monotonic_ns()}"
    began = time.perf_counter()
    client.start(five_steps, workflow_id=workflow_id)
    eventually(lambda: client.describe(workflow_id).state == "completed", every=0.001, within=PATIENCE_S)
    took = time.perf_counter() - began
    worker.stop()
    return took


def seconds_of_a_claim_with_nothing_due(database: Database) -> float:
    """One claim while many workflows sleep and none is due, in seconds."""
    with database.transaction("sleepers") as connection:
        connection.execute(
            text(
                "INSERT INTO durable.workflows (workflow_id, name, run, state, wake_at)"
                " SELECT 'sleeper-' || clock_timestamp() || n, 'long_sleep', 1, 'waiting', durable.now() + interval '1 day'"
                " FROM generate_series(1, :many) AS n"
            ),
            {"many": SLEEPERS},
        )
    with database.statement("analyze") as connection:
        connection.execute(text("ANALYZE durable.workflows"))
    worker = InlineWorker(database, workflows=[long_sleep])
    claims = 200
    began = time.perf_counter()
    for _ in range(claims):
        with database.statement("claim") as connection:
            scheduling.claim(connection, worker._lease.worker, Serves(["long_sleep"]), 8, 60)
    took = (time.perf_counter() - began) / claims
    worker.close()
    return took


def deliveries(database: Database) -> float:
    """Deliveries of 25 KB committed by sixteen callers at once through the group commit."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - of use to this measure alone

    intake = Intake(database)
    prefix = f"bench-{time.monotonic_ns()}"
    body = b'{"pull_request": "' + b"payload " * 3200 + b'"}'

    def put_many() -> int:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda number: intake.put(Delivery("bench", f"{prefix}-{number}", {}, body)), range(2000)))
        return 2000

    return _rate(put_many)


def _drained(database: Database, slots: int) -> float:
    client = Client(database)
    prefix = f"drain-{time.monotonic_ns()}"
    for number in range(WORKFLOWS):
        client.start(five_steps, workflow_id=f"{prefix}-{number}")
    waiting = WORKFLOWS + client.overview().counts.get("completed", 0)
    worker = Worker(database, workflows=[five_steps], slots=slots)
    began = time.perf_counter()
    worker.start()
    eventually(lambda: client.overview().counts.get("completed", 0) >= waiting, every=0.01, within=PATIENCE_S)
    took = time.perf_counter() - began
    worker.stop()
    return WORKFLOWS / took


def _rate(work: Callable[[], int]) -> float:
    began = time.perf_counter()
    done = work()
    return done / (time.perf_counter() - began)
