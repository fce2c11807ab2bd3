"""The bot dies at any moment, by SIGKILL, and people in Slack notice nothing but the time a restart takes."""

import random
from datetime import timedelta
from itertools import pairwise
from threading import Event

import pytest

from bot.demo.bot_process import BotProcess
from bot.demo.slack_world import Channel
from bot.demo.waiting import eventually
from durable.client import Client
from durable.postgres import Database
from durable.testing import advance
from tests.conftest import StartBot
from tests.support import faults
from tests.support.chaos import EVERY
from tests.support.lives import ended, lived_once, posted, reminded, reminder_number, reminders_of
from tests.support.reviving import revived
from tests.support.world import World

# Each outward call of one pull request's life: the method, and how many like it go before.
SLACK_CALLS = [
    ("users.lookupByEmail", 0),
    ("conversations.create", 0),
    ("conversations.setTopic", 0),
    ("conversations.setPurpose", 0),
    ("bookmarks.add", 0),
    ("conversations.invite", 0),
    ("conversations.invite", 1),
    ("chat.postMessage", 0),
    ("chat.postMessage", 1),
    ("chat.postMessage", 2),
    ("chat.delete", 0),
    ("chat.postMessage", 3),
    ("conversations.archive", 0),
]
AROUND_SLACK = [(*call, effect) for call in SLACK_CALLS for effect in ("before", "after")]
GITHUB_CALLS = [("GET /repos/*/pulls/*", 0), ("GET /repos/*/pulls/*", 3), ("GET /users/*", 0)]


def live(world: World, bot: BotProcess) -> None:
    """One pull request's life with two reminders, through however many deaths; then: everything once."""
    with revived(bot) as reviver:
        pull_request = world.github.open_pull_request("Survive", reviewers=["ada"])
        channel = world.channel_of("acme/api", pull_request.number, within=30)
        reminded(world, channel, 2)
        pull_request.merge()
        ended(world, pull_request)
        eventually(lambda: reviver.deaths == 1)
    lived_once(world, pull_request)


@pytest.mark.chaos
@pytest.mark.parametrize(("method", "skip", "effect"), AROUND_SLACK[::EVERY])
def test_a_crash_around_any_call_to_slack_repeats_and_loses_nothing(
    world: World, start_bot: StartBot, method: str, skip: int, effect: str
) -> None:
    bot = start_bot(VIGIL_REMINDER_INTERVAL="1s")
    fault = faults.before_effect(bot.kill) if effect == "before" else faults.after_effect(bot.kill)
    world.slack_proxy.make(method, fault, skip=skip, times=1)
    live(world, bot)


@pytest.mark.parametrize(("method", "skip"), GITHUB_CALLS)
def test_a_crash_around_any_call_to_github_repeats_and_loses_nothing(
    world: World, start_bot: StartBot, method: str, skip: int
) -> None:
    bot = start_bot(VIGIL_REMINDER_INTERVAL="1s")
    world.github_proxy.make(method, faults.after_effect(bot.kill), skip=skip, times=1)
    live(world, bot)


@pytest.mark.timeout(400)
def test_twenty_pull_requests_live_through_ten_deaths_at_random_moments(world: World, bot: BotProcess) -> None:
    dice = random.Random(20261122)  # noqa: S311 - moments to be repeated, no secret
    moment = Event()
    with revived(bot) as reviver:
        pull_requests = [world.github.open_pull_request(f"Number {n}", reviewers=["ada"]) for n in range(1, 21)]
        for _ in range(10):
            moment.wait(dice.uniform(0.2, 2.5))
            bot.kill()
            eventually(lambda: bot.running_pid, within=60, every=0.02)
        channels = [world.channel_of("acme/api", each.number, within=60) for each in pull_requests]
        for channel in channels:
            reminded(world, channel, 3, within=60)
        for each in pull_requests:
            each.merge()
        for each in pull_requests:
            ended(world, each)
    for each in pull_requests:
        lived_once(world, each)
    for channel in channels:
        for earlier, later in pairwise(reminders_of(world, channel)):
            gap = (later.at - earlier.at).total_seconds()
            assert 1.9 <= gap <= 2 * 1.05 + 3 + reviver.down_between(earlier.at, later.at), channel.name


def test_a_timer_with_forty_minutes_left_fires_forty_minutes_later(
    world: World, start_bot: StartBot, database_url: str
) -> None:
    bot = start_bot(VIGIL_REMINDER_INTERVAL="1h")
    pull_request = world.github.open_pull_request(reviewers=["ada"])
    channel = world.channel_of("acme/api", pull_request.number)
    database = Database(database_url)
    try:
        timer_is_set(database, world, channel)
        advance(database, timedelta(minutes=20))
        bot.kill_and_return()
        advance(database, timedelta(minutes=39))
        another_is_served(world)
        assert reminders_of(world, channel) == []
        advance(database, timedelta(minutes=1 + 3, seconds=5))  # and the jitter of at most 5 %
        reminded(world, channel, 1)
    finally:
        database.close()


def test_what_came_due_while_the_bot_was_away_is_reminded_once(
    world: World, start_bot: StartBot, database_url: str
) -> None:
    bot = start_bot(VIGIL_REMINDER_INTERVAL="1h")
    pull_request = world.github.open_pull_request(reviewers=["ada"])
    channel = world.channel_of("acme/api", pull_request.number)
    database = Database(database_url)
    try:
        timer_is_set(database, world, channel)
        bot.kill()
        advance(database, timedelta(hours=7))
        bot.start().wait_until_ready()
        reminded(world, channel, 1)
        another_is_served(world)
        assert [reminder_number(call) for call in reminders_of(world, channel)] == [1]
        advance(database, timedelta(minutes=59))
        another_is_served(world)
        assert len(reminders_of(world, channel)) == 1
        advance(database, timedelta(minutes=5))
        reminded(world, channel, 2)
    finally:
        database.close()


def timer_is_set(database: Database, world: World, channel: Channel) -> None:
    """The summary is posted and the watch sleeps until its next reminder."""
    eventually(lambda: posted(world, channel))
    client = Client(database)
    eventually(lambda: [each.state for each in client.list(prefix="pr:")] == ["waiting"])


def another_is_served(world: World) -> None:
    """Another pull request is opened and has its summary: what was due before it has been done."""
    other = world.github.open_pull_request("Another")
    channel = world.channel_of("acme/api", other.number)
    eventually(lambda: posted(world, channel))
