"""A thousand pull requests waiting weigh next to nothing, and do not delay the end."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Event

import psutil
import pytest

from bot.demo.bot_process import BotProcess
from bot.demo.waiting import eventually
from durable.client import Client
from durable.postgres import Database
from handlers.watch import watch_pull_request
from handlers.watch_state import Watch
from integrations.github.api import Person, PullRequest, PullRequestRef
from tests.conftest import StartBot
from tests.support import faults
from tests.support.world import World

WAITING = 1000
MIB = 1024 * 1024


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    database = Database(database_url)
    yield Client(database)
    database.close()


def a_watch(number: int) -> Watch:
    """A draft that waits for an hour, without a channel."""
    ref = PullRequestRef("github.example", "acme", "api", number, 1)
    now = datetime.now(UTC)
    pull_request = PullRequest(
        ref=ref,
        title=f"Number {number}",
        url=f"https://github.example/acme/api/pull/{number}",
        author=Person("octocat"),
        state="open",
        merged=False,
        draft=True,
        private=False,
        created_at=now,
        updated_at=now,
        head_ref="branch",
        head_sha="0" * 40,
        base_ref="main",
    )
    return Watch(ref.workflow_id, pull_request, "opened", phase="waiting", next_reminder_at=now + timedelta(hours=1))


def let_wait(client: Client, count: int) -> None:
    """Start this many watches and wait until each of them waits."""
    for number in range(1, count + 1):
        watch = a_watch(number)
        client.start(watch_pull_request, watch, workflow_id=watch.workflow_id)
    eventually(lambda: client.overview().counts.get("waiting", 0) == count, within=60, every=0.2)


def cpu_share(bot: BotProcess, *, seconds: float) -> float:
    """The share of a core that its own process, without its database, uses for so long."""
    process = psutil.Process(bot.pid)
    before, began = process.cpu_times(), time.monotonic()
    Event().wait(seconds)
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) / (time.monotonic() - began)


@pytest.mark.parametrize("waiting", [0, WAITING])
def test_an_idle_bot_is_small_and_quiet_however_many_wait(start_bot: StartBot, client: Client, waiting: int) -> None:
    bot = start_bot(forked=False, VIGIL_REMINDER_INTERVAL="1h")
    let_wait(client, waiting)
    Event().wait(3)  # what the start left to do is done
    used = min(cpu_share(bot, seconds=5) for _ in range(3))  # whoever else uses the caches makes it more, never less
    assert used < 0.01, f"{used:.1%} of a core"
    resident = psutil.Process(bot.pid).memory_info().rss / MIB
    assert resident < 150, f"{resident:.0f} MiB"


def test_a_bot_with_a_thousand_waiting_ends_within_five_seconds_of_sigterm(
    world: World, start_bot: StartBot, client: Client
) -> None:
    bot = start_bot(forked=False, VIGIL_REMINDER_INTERVAL="1h")
    let_wait(client, WAITING)
    started = time.monotonic()
    assert bot.terminate(within=20) == 0
    assert time.monotonic() - started < 5
    overview = client.overview()
    assert overview.counts == {"waiting": WAITING}


def test_a_bot_in_the_middle_of_a_call_ends_within_five_seconds_of_sigterm(world: World, start_bot: StartBot) -> None:
    bot = start_bot()
    gate = Event()
    world.slack_proxy.make("chat.postMessage", faults.held(gate))
    world.github.open_pull_request()
    world.slack_proxy.wait_for("chat.postMessage")
    started = time.monotonic()
    bot.terminate(within=20)
    assert time.monotonic() - started < 5
    gate.set()
