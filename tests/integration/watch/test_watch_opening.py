"""How a watch begins: in any order of deliveries, with any name taken, with a draft, and when Slack refuses."""

from datetime import timedelta

import pytest

from handlers.records.pull_requests import hold_channel, register_pull_request
from integrations.slack.api import Slack
from integrations.slack.client import SlackClient
from tests.integration.watch.conftest import HOUR, Scene, with_channels
from tests.support import faults
from tests.support.deliveries import pull_request_delivery
from tests.unit.handlers.sample import OPEN


def test_the_same_delivery_five_times_has_one_effect(scene: Scene) -> None:
    pull_request = scene.open()
    delivery = pull_request_delivery(pull_request, "opened")
    scene.deliver(*[delivery] * 5)
    scene.run()
    assert len(scene.posts(pull_request)) == 1


def test_closed_before_opened_leaves_no_channel(scene: Scene) -> None:
    pull_request = scene.open()
    opened = pull_request_delivery(pull_request, "opened")
    pull_request.close()
    scene.deliver(pull_request_delivery(pull_request, "closed"), opened)
    scene.run()
    assert scene.channels(pull_request) == []
    assert scene.outcome(pull_request) == "closed"


def test_opened_long_after_the_merge_opens_nothing(scene: Scene) -> None:
    pull_request = scene.open()
    opened = pull_request_delivery(pull_request, "opened")
    pull_request.merge()
    scene.deliver(opened)
    scene.run()
    assert scene.channels(pull_request) == []
    assert scene.outcome(pull_request) == "merged"


@pytest.mark.parametrize("action", ["synchronize", "labeled", "edited"])
def test_a_pull_request_older_than_the_bot_is_watched_from_its_next_delivery(scene: Scene, action: str) -> None:
    pull_request = scene.open()
    scene.hear(pull_request, action)
    assert len(scene.posts(pull_request)) == 1


def test_a_draft_waits_and_its_channel_opens_when_it_is_ready(scene: Scene) -> None:
    pull_request = scene.open(draft=True)
    scene.hear(pull_request, "opened")
    scene.pass_time(3 * HOUR)
    assert scene.channels(pull_request) == []
    assert scene.status(pull_request)["phase"] == "waiting"
    pull_request.set_draft(draft=False)
    scene.hear(pull_request, "ready_for_review")
    assert len(scene.posts(pull_request)) == 1


def test_a_draft_whose_readiness_was_never_announced_is_found_ready_within_an_interval(scene: Scene) -> None:
    pull_request = scene.open(draft=True)
    scene.hear(pull_request, "opened")
    pull_request.set_draft(draft=False)
    scene.pass_time(HOUR + timedelta(minutes=4))
    assert len(scene.posts(pull_request)) == 1


def test_a_draft_that_is_closed_ends_without_a_channel(scene: Scene) -> None:
    pull_request = scene.open(draft=True)
    scene.hear(pull_request, "opened")
    pull_request.close()
    scene.hear(pull_request, "closed")
    assert scene.channels(pull_request) == []
    assert scene.outcome(pull_request) == "closed"


def test_by_policy_a_draft_gets_its_channel_at_once_and_no_reminders(scene: Scene) -> None:
    scene.use(with_channels(drafts="open"))
    pull_request = scene.open(draft=True)
    scene.hear(pull_request, "opened")
    scene.pass_time(3 * HOUR)
    assert len(scene.posts(pull_request)) == 1


def test_a_private_repositorys_channel_is_private(scene: Scene) -> None:
    pull_request = scene.open(repository="acme/vault")
    scene.hear(pull_request, "opened")
    assert scene.channel(pull_request).private


def test_a_name_that_somebody_else_has_is_followed_by_the_next_one(scene: Scene) -> None:
    pull_request = scene.open()
    name = f"pr-api-{pull_request.number}-add-a-cache"
    scene.world.slack.create_channel(name)
    scene.hear(pull_request, "opened")
    assert [channel.name for channel in scene.channels(pull_request)] == [name, f"{name}-2"]
    assert len(scene.world.slack.posts(scene.channels(pull_request)[1].id)) == 1


def test_an_answer_lost_after_the_channel_was_created_makes_no_second_one(scene: Scene) -> None:
    scene.world.slack_proxy.make("conversations.create", faults.lost_answer(), times=1)
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    scene.run_until_idle_for_real(pull_request, "watching")
    assert len(scene.channels(pull_request)) == 1
    assert len(scene.posts(pull_request)) == 1


def test_an_answer_lost_after_the_summary_was_posted_makes_no_second_one(scene: Scene) -> None:
    scene.world.slack_proxy.make("chat.postMessage", faults.lost_answer(), times=1)
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    scene.run_until_idle_for_real(pull_request, "watching")
    assert len(scene.posts(pull_request)) == 1


def test_calls_that_were_lost_or_limited_are_made_again(scene: Scene) -> None:
    for method in ("conversations.create", "chat.postMessage"):
        scene.world.slack_proxy.make(method, faults.lost_call(), times=1)
        scene.world.slack_proxy.make(method, faults.rate_limited(1), times=1)
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    scene.run_until_idle_for_real(pull_request, "watching")
    assert len(scene.posts(pull_request)) == 1
    assert scene.status(pull_request)["notes"] == []


def test_a_404_right_after_the_delivery_is_not_believed_at_once(scene: Scene) -> None:
    scene.world.github_proxy.make("GET *", faults.github_not_found(), times=2)
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    scene.pass_time(timedelta(seconds=10))
    assert len(scene.posts(pull_request)) == 1


def test_a_404_that_lasts_ends_the_watch_without_a_channel(scene: Scene) -> None:
    scene.world.github_proxy.make("GET *", faults.github_not_found())
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    scene.pass_time(timedelta(seconds=30))
    assert scene.outcome(pull_request) == "gone"
    assert scene.channels(pull_request) == []


def test_a_workspace_that_forbids_channels_ends_the_watch_and_a_label_does_not_begin_it_again(scene: Scene) -> None:
    scene.world.slack_proxy.make("conversations.create", faults.slack_error("restricted_action"))
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    assert scene.outcome(pull_request) == "refused: restricted_action"
    pull_request.rename("Another title")
    scene.hear(pull_request, "edited")
    assert len(scene.world.slack_proxy.calls("conversations.create")) == 1
    scene.world.slack_proxy.mend()
    scene.hear(pull_request, "reopened")
    assert len(scene.posts(pull_request)) == 1


@pytest.mark.parametrize("method", ["conversations.setTopic", "bookmarks.add", "conversations.setPurpose"])
def test_what_a_channel_can_do_without_is_noted_and_not_insisted_on(scene: Scene, method: str) -> None:
    scene.world.slack_proxy.make(method, faults.slack_error("missing_scope"))
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    assert len(scene.posts(pull_request)) == 1
    [note] = scene.status(pull_request)["notes"]
    assert f"{method}: missing_scope" in note


def test_a_revoked_token_parks_the_watch_and_it_goes_on_when_it_is_mended(scene: Scene) -> None:
    scene.world.slack_proxy.make("*", faults.slack_error("invalid_auth"))
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    assert scene.describe(pull_request).state == "parked"
    [gate] = scene.worker.client.gates()
    assert gate.name == "slack"
    assert "invalid_auth" in gate.reason
    scene.world.slack_proxy.mend()
    scene.worker.client.open_gate("slack")
    scene.run()
    assert len(scene.posts(pull_request)) == 1


def test_a_rename_of_the_repository_opens_no_second_channel(scene: Scene) -> None:
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    renamed = pull_request_delivery(pull_request, "labeled")
    repository = renamed.payload["pull_request"]["base"]["repo"]
    repository["name"], repository["full_name"] = "api-new", "acme/api-new"
    scene.deliver(renamed)
    scene.run()
    assert len(scene.world.slack.channels()) == len({channel.name for channel in scene.world.slack.channels()})
    assert scene.world.slack.channels_of("acme/api-new", pull_request.number) == []
    assert len(scene.posts(pull_request)) == 1


def test_a_channel_we_created_for_another_pull_request_is_not_adopted(scene: Scene) -> None:
    pull_request = scene.open()
    name = f"pr-api-{pull_request.number}-add-a-cache"
    slack: SlackClient = scene.resources[Slack]
    other = slack.create_channel(name, private=False)
    slack.set_purpose(other.id, f"Vigil watches {pull_request.url}0 here.")
    scene.hear(pull_request, "opened")
    assert [channel.name for channel in scene.channels(pull_request)] == [name, f"{name}-2"]


def test_a_channel_we_created_and_had_no_time_to_furnish_is_adopted(scene: Scene) -> None:
    pull_request = scene.open()
    slack: SlackClient = scene.resources[Slack]
    left = slack.create_channel(f"pr-api-{pull_request.number}-add-a-cache", private=False)
    scene.hear(pull_request, "opened")
    assert scene.channel(pull_request).id == left.id
    assert len(scene.posts(pull_request)) == 1


def test_a_channel_that_another_watch_holds_is_not_adopted(scene: Scene) -> None:
    pull_request = scene.open()
    name = f"pr-api-{pull_request.number}-add-a-cache"
    slack: SlackClient = scene.resources[Slack]
    held = slack.create_channel(name, private=False)
    with scene.database.engine.begin() as connection:
        register_pull_request.function(connection, "pr:github.com:other:api:1", OPEN)
        assert hold_channel.function(connection, "pr:github.com:other:api:1", held.id, name)
    scene.hear(pull_request, "opened")
    assert [channel.name for channel in scene.channels(pull_request)] == [name, f"{name}-2"]


def test_a_title_that_calls_everybody_pings_nobody(scene: Scene) -> None:
    pull_request = scene.open("<!channel> & <@U1>")
    scene.hear(pull_request, "opened")
    scene.pass_time(HOUR + timedelta(minutes=4))
    for post in scene.posts(pull_request):
        assert "&lt;!channel&gt; &amp; &lt;@U1&gt;" in post.words
        assert "<!" not in post.words
