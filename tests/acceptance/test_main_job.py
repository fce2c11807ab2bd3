"""The main job, on real parts: a pull request becomes a channel, reminders, and an archived channel."""

import re

from bot.demo.bot_process import BotProcess
from bot.demo.slack_world import BOT_USER, Channel, Message
from bot.demo.waiting import eventually
from tests.support.deliveries import pull_request_delivery, review_request_removed
from tests.support.world import World

REMINDER = re.compile(r"\breminder (\d+)\b")


def posts(world: World, channel: Channel) -> list[Message]:
    return world.slack.posts(channel.id)


def reminders(world: World, channel: Channel) -> list[Message]:
    return [message for message in posts(world, channel) if REMINDER.search(message.words)]


def the_reminder(world: World, channel: Channel, number: int, within: float = 10) -> Message:
    """The reminder with this number, as soon as it stands in the channel."""

    def standing() -> Message | None:
        return next((each for each in reminders(world, channel) if f"reminder {number}" in each.words), None)

    return eventually(standing, within=within)


def mention(world: World, name: str) -> str:
    return f"<@{world.slack.people()[name]}>"


def is_archived(world: World, channel: Channel) -> bool:
    return next(each for each in world.slack.channels() if each.id == channel.id).archived


def test_a_pull_request_is_watched_from_its_opening_to_its_merge(world: World, bot: BotProcess) -> None:
    pull_request = world.github.open_pull_request("Add retries", reviewers=["ada"])
    channel = world.channel_of("acme/api", pull_request.number)
    assert channel.name == f"pr-api-{pull_request.number}-add-retries"
    assert (channel.private, channel.creator) == (False, BOT_USER)

    eventually(lambda: world.slack.members(channel.id) == {"vigil", "octocat", "ada"})
    eventually(lambda: any("Add retries" in message.words for message in posts(world, channel)))
    eventually(lambda: world.slack.bookmarks(channel.id))
    assert world.slack.bookmarks(channel.id)[0]["link"] == pull_request.url
    assert "Add retries" in world.channel_of("acme/api", pull_request.number).topic

    first = the_reminder(world, channel, 1)
    assert mention(world, "ada") in first.words
    assert mention(world, "octocat") not in first.words
    the_reminder(world, channel, 2)
    eventually(lambda: len(reminders(world, channel)) == 1)

    pull_request.merge()
    eventually(lambda: is_archived(world, channel))
    assert "merged" in posts(world, channel)[-1].words
    applied = [call.key for call in world.slack_proxy.calls("chat.postMessage", applied=True)]
    assert len(applied) == len(set(applied))
    assert None not in applied
    assert len(world.slack_proxy.calls("conversations.create", applied=True)) == 1


def test_a_pull_request_closed_unmerged_ends_the_same_way(world: World, bot: BotProcess) -> None:
    pull_request = world.github.open_pull_request()
    channel = world.channel_of("acme/api", pull_request.number)
    pull_request.close()
    eventually(lambda: is_archived(world, channel))
    assert "closed" in posts(world, channel)[-1].words


def test_a_private_repository_gets_a_private_channel(world: World, bot: BotProcess) -> None:
    pull_request = world.github.open_pull_request(repository="acme/vault", reviewers=["grace"])
    channel = world.channel_of("acme/vault", pull_request.number)
    assert channel.private
    eventually(lambda: "grace" in world.slack.members(channel.id))


def test_requested_changes_make_it_the_authors_move(world: World, bot: BotProcess) -> None:
    pull_request = world.github.open_pull_request(reviewers=["ada"])
    channel = world.channel_of("acme/api", pull_request.number)
    pull_request.review("ada", "REQUEST_CHANGES")
    reminder = the_reminder(world, channel, 1)
    assert mention(world, "octocat") in reminder.words
    assert mention(world, "ada") not in reminder.words


def test_an_approval_makes_it_the_authors_move(world: World, bot: BotProcess) -> None:
    pull_request = world.github.open_pull_request(reviewers=["ada"])
    channel = world.channel_of("acme/api", pull_request.number)
    pull_request.review("ada", "APPROVE")
    assert mention(world, "octocat") in the_reminder(world, channel, 1).words


def test_a_late_reviewer_is_invited(world: World, bot: BotProcess) -> None:
    pull_request = world.github.open_pull_request()
    channel = world.channel_of("acme/api", pull_request.number)
    eventually(lambda: "octocat" in world.slack.members(channel.id))
    pull_request.request_review("margaret")
    eventually(lambda: "margaret" in world.slack.members(channel.id))


def test_somebody_no_longer_asked_is_no_longer_reminded(world: World, bot: BotProcess) -> None:
    pull_request = world.github.open_pull_request(reviewers=["ada", "grace"])
    channel = world.channel_of("acme/api", pull_request.number)
    pull_request.withdraw_review_request("ada")
    world.send(review_request_removed(pull_request, "ada")).raise_for_status()
    reminder = the_reminder(world, channel, 1)
    assert mention(world, "grace") in reminder.words
    assert mention(world, "ada") not in reminder.words


def test_somebody_without_a_slack_account_is_named_without_a_ping(world: World, bot: BotProcess) -> None:
    pull_request = world.github.open_pull_request(author="stranger", from_fork=True)
    channel = world.channel_of("acme/api", pull_request.number)
    reminder = the_reminder(world, channel, 1)
    assert "stranger" in reminder.words
    assert "<@" not in reminder.words


def test_words_from_github_ping_nobody(world: World, bot: BotProcess) -> None:
    pull_request = world.github.open_pull_request("<!channel> & <@U000000001>")
    channel = world.channel_of("acme/api", pull_request.number)
    the_reminder(world, channel, 1)
    everything = "\n".join(message.words for message in posts(world, channel))
    assert "<!channel>" not in everything
    assert "<@U000000001>" not in everything
    assert "&lt;!channel&gt; &amp;" in everything


def test_a_draft_waits_until_it_is_ready_for_review(world: World, bot: BotProcess) -> None:
    pull_request = world.github.open_pull_request(draft=True)
    marker = world.github.open_pull_request("Opened after it")
    world.channel_of("acme/api", marker.number)
    assert world.slack.channels_of("acme/api", pull_request.number) == []
    pull_request.set_draft(draft=False)
    world.send(pull_request_delivery(pull_request, "ready_for_review")).raise_for_status()
    world.channel_of("acme/api", pull_request.number)


def test_a_pull_request_opened_before_the_bot_was_there_is_watched_from_its_next_delivery(
    world: World, bot: BotProcess
) -> None:
    with world.github.deliveries_lost():
        pull_request = world.github.open_pull_request("Older than the bot")
    pull_request.request_review("ada")
    world.channel_of("acme/api", pull_request.number)


def test_a_lost_closed_is_noticed_at_the_next_reminder(world: World, bot: BotProcess) -> None:
    pull_request = world.github.open_pull_request()
    channel = world.channel_of("acme/api", pull_request.number)
    with world.github.deliveries_lost():
        pull_request.merge()
    eventually(lambda: is_archived(world, channel))
    assert reminders(world, channel) == []


def test_a_reopened_pull_request_is_watched_again(world: World, bot: BotProcess) -> None:
    pull_request = world.github.open_pull_request("Twice")
    first = world.channel_of("acme/api", pull_request.number)
    pull_request.close()
    eventually(lambda: is_archived(world, first))
    pull_request.reopen()
    open_ones = eventually(
        lambda: [each for each in world.slack.channels_of("acme/api", pull_request.number) if not each.archived]
    )
    assert len(open_ones) == 1
    the_reminder(world, open_ones[0], 1)
