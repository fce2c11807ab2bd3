"""A watched pull request is reminded of, once an interval, and whoever's move it is."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from config.policy import Policy, Reminders
from durable.testing import advance
from tests.integration.watch.conftest import HOUR, Scene
from tests.support.deliveries import pull_request_delivery, review_delivery

SLACK = timedelta(minutes=3, seconds=1)  # 5 % of an hour, and a second


def test_a_pull_request_gets_a_channel_a_summary_and_its_people(scene: Scene) -> None:
    pull_request = scene.open(reviewers=("ada", "grace"))
    scene.hear(pull_request, "opened")
    channel = scene.channel(pull_request)
    assert channel.name == f"pr-api-{pull_request.number}-add-a-cache"
    assert pull_request.url in channel.purpose
    assert "Add a cache" in channel.topic
    assert scene.world.slack.members(channel.id) == {"vigil", "octocat", "ada", "grace"}
    assert [bookmark["link"] for bookmark in scene.world.slack.bookmarks(channel.id)] == [pull_request.url]
    [summary] = scene.posts(pull_request)
    assert "Add a cache" in summary.words
    assert scene.status(pull_request)["phase"] == "watching"


def test_reminders_come_once_an_interval_and_one_at_a_time(scene: Scene) -> None:
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    scene.pass_time(HOUR - timedelta(seconds=1))
    assert len(scene.posts(pull_request)) == 1
    scene.pass_time(SLACK)
    assert len(scene.posts(pull_request)) == 2
    assert scene.texts(pull_request)[1].startswith("1st reminder, waiting 1 h")
    scene.pass_time(2 * (HOUR + SLACK))
    texts = scene.texts(pull_request)
    assert len(texts) == 2
    assert texts[1].startswith("3rd reminder, waiting 3 h")


def test_after_a_long_downtime_one_reminder_comes_and_the_next_an_interval_later(scene: Scene) -> None:
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    advance(scene.database, timedelta(hours=30))
    scene.run()
    assert scene.texts(pull_request)[1].startswith("1st reminder, waiting 1 d 6 h")
    scene.pass_time(HOUR - timedelta(seconds=1))
    assert scene.status(pull_request)["reminders_sent"] == 1
    scene.pass_time(SLACK)
    assert scene.status(pull_request)["reminders_sent"] == 2


def test_reminders_name_whoevers_move_it_is(scene: Scene) -> None:
    people = scene.world.slack.people()
    pull_request = scene.open(reviewers=("ada", "stranger"))
    scene.hear(pull_request, "opened")
    scene.pass_time(HOUR + SLACK)
    first = scene.posts(pull_request)[-1].words
    assert f"<@{people['ada']}>" in first
    assert "*stranger*" in first
    assert people["octocat"] not in first

    pull_request.review("ada", "REQUEST_CHANGES")
    pull_request.withdraw_review_request("stranger")
    scene.pass_time(HOUR + SLACK)
    second = scene.posts(pull_request)[-1].words
    assert f"<@{people['octocat']}>" in second
    assert "Changes were requested" in second
    assert people["ada"] not in second


def test_a_review_delivery_moves_the_turn_at_once(scene: Scene) -> None:
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    assert scene.status(pull_request)["turn"]["who"] == ["ada"]
    pull_request.review("ada", "APPROVE")
    scene.deliver(review_delivery(pull_request, "ada", "approved"))
    scene.run()
    assert scene.status(pull_request)["turn"] == {"who": ["octocat"], "teams": [], "reason": "approved"}


def test_late_reviewers_are_invited_whether_they_were_announced_or_not(scene: Scene) -> None:
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    pull_request.request_review("grace")
    scene.hear(pull_request, "review_requested")
    assert "grace" in scene.world.slack.members(scene.channel(pull_request).id)
    pull_request.request_review("margaret")
    scene.pass_time(HOUR + SLACK)
    assert "margaret" in scene.world.slack.members(scene.channel(pull_request).id)


def test_people_of_the_policy_are_found_by_id_and_by_address(scene: Scene) -> None:
    people = scene.world.slack.people()
    scene.use(Policy(people={"Stranger": people["grace"], "ada": "Margaret@example.com"}))
    pull_request = scene.open(reviewers=("stranger", "ada"))
    scene.hear(pull_request, "opened")
    assert scene.world.slack.members(scene.channel(pull_request).id) == {"vigil", "octocat", "grace", "margaret"}


def test_one_bad_invitation_loses_none_of_the_others(scene: Scene) -> None:
    scene.use(Policy(people={"ada": "U0NOBODY00"}))
    pull_request = scene.open(reviewers=("ada", "grace"))
    scene.hear(pull_request, "opened")
    assert scene.world.slack.members(scene.channel(pull_request).id) == {"vigil", "octocat", "grace"}
    assert scene.status(pull_request)["notes"] == ["ada: cannot be invited"]


def test_a_draft_pauses_reminders_and_ready_for_review_starts_the_interval_afresh(scene: Scene) -> None:
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    scene.pass_time(HOUR + SLACK)
    pull_request.set_draft(draft=True)
    scene.hear(pull_request, "converted_to_draft")
    assert [text for text in scene.texts(pull_request) if "reminder" in text] == []
    assert scene.status(pull_request)["phase"] == "paused"
    scene.pass_time(5 * HOUR)
    assert "a draft again" in scene.texts(pull_request)[-1]

    pull_request.set_draft(draft=False)
    scene.hear(pull_request, "ready_for_review")
    assert "ready for review" in scene.texts(pull_request)[-1]
    scene.pass_time(HOUR - timedelta(seconds=1))
    assert scene.status(pull_request)["reminders_sent"] == 1
    scene.pass_time(SLACK)
    assert scene.texts(pull_request)[-1].startswith("2nd reminder, waiting 1 h")


def test_a_pause_and_a_return_that_nobody_announced_are_noticed_at_the_next_due_time(scene: Scene) -> None:
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    pull_request.set_draft(draft=True)
    scene.pass_time(HOUR + SLACK)
    assert scene.status(pull_request)["phase"] == "paused"
    pull_request.set_draft(draft=False)
    scene.pass_time(HOUR + SLACK)
    assert scene.status(pull_request)["phase"] == "watching"


def test_an_ordinary_delivery_does_not_move_the_next_reminder(scene: Scene) -> None:
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    due = scene.status(pull_request)["next_reminder_at"]
    scene.pass_time(HOUR / 2)
    pull_request.rename("Add a bigger cache")
    scene.hear(pull_request, "edited")
    assert scene.status(pull_request)["next_reminder_at"] == due
    assert scene.status(pull_request)["title"] == "Add a bigger cache"


def test_the_interval_is_the_policys_and_a_change_holds_from_the_next_reminder_on(scene: Scene) -> None:
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    scene.use(replace(scene.policy, reminders=Reminders(every=timedelta(minutes=10))))
    scene.pass_time(HOUR + SLACK)
    before = scene.status(pull_request)["reminders_sent"]
    scene.pass_time(timedelta(minutes=11))
    assert scene.status(pull_request)["reminders_sent"] == before + 1


def test_the_history_stays_small_however_often_it_wakes_and_whoever_takes_part(
    scene: Scene, at_every_point: Callable[[Callable[[str], None]], None]
) -> None:
    pull_request = scene.open(reviewers=())
    crowd = [{"login": f"reviewer-{number}", "id": number, "type": "User"} for number in range(15)]
    later = {"requested_reviewers": crowd, "updated_at": "2099-01-01T00:00:00Z"}
    lengths = []

    def measure(point: str) -> None:
        if point.startswith("call.before"):
            lengths.append(scene.describe(pull_request).history_length)

    at_every_point(measure)
    scene.hear(pull_request, "opened", changes=later)
    assert len(scene.status(pull_request)["turn"]["who"]) == 15
    for number in range(20):
        scene.deliver(pull_request_delivery(pull_request, "labeled", changes=later | {"title": f"Title {number}"}))
        scene.run()
    scene.pass_time(10 * HOUR)
    assert scene.describe(pull_request).unread_signals == 0
    assert len(lengths) > 60
    assert max(lengths) <= 25
