"""What replay cannot repeat is caught in a workflow's body, with the verb to use; activities and the engine are free."""

import logging
import os
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

import durable
from durable import activity, gather, workflow
from durable.postgres import Database
from durable.testing import InlineWorker
from durable.worker import Worker

Inline = Callable[..., InlineWorker]
log = logging.getLogger(__name__)
imported_by_name = time.time

FORBIDDEN: dict[str, tuple[Callable[[], Any], str]] = {
    "time.time": (time.time, "durable.now()"),
    "time.time imported by name": (lambda: imported_by_name(), "durable.now()"),  # noqa: PLW0108 - the call is the case
    "time.time_ns": (time.time_ns, "durable.now()"),
    "time.monotonic": (time.monotonic, "durable.now()"),
    "time.perf_counter": (time.perf_counter, "durable.now()"),
    "time.sleep": (lambda: time.sleep(0), "durable.sleep()"),
    "datetime.now": (lambda: datetime.now(UTC), "durable.now()"),
    "datetime.utcnow": (lambda: datetime.utcnow(), "durable.now()"),  # noqa: DTZ003, PLW0108 - what authors write
    "date.today": (lambda: date.today(), "durable.now()"),  # noqa: DTZ011, PLW0108 - as above
    "random.random": (lambda: random.random(), "durable.random()"),  # noqa: S311, PLW0108 - as above
    "random.choice": (lambda: random.choice("abc"), "durable.random()"),  # noqa: S311 - as above
    "random.shuffle": (lambda: random.shuffle([1, 2, 3]), "durable.random()"),
    "uuid.uuid4": (uuid.uuid4, "durable.uuid4()"),
    "os.urandom": (lambda: os.urandom(4), "an @activity"),
    "secrets.token_hex": (secrets.token_hex, "an @activity"),
    "a socket": (socket.socket, "an @activity"),
    "a name looked up": (lambda: socket.getaddrinfo("localhost", 80), "an @activity"),
    "a thread": (lambda: threading.Thread(target=print).start(), "durable.gather()"),
    "a process": (lambda: subprocess.run([sys.executable, "-c", ""], check=True), "an @activity"),
}


def reasons(inline: Inline, declared: Any) -> tuple[str, str | None]:
    worker = inline(declared)
    worker.client.start(declared, workflow_id="guarded")
    worker.run_until_idle()
    description = worker.client.describe("guarded")
    return description.state, description.reason


@pytest.mark.parametrize("name", FORBIDDEN)
def test_the_body_of_a_workflow_is_told_which_verb_to_use_instead_of(inline: Inline, name: str) -> None:
    act, instead = FORBIDDEN[name]

    @workflow
    def careless() -> None:
        act()

    state, reason = reasons(inline, careless)
    assert state == "failed"
    assert reason is not None
    assert reason.startswith("NotDeterministic: ")
    assert f"use {instead}" in reason


def test_it_is_caught_after_a_step_and_in_a_function_the_body_calls_too(inline: Inline) -> None:
    def helper() -> float:
        return time.time()

    @workflow
    def indirect() -> float:
        durable.sleep(0)
        return helper()

    assert reasons(inline, indirect)[0] == "failed"


@activity
def everything() -> str:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    socket.socket().close()
    return f"{time.time()} {datetime.now(UTC)} {random.random()} {uuid.uuid4()}"  # noqa: S311 - what activities may do


def test_activities_and_durable_verbs_and_logging_are_free(inline: Inline) -> None:
    @workflow
    def proper() -> bool:
        log.warning("logging looks at the clock, and tells the body nothing")
        everything()
        gather(durable.call(everything))
        durable.receive(timeout=0)
        return durable.random() < 1 and durable.uuid4().version == 4 and durable.now().tzinfo is not None

    assert reasons(inline, proper) == ("completed", None)


def test_nothing_is_left_on_in_the_thread_when_the_body_has_ended(inline: Inline) -> None:
    @workflow
    def short() -> None:
        everything()

    reasons(inline, short)
    assert time.time() > 0
    assert sys.getprofile() is None


def test_two_threads_do_not_guard_each_other(inline: Inline) -> None:
    seen: list[float] = []
    begun, over = threading.Event(), threading.Event()

    def meanwhile() -> None:
        begun.wait(10)
        seen.append(time.time())
        socket.socket().close()
        over.set()

    thread = threading.Thread(target=meanwhile)
    thread.start()

    @workflow
    def slow() -> bool:
        begun.set()
        return over.wait()

    assert reasons(inline, slow) == ("completed", None)
    thread.join()
    assert seen


def test_the_guard_can_be_left_out_and_production_has_none(
    inline: Inline, database: Database, working: Callable[..., Worker]
) -> None:
    @workflow
    def careless() -> bool:
        return time.time() > 0

    worker = inline(careless, guard=False)
    worker.client.start(careless, workflow_id="inline")
    worker.run_until_idle()
    assert worker.client.describe("inline").result is True
    production = working(careless)
    worker.client.start(careless, workflow_id="production")
    production.wake()
    deadline = time.monotonic() + 10
    while worker.client.describe("production").state != "completed":
        assert time.monotonic() < deadline
    assert worker.client.describe("production").result is True


@workflow
def noisy_end() -> None:
    try:
        durable.sleep(1)
    finally:
        log.info("over")


def test_what_runs_at_each_wait_is_warned_of_in_tests_and_logged_by_a_worker(
    inline: Inline, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.warns(UserWarning, match=r"test_guard.py:\d+: workflow noisy_end: plain code in a finally"):
        inline(noisy_end)
    inline(noisy_end, guard=False)
    worker = Worker(database, workflows=[noisy_end])
    worker.start()
    worker.stop()
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "workflow noisy_end: plain code in a finally: it runs at each wait" in warning
