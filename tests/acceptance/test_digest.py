"""The whole bot posts its digest when it is asked to over HTTP, with the flows that it reads by default."""

from pathlib import Path

import httpx

from bot.demo.bot_process import BotProcess
from bot.demo.standins import SLACK_BOT_TOKEN
from bot.demo.waiting import eventually
from integrations.slack.client import SlackClient
from tests.conftest import StartBot
from tests.support.served import PLAIN
from tests.support.world import World

POLICY = 'digest: {channel: "#reviews"}\n'


def test_the_bot_posts_its_digest_of_what_it_watches(world: World, start_bot: StartBot, tmp_path: Path) -> None:
    (tmp_path / "vigil.yml").write_text(POLICY)
    slack = SlackClient(SLACK_BOT_TOKEN, base_url=f"{world.slack.url}/api/")
    reviews = slack.create_channel("reviews", private=False)
    bot = start_bot(VIGIL_CONFIG=str(tmp_path / "vigil.yml"), VIGIL_API_TOKEN="token")
    pull_request = world.github.open_pull_request("Add a cache", reviewers=("ada",))
    channel = world.channel_of(pull_request.repository, pull_request.number)
    eventually(lambda: world.slack.posts(channel.id))
    begun = ask(bot, "POST", "/api/workflows", {"project": "vigil", "name": "DIGEST", "payload": {}})
    assert begun.status_code == 201, begun.text
    [post] = eventually(lambda: world.slack.posts(reviews.id))
    assert post.text == "1 pull request waiting"
    assert "Add a cache" in post.words
    defined = [each["fullname"] for each in ask(bot, "GET", "/api/definitions").json()]
    assert defined == ["vigil.DIGEST", "vigil.REPORT", "vigil.STALE", "vigil.SWEEP"]
    sweep = ask(bot, "POST", "/api/workflows", {"project": "vigil", "name": "SWEEP", "payload": {}}).json()["id"]
    eventually(lambda: ask(bot, "GET", f"/api/workflows/{sweep}").json()["status"] == "success")


def ask(bot: BotProcess, method: str, path: str, content: object = None) -> httpx.Response:
    """Ask the bot's interface as an admin."""
    return httpx.request(
        method, f"{bot.url}{path}", json=content, headers={"Authorization": "Bearer token"}, verify=PLAIN
    )
