"""How a watch ends: merged, closed, gone, lost, and reopened at any moment."""

from datetime import timedelta

import pytest

from bot.demo.github_world import PullRequest
from tests.integration.watch.conftest import HOUR, Scene, with_channels
from tests.support import faults
from tests.support.deliveries import pull_request_delivery

SOON = timedelta(seconds=6)


def watched(scene: Scene) -> PullRequest:
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    return pull_request


def test_the_merge_is_announced_and_the_channel_archived_after_the_delay(scene: Scene) -> None:
    pull_request = watched(scene)
    scene.pass_time(HOUR + timedelta(minutes=4))
    pull_request.merge()
    scene.hear(pull_request, "closed", sender="octocat")
    people = scene.world.slack.people()
    last = scene.posts(pull_request)[-1].words
    assert f"was *merged* by <@{people['octocat']}>" in last
    assert not any("reminder" in text for text in scene.texts(pull_request))
    assert not scene.channel(pull_request).archived
    scene.pass_time(SOON)
    assert scene.channel(pull_request).archived
    assert scene.outcome(pull_request) == "merged"
    assert scene.status(pull_request)["outcome"] == "merged"


def test_closing_without_a_merge_is_said_so(scene: Scene) -> None:
    pull_request = watched(scene)
    pull_request.close()
    scene.hear(pull_request, "closed")
    scene.pass_time(SOON)
    assert scene.outcome(pull_request) == "closed"
    assert "closed without merging" in scene.posts(pull_request)[-1].words


def test_a_close_that_nobody_announced_is_found_instead_of_a_reminder(scene: Scene) -> None:
    pull_request = watched(scene)
    pull_request.merge()
    scene.pass_time(HOUR + timedelta(minutes=4))
    assert scene.outcome(pull_request) == "merged"
    assert not any("reminder" in text for text in scene.texts(pull_request))


@pytest.mark.parametrize(
    ("fault", "outcome"), [(faults.github_not_found(), "gone"), (faults.github_forbidden(), "forbidden")]
)
def test_what_github_no_longer_shows_is_no_longer_watched(scene: Scene, fault: faults.Fault, outcome: str) -> None:
    pull_request = watched(scene)
    scene.world.github_proxy.make("GET *", fault)
    scene.pass_time(HOUR + timedelta(minutes=4))
    assert scene.outcome(pull_request) == outcome
    assert "no longer" in scene.posts(pull_request)[-1].text
    assert scene.channel(pull_request).archived


def test_reopened_before_the_channel_is_archived_goes_on_in_it(scene: Scene) -> None:
    pull_request = watched(scene)
    scene.pass_time(2 * HOUR)
    pull_request.close()
    scene.hear(pull_request, "closed")
    pull_request.reopen()
    scene.hear(pull_request, "reopened")
    assert "was reopened" in scene.texts(pull_request)[-1]
    scene.pass_time(HOUR - timedelta(seconds=1))
    assert not scene.channel(pull_request).archived
    scene.pass_time(timedelta(minutes=4))
    assert scene.texts(pull_request)[-1].startswith("1st reminder, waiting 1 h")


def test_closed_and_reopened_at_once_leaves_it_watched_in_one_channel(scene: Scene) -> None:
    pull_request = watched(scene)
    pull_request.close()
    closed = pull_request_delivery(pull_request, "closed")
    pull_request.reopen()
    scene.deliver(closed, pull_request_delivery(pull_request, "reopened"))
    scene.run()
    scene.pass_time(SOON)
    assert scene.status(pull_request)["phase"] == "watching"
    assert not scene.channel(pull_request).archived


def test_reopened_after_the_archive_gets_a_new_channel_of_the_next_name(scene: Scene) -> None:
    pull_request = watched(scene)
    pull_request.close()
    scene.hear(pull_request, "closed")
    scene.pass_time(SOON)
    pull_request.reopen()
    scene.hear(pull_request, "reopened")
    first, second = scene.channels(pull_request)
    assert first.archived
    assert second.name == f"{first.name}-2"
    assert len(scene.world.slack.posts(second.id)) == 1


def test_a_reopening_that_was_lost_is_made_good_by_the_next_delivery(scene: Scene) -> None:
    pull_request = watched(scene)
    pull_request.close()
    scene.hear(pull_request, "closed")
    scene.pass_time(SOON)
    pull_request.reopen()
    scene.hear(pull_request, "synchronize")
    assert scene.status(pull_request)["phase"] == "watching"


def test_late_deliveries_after_the_merge_begin_nothing(scene: Scene) -> None:
    pull_request = scene.open()
    opened = pull_request_delivery(pull_request, "opened")
    scene.deliver(opened)
    scene.run()
    labeled = pull_request_delivery(pull_request, "labeled")
    pull_request.merge()
    scene.hear(pull_request, "closed")
    scene.pass_time(SOON)
    scene.deliver(labeled, pull_request_delivery(pull_request, "labeled"))
    scene.run()
    scene.pass_time(HOUR)
    assert len(scene.channels(pull_request)) == 1
    assert scene.outcome(pull_request) == "merged"


def test_a_channel_that_a_person_archived_ends_the_watch_at_the_next_reminder(scene: Scene) -> None:
    pull_request = watched(scene)
    scene.world.slack.archive_as_admin(scene.channel(pull_request).id)
    scene.pass_time(HOUR + timedelta(minutes=4))
    assert scene.outcome(pull_request) == "channel lost: is_archived"
    pull_request.rename("Another title")
    scene.hear(pull_request, "edited")
    assert len(scene.channels(pull_request)) == 1
    assert scene.describe(pull_request).state == "completed"


def test_a_channel_that_a_person_archived_does_not_hinder_the_end(scene: Scene) -> None:
    pull_request = watched(scene)
    scene.world.slack.archive_as_admin(scene.channel(pull_request).id)
    pull_request.merge()
    scene.hear(pull_request, "closed")
    assert scene.outcome(pull_request) == "merged"


@pytest.mark.parametrize("code", ["is_archived", "channel_not_found", "not_in_channel"])
@pytest.mark.parametrize("method", ["conversations.setPurpose", "conversations.invite", "chat.postMessage"])
def test_a_channel_lost_in_the_middle_of_the_opening_ends_the_watch(scene: Scene, method: str, code: str) -> None:
    scene.world.slack_proxy.make(method, faults.slack_error(code))
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    assert scene.outcome(pull_request) == f"channel lost: {code}"
    calls = len(scene.world.slack_proxy.calls())
    scene.pass_time(24 * HOUR)
    assert len(scene.world.slack_proxy.calls()) == calls


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.delete", "conversations.archive"])
def test_a_channel_lost_in_the_middle_of_the_closing_changes_nothing_about_the_end(scene: Scene, method: str) -> None:
    pull_request = watched(scene)
    scene.pass_time(HOUR + timedelta(minutes=4))
    scene.world.slack_proxy.make(method, faults.slack_error("channel_not_found"))
    pull_request.merge()
    scene.hear(pull_request, "closed")
    scene.pass_time(SOON)
    assert scene.outcome(pull_request) == "merged"


def test_a_closing_message_whose_answer_is_lost_is_posted_once(scene: Scene) -> None:
    pull_request = watched(scene)
    scene.world.slack_proxy.make("chat.postMessage", faults.lost_answer(), times=1)
    pull_request.merge()
    scene.hear(pull_request, "closed")
    scene.run_until_idle_for_real(pull_request, "closing")
    scene.pass_time(SOON)
    assert sum("was merged" in text for text in scene.texts(pull_request)) == 1
    assert scene.outcome(pull_request) == "merged"


def test_without_a_delay_the_channel_is_archived_at_once(scene: Scene) -> None:
    scene.use(with_channels(archive_after=timedelta(0)))
    pull_request = watched(scene)
    pull_request.merge()
    scene.hear(pull_request, "closed")
    assert scene.outcome(pull_request) == "merged"
    assert scene.channel(pull_request).archived
