"""The whole watch on real parts: PostgreSQL, the stand-ins over HTTP, our own clients; and a clock that tests move."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.demo.github_world import PullRequest
from bot.demo.slack_world import Channel, Message
from bot.demo.standins import GITHUB_TOKEN, SLACK_BOT_TOKEN
from bot.demo.waiting import eventually
from bot.schema import MIGRATIONS
from config.policy import Channels, Policy, Reminders
from durable import Description, injection
from durable.intake import Delivery as Stored
from durable.postgres import Database, deliveries
from durable.postgres.migrate import upgrade
from durable.testing import InlineWorker
from handlers.records.schema import engine_time
from handlers.router import github_router
from handlers.watch import watch_pull_request
from integrations.github.api import GitHub
from integrations.github.client import GitHubClient
from integrations.slack.api import Slack
from integrations.slack.client import SlackClient
from tests.support.deliveries import Delivery, pull_request_delivery
from tests.support.world import World

HOUR = timedelta(hours=1)
POLICY = Policy(reminders=Reminders(every=HOUR), channels=Channels(archive_after=timedelta(seconds=5)))


@dataclass
class Scene:
    """A bot without threads in a world of its own."""

    world: World
    database: Database
    worker: InlineWorker
    policy: Policy
    resources: dict[Any, Any] = field(repr=False)

    def use(self, policy: Policy) -> None:
        """Go by another policy from now on."""
        self.worker.close()
        self.policy = self.resources[Policy] = policy
        self.worker = _worker(self.database, self.resources, policy)

    def open(self, title: str = "Add a cache", *, reviewers: tuple[str, ...] = ("ada",), **more: Any) -> PullRequest:
        """Open a pull request on GitHub; nothing is delivered yet."""
        return self.world.github.open_pull_request(title, reviewers=reviewers, **more)

    def hear(self, pull_request: PullRequest, action: str, **more: Any) -> None:
        """Deliver what GitHub says of it now, and let the bot do all that is due."""
        self.deliver(pull_request_delivery(pull_request, action, **more))
        self.run()

    def deliver(self, *sent: Delivery) -> None:
        """Store deliveries, in this order; nothing happens yet."""
        for one in sent:
            headers = {"x-github-event": one.event, "x-github-delivery": one.id}
            with self.database.engine.begin() as connection:
                deliveries.insert(connection, [Stored("github", one.id, headers, one.body)])

    def run(self) -> None:
        """Everything that is due now."""
        self.worker.run_until_idle()

    def run_until_idle_for_real(self, pull_request: PullRequest, phase: str) -> None:
        """Go on while waits on the real clock (look again, Retry-After) pass, until the watch shows this phase."""

        def there() -> bool:
            self.run()
            return bool(self.status(pull_request)["phase"] == phase)

        eventually(there, within=30, ignoring=())

    def pass_time(self, duration: timedelta) -> None:
        """Let the bot live through so much time."""
        self.worker.run_for(duration)

    def time(self) -> datetime:
        """The engine's time."""
        with self.database.reading() as connection:
            return engine_time(connection)

    def describe(self, pull_request: PullRequest) -> Description:
        """The engine's account of the watch."""
        owner, repo = pull_request.repository.split("/")
        return self.worker.client.describe(f"pr:127.0.0.1:{owner}:{repo}:{pull_request.number}")

    def status(self, pull_request: PullRequest) -> dict[str, Any]:
        """What the watch shows of itself."""
        status: dict[str, Any] = self.describe(pull_request).status
        return status

    def outcome(self, pull_request: PullRequest) -> str:
        """How the watch ended; it has."""
        description = self.describe(pull_request)
        assert description.state == "completed", description
        kind: str = description.result.kind
        return kind

    def channels(self, pull_request: PullRequest) -> list[Channel]:
        """Its channels, archived ones too."""
        return self.world.slack.channels_of(pull_request.repository, pull_request.number)

    def channel(self, pull_request: PullRequest) -> Channel:
        """Its one channel."""
        [channel] = self.channels(pull_request)
        return channel

    def posts(self, pull_request: PullRequest) -> list[Message]:
        """What the bot said in its one channel and did not take away."""
        return self.world.slack.posts(self.channel(pull_request).id)

    def texts(self, pull_request: PullRequest) -> list[str]:
        """The texts of that."""
        return [post.text for post in self.posts(pull_request)]


@pytest.fixture
def scene(world: World, database_url: str) -> Iterator[Scene]:
    """A bot that watches everything and reminds every hour."""
    database = Database(database_url, pool_size=12)
    upgrade(database, MIGRATIONS)
    github = GitHubClient.with_token(GITHUB_TOKEN, base_url=f"{world.github_proxy.url}/", timeout=5)
    slack = SlackClient(SLACK_BOT_TOKEN, base_url=f"{world.slack_proxy.url}/api/")
    resources: dict[Any, Any] = {GitHub: github, Slack: slack, Policy: POLICY}
    scene = Scene(world, database, _worker(database, resources, POLICY), POLICY, resources)
    yield scene
    scene.worker.close()
    github.close()
    database.close()


@pytest.fixture
def at_every_point() -> Iterator[Callable[[injection.Hook | None], None]]:
    """Calls a function at every commit and outward call from then on, until the test ends."""
    yield injection.install
    injection.install(None)


def _worker(database: Database, resources: dict[Any, Any], policy: Policy) -> InlineWorker:
    return InlineWorker(
        database, workflows=[watch_pull_request], resources=resources, routes={"github": github_router(policy)}
    )


def with_channels(**changes: Any) -> Policy:
    """The scene's policy with other rules for channels."""
    return replace(POLICY, channels=replace(POLICY.channels, **changes))
