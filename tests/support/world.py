"""GitHub, Slack and what lies between them and the bot, for one test."""

from dataclasses import dataclass

import httpx

from bot.demo.github_world import GitHubWorld
from bot.demo.ports import free_port
from bot.demo.slack_world import Channel, SlackWorld
from bot.demo.standins import (
    GITHUB_TOKEN,
    SLACK_BOT_TOKEN,
    SLACK_SIGNING_SECRET,
    WEBHOOK_SECRET,
    SentDelivery,
    StandIns,
    hooks_to,
)
from bot.demo.waiting import eventually
from tests.support.deliveries import Delivery
from tests.support.proxy import FaultProxy


@dataclass(frozen=True)
class World:
    """A fresh GitHub and Slack. People act on `github` and `slack` directly; the bot's calls pass the proxies."""

    stand_ins: StandIns
    github: GitHubWorld
    slack: SlackWorld
    github_proxy: FaultProxy
    slack_proxy: FaultProxy
    port: int

    @classmethod
    def fresh(cls, stand_ins: StandIns, github_proxy: FaultProxy, slack_proxy: FaultProxy) -> "World":
        """Reset everything; GitHub's hooks lead to a free port, on which the test's bot is to listen."""
        github_proxy.reset()
        slack_proxy.reset()
        github_proxy.target, slack_proxy.target = stand_ins.github_url, stand_ins.slack_url
        port = free_port()
        stand_ins.reset(
            hooks=hooks_to(f"http://127.0.0.1:{port}/github/webhook"),
            github_base_url=github_proxy.url,
            slack_base_url=slack_proxy.url,
        )
        github, slack = GitHubWorld(stand_ins.github_url), SlackWorld(stand_ins.slack_url)
        return cls(stand_ins, github, slack, github_proxy, slack_proxy, port)

    @property
    def webhook_url(self) -> str:
        """Where the bot takes GitHub's deliveries."""
        return f"http://127.0.0.1:{self.port}/github/webhook"

    def settings(self, database_url: str) -> dict[str, str]:
        """The environment of a bot in this world, with reminders every two seconds."""
        return {
            "DATABASE_URL": database_url,
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "GITHUB_API_URL": self.github_proxy.url,
            "GITHUB_TOKEN": GITHUB_TOKEN,
            "GITHUB_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "SLACK_API_URL": f"{self.slack_proxy.url}/api/",
            "SLACK_BOT_TOKEN": SLACK_BOT_TOKEN,
            "SLACK_SIGNING_SECRET": SLACK_SIGNING_SECRET,
            "VIGIL_REMINDER_INTERVAL": "2s",
            "VIGIL_ARCHIVE_DELAY": "0.2",
        }

    def send(self, delivery: Delivery) -> httpx.Response:
        """Deliver by hand."""
        return delivery.send(self.webhook_url)

    def sent_deliveries(self) -> list[SentDelivery]:
        """What the GitHub stand-in sent by itself."""
        return self.stand_ins.deliveries()

    def channel_of(self, repository: str, number: int, *, within: float = 10) -> Channel:
        """Wait for the pull request's one channel."""

        def only_one() -> Channel | None:
            found = self.slack.channels_of(repository, number)
            assert len(found) <= 1, f"more than one channel for {repository}#{number}: {found}"
            return found[0] if found else None

        return eventually(only_one, within=within, ignoring=())
