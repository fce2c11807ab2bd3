"""The watch in a process of its own that dies by SIGKILL at the n-th point it comes to, and the successor it has.

Every commit and every outward call passes one counter (`durable.injection`).
"""

import os
import signal
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from threading import Event
from typing import Any

from sqlalchemy import text

from bot.demo.standins import GITHUB_TOKEN, SLACK_BOT_TOKEN
from config.policy import Channels, Policy, Reminders
from durable import injection
from durable.intake import Delivery
from durable.postgres import Database, deliveries
from durable.testing import InlineWorker
from handlers.router import github_router
from handlers.watch import watch_pull_request
from integrations.github.api import GitHub
from integrations.github.client import GitHubClient
from integrations.slack.api import Slack
from integrations.slack.client import SlackClient
from tests.support.forks import FORKS

WITHIN_S = 60
NEVER = 0


@dataclass(frozen=True)
class Life:
    """What a process is to do: take in a delivery, then live through `seconds` of engine time (counted from `since`,
    an ISO time, so that a successor lives the rest only)."""

    database_url: str
    github_url: str
    slack_url: str
    delivery: Delivery
    since: str
    seconds: float


def die_in(life: Life, nth: int) -> list[str] | None:
    """Live this life and die at the `nth` point. Returns the points passed by one that lived to its end, None for one
    that was killed. Any other end is an error."""
    receiving, sending = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=_live, args=(life, nth, sending))
    process.start()
    sending.close()
    points: list[str] | None = None
    try:
        if receiving.poll(WITHIN_S):
            points = receiving.recv()
    except EOFError:
        pass  # the dead do not speak
    process.join(WITHIN_S)
    if process.exitcode not in (0, -signal.SIGKILL) or (points is None) != (process.exitcode == -signal.SIGKILL):
        raise AssertionError(f"the process ended with {process.exitcode} at {nth} and left {points}")
    return points


def _live(life: Life, nth: int, sending: Connection) -> None:
    points: list[str] = []

    def count(point: str) -> None:
        if not point.endswith(" advance"):  # moving the clock is the test's act
            points.append(point)
            if len(points) == nth:
                os.kill(os.getpid(), signal.SIGKILL)

    injection.install(count)
    database = Database(life.database_url, pool_size=4)
    with database.transaction("intake") as connection:
        deliveries.insert(connection, [life.delivery])
    policy = Policy(
        reminders=Reminders(every=timedelta(hours=1)), channels=Channels(archive_after=timedelta(seconds=5))
    )
    resources: dict[Any, Any] = {
        GitHub: GitHubClient.with_token(GITHUB_TOKEN, base_url=f"{life.github_url}/", timeout=5),
        Slack: SlackClient(SLACK_BOT_TOKEN, base_url=f"{life.slack_url}/api/"),
        Policy: policy,
    }
    routes = {"github": github_router(policy)}
    worker = InlineWorker(database, workflows=[watch_pull_request], resources=resources, routes=routes)
    worker.take_over()
    _settle(worker, database)
    worker.run_for(max(_left(database, life), timedelta(0)))
    _settle(worker, database)
    sending.send(points)


def _settle(worker: InlineWorker, database: Database) -> None:
    """Do what is due, and wait for what waits on the real clock: an answer in doubt is looked into after a while."""
    moment = Event()
    worker.run_until_idle()
    while _waits_for_real(database):
        moment.wait(0.1)
        worker.run_until_idle()


def _waits_for_real(database: Database) -> bool:
    with database.reading() as connection:
        asked = "SELECT EXISTS (SELECT FROM durable.workflows WHERE state = 'waiting' AND wake_real)"
        return bool(connection.execute(text(asked)).scalar_one())


def _left(database: Database, life: Life) -> timedelta:
    with database.reading() as connection:
        asked = text("SELECT CAST(:since AS timestamptz) + make_interval(secs => :seconds) - durable.now()")
        left: timedelta = connection.execute(asked, {"since": life.since, "seconds": life.seconds}).scalar_one()
    return left
