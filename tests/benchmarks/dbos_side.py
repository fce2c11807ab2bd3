"""DBOS's side of the comparison: the same programs and commands as in `vigil_side`, in the same order.

Runs in DBOS's environment (`environment`), which knows nothing of ours.
"""
# mypy: disable-error-code="import-not-found,untyped-decorator,no-any-return"
# DBOS is no dependency of ours, so mypy does not see it.

import time

import sqlalchemy
from dbos import DBOS, DBOSClient, DBOSConfig, SetWorkflowID

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

NAME = "bench"
VERSION = "1"
QUEUE = "bench"
POLL_S = 0.05
CALLS = Calls()
SLEEPS = Calls()

_COPY = """
INSERT INTO dbos.{table}
SELECT copy.* FROM generate_series(1, :many) AS number
JOIN dbos.{table} original ON workflow_uuid = CASE WHEN number % :every = 0 THEN 'due' ELSE 'asleep' END
CROSS JOIN LATERAL jsonb_populate_record(original, jsonb_build_object('workflow_uuid', workflow_uuid || number)) AS copy
ORDER BY number
"""


@DBOS.step()
def nothing(number: int) -> int:
    """A step without effect."""
    CALLS.note()
    return number


@DBOS.workflow()
def five_steps() -> int:
    """Five steps in a row."""
    return sum(nothing(number) for number in range(STEPS))


@DBOS.workflow()
def sleeper(seconds: float) -> int:
    """Sleeps, then takes a step."""
    SLEEPS.note()
    DBOS.sleep(seconds)
    return nothing(1)


@DBOS.workflow()
def loop(last: int) -> None:
    """Sleeps and takes a step, round after round; in the last one the sleep is long."""
    for number in range(1, last + 1):
        DBOS.sleep(PAUSE_S if number == last else NAP_S)
        nothing(number)


def install(url: str) -> Answer:
    """Create the schema."""
    DBOS.migrate(_address(url))
    return {}


def start(url: str, many: int) -> Answer:
    """Start workflows of five steps, one after the other, from one client; nobody runs them yet."""
    client = DBOSClient(system_database_url=_address(url), application_name=NAME)
    what = {"workflow_name": five_steps.__qualname__, "queue_name": QUEUE, "app_version": VERSION}
    client.enqueue({**what, "workflow_id": "first"})
    began = time.monotonic()
    for number in range(1, many):
        client.enqueue({**what, "workflow_id": f"five-{number}"})
    return {"per_second": (many - 1) / (time.monotonic() - began)}


def run(url: str, many: int, slots: int) -> Answer:
    """Run what was started, on one worker: one claim takes all of it for as many threads as there are slots."""
    _work(url, slots)
    DBOS.register_queue(QUEUE, polling_interval_sec=POLL_S)
    CALLS.wait_for(many * STEPS)
    ended = until(lambda: not DBOS.list_workflows(status=["ENQUEUED", "PENDING"], limit=1), every=0.005)
    return {"steps_per_second": many * STEPS / (ended - CALLS.at[0])}


def run_one(url: str, times: int) -> Answer:
    """On an idle worker of the same process, from the start of a workflow of five steps to its result."""
    _work(url)
    took = []
    for _ in range(times):
        began = time.monotonic()
        DBOS.start_workflow(five_steps).get_result()
        took.append(time.monotonic() - began)
    return {"ms": sorted(took)[times // 2] * 1000}


def fall_asleep(url: str) -> Answer:
    """Let one workflow fall asleep for an hour, and one that is due soon."""
    _work(url)
    with SetWorkflowID("asleep"):
        DBOS.start_workflow(sleeper, AN_HOUR_S)
    with SetWorkflowID("due"):
        DBOS.start_workflow(sleeper, DUE_AFTER_S)
    until(lambda: all(DBOS.list_workflow_steps(one) for one in ("asleep", "due")), every=0.01)
    return {}


def copy(url: str, many: int, every: int) -> Answer:
    """Copy the two sleepers many times in the tables, each so-manieth the one that is due."""
    engine = sqlalchemy.create_engine(sqlalchemy.make_url(url).set(drivername="postgresql+psycopg"))
    sizes = {"many": many, "every": every}
    with engine.begin() as connection:
        for table in ("workflow_status", "workflow_input", "operation_outputs"):
            connection.execute(sqlalchemy.text(_COPY.format(table=table)), sizes)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sqlalchemy.text("VACUUM ANALYZE"))
    return {}


def wake(url: str, many: int, every: int) -> Answer:
    """Come back to the sleepers: seconds from the start of the process to the first that wakes, and to all due ones."""
    _work(url)
    CALLS.wait_for(many // every + 1)
    SLEEPS.wait_for(many + 2)  # all are in their threads again
    until(lambda: DBOS.get_workflow_status("due").status == "SUCCESS", every=0.01)
    return {"first_s": since_start(CALLS.at[0]), "all_s": since_start(CALLS.at[-1])}


def go_round(url: str, last: int) -> Answer:
    """Run the loop up to its last round, and typical seconds from step to step."""
    _work(url)
    with SetWorkflowID("loop"):
        DBOS.start_workflow(loop, last)
    CALLS.wait_for(last - 1)
    until(lambda: DBOS.list_workflow_steps("loop", offset=2 * last - 2, limit=1), every=0.01)
    return {"round_ms": CALLS.typical_interval(20) * 1000}


def resume(url: str) -> Answer:
    """Come back to the loop: seconds from the start of the process to its next step."""
    _work(url)
    CALLS.wait_for(1)
    until(lambda: DBOS.get_workflow_status("loop").status == "SUCCESS", every=0.01)
    return {"seconds": since_start(CALLS.at[0])}


def _work(url: str, threads: int | None = None) -> None:
    """Launch DBOS. Without `threads` it makes as many as there are workflows, which is its default."""
    config = DBOSConfig(name=NAME, system_database_url=_address(url), application_version=VERSION, log_level="ERROR")
    if threads is not None:
        config["max_executor_threads"] = threads
    DBOS(config=config)
    DBOS.launch()


def _address(url: str) -> str:
    """The address without the name of our driver."""
    return sqlalchemy.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


COMMANDS = {
    command.__name__: command for command in (install, start, run, run_one, fall_asleep, copy, wake, go_round, resume)
}

if __name__ == "__main__":
    serve(COMMANDS)
