"""Several processes on one database: everything once, also when one of them freezes and thaws at the wrong moment."""

import time
from threading import Event

from bot.demo.waiting import eventually
from tests.conftest import StartBot
from tests.support import faults
from tests.support.lives import ended, lived_once, posted, reminded
from tests.support.world import World


def test_a_web_and_two_workers_post_every_reminder_once(world: World, start_bot: StartBot) -> None:
    web = start_bot("web", ready=False)
    start_bot("worker")
    start_bot("worker")
    web.wait_until_ready()  # which needs a worker that lives
    pull_requests = [world.github.open_pull_request(f"Number {n}", reviewers=["ada"]) for n in range(5)]
    for each in pull_requests:
        reminded(world, world.channel_of("acme/api", each.number, within=30), 3)
    for each in pull_requests:
        each.merge()
    for each in pull_requests:
        ended(world, each)
        lived_once(world, each)


def test_a_worker_frozen_past_its_lease_posts_nothing_twice(world: World, start_bot: StartBot) -> None:
    """Slack holds its answer while the worker is frozen past its lease; another one takes over; then it thaws."""
    gate = Event()
    first = start_bot("serve")
    world.slack_proxy.make("chat.postMessage", faults.held(gate), times=1)
    pull_request = world.github.open_pull_request()
    [call] = world.slack_proxy.wait_for("chat.postMessage")
    first.freeze()
    second = start_bot("worker")
    channel = world.channel_of("acme/api", pull_request.number)
    reminded(world, channel, 1, within=40)
    gate.set()
    time_frozen = time.monotonic()
    first.thaw()
    reminded(world, channel, 3, within=30)
    assert second.exit_code is None
    assert [each.key for each in posted(world, channel)].count(call.key) == 1
    eventually(lambda: any("fence lost" in str(line["event"]) for line in first.logs() if "event" in line))
    assert time.monotonic() - time_frozen < 60
    pull_request.merge()
    ended(world, pull_request)
    lived_once(world, pull_request)
