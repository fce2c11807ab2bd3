"""What `/vigil …` says of real watches."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.demo.slack_world import ADMIN_USER
from handlers.commands import answer
from handlers.sight import RecordedSight
from integrations.slack.api import Slack, SlashCommand
from tests.integration.watch.conftest import HOUR, Scene
from tests.support import faults


def said(scene: Scene, text: str, *, user: str = ADMIN_USER, channel: str = "C0ELSEWHERE") -> str:
    """Everything a person reads in the answer."""
    sight = RecordedSight(scene.database, scene.resources[Slack], scene.policy)
    reply = answer(SlashCommand(text=text, user_id=user, channel_id=channel), sight)
    return repr(reply.blocks)


def test_status_tells_whose_move_it_is_and_when_the_next_reminder_comes(scene: Scene) -> None:
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    scene.pass_time(timedelta(minutes=30))
    for text, channel in (
        (f"status ACME/api#{pull_request.number}", "C0ELSEWHERE"),
        (f"status {pull_request.url}", "C0ELSEWHERE"),
        ("status", scene.channel(pull_request).id),
    ):
        answered = said(scene, text, channel=channel)
        assert "ada: review requested" in answered
        assert "is watched" in answered
        assert any(f"in {minutes} min" in answered for minutes in (29, 30, 31, 32, 33))


def test_list_names_what_is_watched_and_leaves_out_what_ended(scene: Scene) -> None:
    first, second = scene.open("Stays"), scene.open("Ends")
    scene.hear(first, "opened")
    scene.hear(second, "opened")
    second.merge()
    scene.hear(second, "closed")
    scene.pass_time(timedelta(seconds=6))
    answered = said(scene, "list")
    assert "Stays" in answered
    assert "Ends" not in answered
    assert "ended: merged" in said(scene, f"status {second}")


def test_a_reminder_a_snooze_and_a_wake_reach_the_watch(scene: Scene) -> None:
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    channel = scene.channel(pull_request).id
    assert "posted in a moment" in said(scene, "remind", channel=channel)
    scene.run()
    assert scene.status(pull_request)["reminders_sent"] == 1
    due = scene.status(pull_request)["next_reminder_at"]
    assert "nobody is reminded for 2 d" in said(scene, f"snooze {pull_request} 2d")
    scene.run()
    assert scene.status(pull_request)["snoozed"]["by"] == f"slack:{ADMIN_USER}"
    assert "(snoozed)" in said(scene, "status", channel=channel)
    assert "reminders come as before" in said(scene, f"wake {pull_request}")
    scene.run()
    assert scene.status(pull_request)["next_reminder_at"] == due
    pull_request.merge()
    scene.hear(pull_request, "closed")
    scene.pass_time(timedelta(seconds=6))
    assert "nothing was changed" in said(scene, f"remind {pull_request}")


def test_admin_status_shows_a_closed_gate_with_its_reason(scene: Scene) -> None:
    scene.world.slack_proxy.make("conversations.*", faults.slack_error("invalid_auth"))
    scene.hear(scene.open(), "opened")
    answered = said(scene, "admin status")
    assert "Slack token refused" in answered
    assert "invalid_auth" in answered
    assert "1 parked" in answered


def test_admin_status_shows_what_ended_early_with_its_reason(scene: Scene) -> None:
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    scene.world.slack.archive_as_admin(scene.channel(pull_request).id)
    scene.pass_time(HOUR + timedelta(minutes=4))
    answered = said(scene, "admin status")
    assert str(pull_request) in answered
    assert "channel lost: is_archived" in answered


@pytest.mark.parametrize(("admins", "allowed"), [((), False), (("U0SOMEBODY",), True)])
def test_admin_status_is_refused_to_whoever_has_no_role(scene: Scene, admins: tuple[str, ...], allowed: bool) -> None:
    scene.policy = replace(scene.policy, admins=admins)
    user = "U0SOMEBODY" if admins else scene.world.slack.people()["ada"]
    assert ("How Vigil is doing" in said(scene, "admin status", user=user)) is allowed


def test_when_slack_refuses_the_token_admin_status_says_that(scene: Scene) -> None:
    scene.world.slack_proxy.make("*", faults.slack_error("invalid_auth"))
    assert "invalid_auth" in said(scene, "admin status")
