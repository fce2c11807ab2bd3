"""A limit for one pull request holds up nobody else, even with a single slot to work in."""

import time
from collections.abc import Iterator

import pytest

from bot.compose import Outside
from bot.demo.github_world import PullRequest
from bot.demo.standins import GITHUB_TOKEN, SLACK_BOT_TOKEN
from bot.demo.waiting import eventually
from config.policy import Policy
from durable.intake import Delivery, Intake
from durable.postgres import Database
from durable.worker import Worker
from handlers.router import github_router
from handlers.watch import watch_pull_request
from integrations.github.api import GitHub
from integrations.github.client import GitHubClient
from integrations.slack.api import Slack
from integrations.slack.client import SlackClient
from tests.support import faults
from tests.support.deliveries import pull_request_delivery
from tests.support.lives import posted
from tests.support.proxy import Call
from tests.support.world import World


@pytest.fixture
def intake(world: World, database_url: str) -> Iterator[Intake]:
    """Takes deliveries for a worker with one slot and the real clients."""
    database = Database(database_url)
    outside = Outside(
        SlackClient(SLACK_BOT_TOKEN, base_url=f"{world.slack_proxy.url}/api/"),
        GitHubClient.with_token(GITHUB_TOKEN, base_url=world.github_proxy.url),
    )
    policy = Policy()
    worker = Worker(
        database,
        workflows=[watch_pull_request],
        resources={Slack: outside.slack, GitHub: outside.github, Policy: policy},
        routes={"github": github_router(policy)},
        slots=1,
    )
    intake = Intake(database)
    worker.start()
    try:
        yield intake
    finally:
        worker.stop(grace=1.0)
        database.close()


def deliver(intake: Intake, pull_request: PullRequest) -> None:
    delivery = pull_request_delivery(pull_request, "opened")
    headers = {name.lower(): value for name, value in delivery.headers().items()}
    assert intake.put(Delivery("github", delivery.id, headers, delivery.body))


def test_with_one_slot_a_limited_pull_request_leaves_the_slot_to_another(world: World, intake: Intake) -> None:
    def is_about_the_first(call: Call) -> bool:
        return "first" in str(call.arguments.get("name"))

    world.slack_proxy.make("conversations.create", faults.rate_limited(30), when=is_about_the_first)
    first = world.github.open_pull_request("The first")
    deliver(intake, first)
    world.slack_proxy.wait_for("conversations.create", reached=False)

    second = world.github.open_pull_request("Second", reviewers=["ada"])
    started = time.monotonic()
    deliver(intake, second)
    channel = world.channel_of("acme/api", second.number, within=5)
    eventually(lambda: posted(world, channel), within=5)
    assert time.monotonic() - started < 5
    assert world.slack.channels_of("acme/api", first.number) == []
    assert len(world.slack_proxy.calls("conversations.create")) == 2
