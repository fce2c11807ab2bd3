"""The page of a pull request: how it stands, its story, and what may be asked of its watch."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.demo.github_world import PullRequest
from bot.demo.standins import GITHUB_TOKEN, SLACK_BOT_TOKEN
from config.policy import Channels, Policy, Reminders
from durable.flows import load
from durable.intake import Delivery as Stored
from durable.postgres import deliveries
from handlers.records import acts
from handlers.router import github_router
from integrations.github.api import GitHub
from integrations.github.client import GitHubClient
from integrations.slack.api import Slack
from integrations.slack.client import SlackClient
from tests.integration.dashboard.conftest import House, house_on
from tests.support.boards import put, watch_of
from tests.support.deliveries import pull_request_delivery
from tests.support.director import make_test_folder
from tests.support.world import World

HOUR = timedelta(hours=1)
PAGE = "/pulls/github.com/acme/api/5"


@pytest.fixture
def watched(house: House) -> House:
    """A house with one pull request, whose watch is asleep."""
    put(house.database, watch_of(5, house.now()))
    house.worker.run_until_idle()
    return house


@pytest.fixture
def street(world: World, database_url: str, tmp_path: Path) -> Iterator[House]:
    """A house whose worker speaks with the stand-ins of GitHub and Slack."""
    policy = Policy(reminders=Reminders(every=HOUR), channels=Channels(archive_after=timedelta(seconds=5)))
    github = GitHubClient.with_token(GITHUB_TOKEN, base_url=f"{world.github_proxy.url}/", timeout=5)
    slack = SlackClient(SLACK_BOT_TOKEN, base_url=f"{world.slack_proxy.url}/api/")
    resources: dict[Any, Any] = {GitHub: github, Slack: slack, Policy: policy}
    flows = load(make_test_folder(tmp_path))
    with house_on(database_url, flows, resources, {"github": github_router(policy)}) as house:
        yield house
    github.close()


def hear(house: House, pull_request: PullRequest, action: str) -> None:
    """Deliver what GitHub says of it now, and let the bot do all that is due."""
    sent = pull_request_delivery(pull_request, action)
    headers = {"x-github-event": sent.event, "x-github-delivery": sent.id}
    with house.database.transaction("test") as connection:
        deliveries.insert(connection, [Stored("github", sent.id, headers, sent.body)])
    house.worker.run_until_idle()


def press(house: House, path: str, **fields: str) -> httpx.Response:
    """Send a form as an admin and follow it to the page after it."""
    answer = house.admin.post(path, data=fields, headers={"Referer": f"http://bot{PAGE}"})
    assert answer.status_code == 303, answer.text
    return answer


def told(answer: httpx.Response) -> str:
    """What the page after a form says of it, as it is sent there."""
    return answer.cookies.get("vigil_told") or ""


def test_the_page_says_how_it_stands_and_links_to_what_it_is_made_of(watched: House) -> None:
    page = watched.page(PAGE)
    for word in (
        "<h1>Add a cache, part 5</h1>",
        "https://github.com/acme/api/pull/5",
        "https://slack.com/app_redirect?channel=C00000005",
        "review requested",
        "/workflows/pr:github.com:acme:api:5",
        "cache into main",
    ):
        assert word in page


def test_whatever_was_never_watched_has_no_page(watched: House) -> None:
    for path in ("/pulls/github.com/acme/api/6", "/pulls/github.com/acme/api/x", "/pulls/ghe/acme/api/5"):
        assert watched.viewer.get(path).status_code == 404
    assert watched.viewer.get(f"/pulls/github.com/acme/api/{9**40}").status_code == 404


def test_names_are_found_in_any_case(watched: House) -> None:
    assert "Add a cache" in watched.page("/pulls/GitHub.com/ACME/Api/5")


def test_a_viewer_sees_no_button_and_may_not_press_one(watched: House) -> None:
    assert "Remind now" not in watched.page(PAGE)
    assert "Remind now" in watched.admin.get(PAGE).text
    for act in ("remind", "snooze", "wake"):
        assert watched.viewer.post(f"{PAGE}/{act}").status_code == 403
        assert watched.anonymous.post(f"{PAGE}/{act}").status_code == 401


def test_the_story_is_told_from_the_beginning_to_the_end(street: House, world: World) -> None:
    pull_request = world.github.open_pull_request("Add a cache", reviewers=("ada",))
    hear(street, pull_request, "opened")
    street.worker.run_for(3 * HOUR + timedelta(minutes=10))
    path = f"/pulls/127.0.0.1/acme/api/{pull_request.number}"
    page = street.page(path)
    for sentence in (
        "The watch began",
        "was opened",
        "octocat, ada were invited",
        "It became the turn of ada",
        "The summary was posted",
        "Reminders 1 to 3 were posted, from",
        "The next reminder is due",
    ):
        assert sentence in page
    pull_request.merge()
    hear(street, pull_request, "closed")
    street.worker.run_for(timedelta(seconds=6))
    page = street.page(path)
    for sentence in (
        "closed it",
        "The closing message was posted",
        "The channel was archived",
        "The watch ended: merged",
    ):
        assert sentence in page
    assert "ended: merged" in page
    assert "Remind now" not in street.admin.get(path).text


def test_remind_now_posts_one_reminder_however_often_it_is_pressed(street: House, world: World) -> None:
    pull_request = world.github.open_pull_request("Add a cache", reviewers=("ada",))
    hear(street, pull_request, "opened")
    path = f"/pulls/127.0.0.1/acme/api/{pull_request.number}"
    page = street.admin.get(path).text
    [button] = [part.partition('"')[0] for part in page.split('name="press" value="')[1:]]
    assert "posted%20in%20a%20moment" in told(press(street, f"{path}/remind", press=button))
    assert "already" in told(press(street, f"{path}/remind", press=button))
    street.worker.run_until_idle()
    [channel] = world.slack.channels_of("acme/api", pull_request.number)
    assert [post.text.partition(",")[0] for post in world.slack.posts(channel.id)[1:]] == ["1st reminder"]
    assert "asked for a reminder now" in street.page(path)
    assert street.admin.get(path).text.split('name="press" value="')[1].partition('"')[0] != button


def test_what_was_asked_is_in_the_audit_with_the_workflow_as_its_subject(watched: House) -> None:
    press(watched, f"{PAGE}/snooze", until="4h")
    with watched.database.reading() as connection:
        [act] = acts.latest(connection, subject="pr:github.com:acme:api:5")
    assert (act.act, act.detail, act.outcome) == ("snooze", "until: 4h", "done")


@pytest.mark.parametrize(("until", "length"), [("1h", HOUR), ("4h", 4 * HOUR), ("tomorrow", None)])
def test_a_snooze_moves_the_next_reminder_and_a_wake_moves_it_back(
    watched: House, until: str, length: timedelta | None
) -> None:
    before = watched.client.describe("pr:github.com:acme:api:5").status
    asked_at = watched.now()
    press(watched, f"{PAGE}/snooze", until=until)
    watched.worker.run_until_idle()
    status = watched.client.describe("pr:github.com:acme:api:5").status
    if length is None:
        assert "T09:00:00" in status["next_reminder_at"]
    else:
        assert status["next_reminder_at"][:16] >= (asked_at + length).isoformat()[:16]
    assert status["next_reminder_at"] == status["snoozed"]["until"]
    page = watched.admin.get(PAGE).text
    assert "asked for quiet until" in page
    assert "Wake" in page
    press(watched, f"{PAGE}/wake")
    watched.worker.run_until_idle()
    status = watched.client.describe("pr:github.com:acme:api:5").status
    assert (status["snoozed"], status["next_reminder_at"]) == (None, before["next_reminder_at"])


def test_a_snooze_for_no_known_time_is_refused(watched: House) -> None:
    answer = press(watched, f"{PAGE}/snooze", until="next year")
    assert "A%20snooze%20is%20one%20of" in told(answer)


def test_nothing_can_be_asked_of_a_draft_or_of_what_stands_still_or_is_over(house: House) -> None:
    draft, stuck, over = (watch_of(number, house.now()) for number in (1, 2, 3))
    draft = replace(draft, pull_request=replace(draft.pull_request, draft=True))
    put(house.database, draft, stuck, replace(over, phase="ended", outcome="merged"))
    house.worker.run_until_idle()
    house.management.operator.suspend(stuck.workflow_id, "a look")
    for number, reason in ((1, "Nobody%20is%20reminded"), (2, "stands%20still"), (3, "no%20longer%20watched")):
        page = f"/pulls/github.com/acme/api/{number}"
        assert "Remind now" not in house.admin.get(page).text
        assert reason in told(press(house, f"{page}/remind"))
    assert "paused by an operator: a look" in house.page("/pulls/github.com/acme/api/2")


def test_a_watch_whose_memory_is_gone_still_has_a_page(watched: House) -> None:
    watched.client.terminate("pr:github.com:acme:api:5", "an experiment")
    watched.management.operator.purge("pr:github.com:acme:api:5")
    page = watched.page(PAGE)
    assert "its workflow is gone" in page
    assert "memory is gone" in page


def test_what_comes_from_outside_is_text_and_no_address_is_a_script(house: House) -> None:
    hostile = watch_of(5, house.now(), notes=("<script>note</script>",), channel_name="<b>")
    evil = replace(hostile.pull_request, title="<script>alert(1)</script>", url="javascript:alert(1)", head_ref="<i>")
    state = replace(hostile, pull_request=evil)
    state = state.telling(house.now(), "heard", action="<script>", by="<img src=x>", id='"><script>')
    put(house.database, state)
    house.worker.run_until_idle()
    page = house.page(PAGE)
    assert "&lt;script&gt;alert(1)" in page
    for live in ("<script>", "<img src", "javascript:", "<i>", "<b>"):
        assert live not in page
