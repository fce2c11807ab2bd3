"""Vigil's side of the comparison: the same programs and commands as in `dbos_side`, in the same order."""

import time
from typing import Any

from sqlalchemy import text

from durable import activity, rounds, sleep, workflow
from durable.client import Client
from durable.postgres import Database
from durable.worker import Worker
from tests.benchmarks.protocol import (
    AN_HOUR_S,
    DUE_AFTER_S,
    NAP_S,
    PAUSE_S,
    STEPS,
    Answer,
    Calls,
    serve,
    since_start,
    until,
)

SLOTS = 8
RESERVED = 6
CALLS = Calls()

_COPY_WORKFLOWS = text("""
INSERT INTO durable.workflows OVERRIDING SYSTEM VALUE
SELECT copy.* FROM generate_series(1, :many) AS number
JOIN durable.workflows original ON workflow_id = CASE WHEN number % :every = 0 THEN 'due' ELSE 'asleep' END
CROSS JOIN LATERAL jsonb_populate_record(original, jsonb_build_object(
    'key', 1000 + number, 'workflow_id', workflow_id || number)) AS copy
ORDER BY number
""")
_COPY_OTHERS = """
INSERT INTO durable.{table}
SELECT copy.* FROM generate_series(1, :many) AS number
JOIN durable.workflows ON workflow_id = CASE WHEN number % :every = 0 THEN 'due' ELSE 'asleep' END
JOIN durable.{table} original ON workflow_key = workflows.key
CROSS JOIN LATERAL jsonb_populate_record(original, jsonb_build_object('workflow_key', 1000 + number)) AS copy
ORDER BY number
"""


@activity
def nothing(number: int) -> int:
    """A step without effect."""
    CALLS.note()
    return number


@workflow
def five_steps() -> int:
    """Five steps in a row."""
    return sum(nothing(number) for number in range(STEPS))


@workflow
def sleeper(seconds: float) -> int:
    """Sleeps, then takes a step."""
    sleep(seconds)
    return nothing(1)


@workflow
def loop(last: int) -> None:
    """Sleeps and takes a step, round after round; in the last one the sleep is long."""
    for round_ in rounds(None):
        sleep(PAUSE_S if round_.number == last else NAP_S)
        nothing(round_.number)
        if round_.number == last:
            return


def install(url: str) -> Answer:
    """Create the schema."""
    from durable.postgres.migrate import upgrade  # noqa: PLC0415 - brings Alembic along, which no worker needs

    upgrade(Database(url))
    return {}


def start(url: str, many: int) -> Answer:
    """Start workflows of five steps, one after the other, from one client; nobody runs them yet."""
    client = Client(Database(url))
    client.start(five_steps, workflow_id="first")
    began = time.monotonic()
    for number in range(1, many):
        client.start(five_steps, workflow_id=f"five-{number}")
    return {"per_second": (many - 1) / (time.monotonic() - began)}


def run(url: str, many: int, slots: int) -> Answer:
    """Run what was started, on one worker."""
    database, _ = _work(url, slots)
    CALLS.wait_for(many * STEPS)
    ended = until(lambda: _no_longer_open(database), every=0.005)
    return {"steps_per_second": many * STEPS / (ended - CALLS.at[0])}


def run_one(url: str, times: int) -> Answer:
    """On an idle worker of the same process, from the start of a workflow of five steps to its result."""
    database, worker = _work(url)
    client = Client(database, hint=worker.hint)
    took = []
    for number in range(times):
        began = time.monotonic()
        workflow_id = client.start(five_steps, workflow_id=f"one-{number}").workflow_id
        CALLS.wait_for(STEPS * (number + 1))  # until then nothing is asked, so that asking costs the worker nothing
        took.append(until(lambda: client.describe(workflow_id).state == "completed", every=0.0002) - began)  # noqa: B023
    return {"ms": sorted(took)[times // 2] * 1000}


def fall_asleep(url: str) -> Answer:
    """Let one workflow fall asleep for an hour, and one that is due soon."""
    database, worker = _work(url)
    client = Client(database, hint=worker.hint)
    client.start(sleeper, AN_HOUR_S, workflow_id="asleep")
    client.start(sleeper, DUE_AFTER_S, workflow_id="due")
    until(lambda: all(client.describe(one).state == "waiting" for one in ("asleep", "due")), every=0.01)
    return {}


def copy(url: str, many: int, every: int) -> Answer:
    """Copy the two sleepers many times in the tables, each so-manieth the one that is due."""
    database = Database(url)
    sizes = {"many": many, "every": every}
    with database.transaction("copy") as connection:
        connection.execute(_COPY_WORKFLOWS, sizes)
        for table in ("runs", "history"):
            connection.execute(text(_COPY_OTHERS.format(table=table)), sizes)
    with database.statement("analyze") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return {}


def wake(url: str, many: int, every: int) -> Answer:
    """Come back to the sleepers: seconds from the start of the process to the first that wakes, and to all due ones."""
    client = Client(_work(url)[0])
    CALLS.wait_for(many // every + 1)
    until(lambda: client.describe("due").state == "completed", every=0.01)
    return {"first_s": since_start(CALLS.at[0]), "all_s": since_start(CALLS.at[-1])}


def go_round(url: str, last: int) -> Answer:
    """Run the loop up to its last round, and typical seconds from step to step."""
    database, worker = _work(url)
    client = Client(database, hint=worker.hint)
    client.start(loop, last, workflow_id="loop")
    CALLS.wait_for(last - 1)
    until(lambda: client.describe("loop").state == "waiting", every=0.01)
    return {"round_ms": CALLS.typical_interval(20) * 1000}


def resume(url: str) -> Answer:
    """Come back to the loop: seconds from the start of the process to its next step."""
    client = Client(_work(url)[0])
    CALLS.wait_for(1)
    until(lambda: client.describe("loop").state == "completed", every=0.01)
    return {"seconds": since_start(CALLS.at[0])}


def _work(url: str, slots: int = SLOTS) -> tuple[Database, Worker]:
    database = Database(url, pool_size=slots + RESERVED)
    worker = Worker(database, workflows=[five_steps, sleeper, loop], slots=slots)
    worker.start()
    return database, worker


def _no_longer_open(database: Database) -> bool:
    with database.reading() as connection:
        found: Any = connection.execute(text("SELECT 1 FROM durable.workflows WHERE state <> 'closed' LIMIT 1"))
        return found.one_or_none() is None


COMMANDS = {
    command.__name__: command for command in (install, start, run, run_one, fall_asleep, copy, wake, go_round, resume)
}

if __name__ == "__main__":
    serve(COMMANDS)
