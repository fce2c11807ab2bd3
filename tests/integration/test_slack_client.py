"""Our Slack client against the stand-in: what each method does when all goes well, seen from Slack's side."""

from collections.abc import Callable
from threading import Thread

import pytest

from bot.demo.slack_world import ADMIN_USER, BOT_USER
from bot.demo.standins import SLACK_BOT_TOKEN
from integrations.slack.api import Channel, ChannelGone, Message, NameTaken, Refused, Slack
from integrations.slack.client import SlackClient
from tests.support.world import World

HELLO = Message("Hello", ({"type": "section", "text": {"type": "mrkdwn", "text": "*Hello*"}},))


@pytest.fixture
def slack(world: World) -> Slack:
    return SlackClient(SLACK_BOT_TOKEN, base_url=f"{world.slack_proxy.url}/api/")


@pytest.fixture
def channel(slack: Slack) -> Channel:
    return slack.create_channel("pr-api-1-add-a-thing", private=False)


def test_the_bot_knows_who_it_is(slack: Slack) -> None:
    identity = slack.identity()
    assert (identity.user_id, identity.bot_id, identity.team) == (BOT_USER, "B0VIGIL000", "Acme")


def test_who_it_is_is_asked_of_slack_each_time_and_once_for_all_searches(
    world: World, slack: Slack, channel: Channel
) -> None:
    for _ in range(3):
        slack.find_message(channel.id, "k", since=None)
    assert len(world.slack_proxy.calls("auth.test")) == 1
    slack.identity()
    assert len(world.slack_proxy.calls("auth.test")) == 2


@pytest.mark.parametrize("private", [False, True])
def test_a_channel_is_created_public_or_private(world: World, slack: Slack, private: bool) -> None:
    made = slack.create_channel("pr-api-1", private=private)
    assert made == Channel(made.id, "pr-api-1", creator=BOT_USER, private=private)
    [seen] = world.slack.channels_of("acme/api", 1)
    assert (seen.id, seen.private, seen.creator) == (made.id, private, BOT_USER)


def test_a_name_that_is_taken_says_so_also_when_its_channel_is_archived(slack: Slack, channel: Channel) -> None:
    with pytest.raises(NameTaken):
        slack.create_channel(channel.name, private=False)
    slack.archive(channel.id)
    with pytest.raises(NameTaken):
        slack.create_channel(channel.name, private=True)


def test_a_name_slack_does_not_take_is_refused(slack: Slack) -> None:
    with pytest.raises(Refused, match=r"conversations\.create: invalid_name"):
        slack.create_channel("!!!", private=False)


def test_a_channel_is_found_by_its_exact_name_archived_or_not(slack: Slack, channel: Channel) -> None:
    assert slack.find_channel(channel.name) == channel
    assert slack.find_channel("pr-api-1-add-a") is None
    slack.archive(channel.id)
    found = slack.find_channel(channel.name)
    assert found
    assert (found.id, found.archived) == (channel.id, True)


def test_a_private_channel_is_found(slack: Slack) -> None:
    made = slack.create_channel("pr-vault-1", private=True)
    assert slack.find_channel("pr-vault-1") == made


def test_channels_are_searched_to_the_last_page(
    world: World, slack: Slack, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.slack.channels._MOST_CHANNELS", 1)
    assert slack.find_channel(channel.name) == channel
    assert len(world.slack_proxy.calls("conversations.list")) == len(world.slack.channels())
    assert slack.find_channel("nowhere") is None


def test_a_channel_is_described(world: World, slack: Slack, channel: Channel) -> None:
    slack.set_purpose(channel.id, "vigil acme/api#1")
    assert slack.channel(channel.id).purpose == "vigil acme/api#1"
    world.slack.remove_bot(channel.id)
    assert not slack.channel(channel.id).is_member


def test_a_channel_that_is_not_there_is_gone(slack: Slack) -> None:
    with pytest.raises(ChannelGone, match="channel_not_found"):
        slack.channel("C0NOWHERE0")


def test_people_are_invited_once(world: World, slack: Slack, channel: Channel) -> None:
    ada = world.slack.people()["ada"]
    assert slack.invite(channel.id, ada) == "invited"
    assert slack.invite(channel.id, ada) == "already_there"
    assert slack.invite(channel.id, BOT_USER) == "already_there"
    assert slack.invite(channel.id, "U0NOBODY00") == "impossible"
    assert slack.members(channel.id) == {BOT_USER, ada}


def test_nobody_is_invited_to_a_channel_that_is_archived(slack: Slack, channel: Channel) -> None:
    slack.archive(channel.id)
    with pytest.raises(ChannelGone, match="is_archived"):
        slack.invite(channel.id, ADMIN_USER)


def test_topic_and_purpose_are_cut_to_what_slack_takes(world: World, slack: Slack, channel: Channel) -> None:
    slack.set_topic(channel.id, "t" * 250)
    slack.set_purpose(channel.id, "p" * 247 + "&amp; more")
    [seen] = world.slack.channels_of("acme/api", 1)
    assert seen.topic == "t" * 250
    assert seen.purpose == "p" * 247 + "…"


def test_a_bookmark_is_added_once(world: World, slack: Slack, channel: Channel) -> None:
    for _ in range(2):
        slack.add_bookmark(channel.id, "Pull request", "https://github.com/acme/api/pull/1")
    [bookmark] = world.slack.bookmarks(channel.id)
    assert (bookmark["title"], bookmark["link"]) == ("Pull request", "https://github.com/acme/api/pull/1")


def test_a_message_carries_its_key_text_and_blocks(world: World, slack: Slack, channel: Channel) -> None:
    timestamp = slack.post(channel.id, HELLO, key="pr:1/0/3")
    [posted] = world.slack.posts(channel.id)
    assert (posted.ts, posted.text, posted.blocks) == (timestamp, "Hello", HELLO.blocks)
    assert posted.metadata == {"event_type": "vigil", "event_payload": {"key": "pr:1/0/3"}}


def test_a_message_is_found_by_its_key_from_a_time_on(slack: Slack, channel: Channel) -> None:
    first = slack.post(channel.id, HELLO, key="first")
    second = slack.post(channel.id, Message("no blocks"), key="second")
    assert slack.find_message(channel.id, "first", since=None) == first
    assert slack.find_message(channel.id, "first", since=first) == first
    assert slack.find_message(channel.id, "first", since=second) is None
    assert slack.find_message(channel.id, "second", since=first) == second
    assert slack.find_message(channel.id, "third", since=None) is None


def test_messages_are_searched_to_the_last_page_with_all_metadata(
    world: World, slack: Slack, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.slack.messages._MOST_MESSAGES", 1)
    timestamps = [slack.post(channel.id, HELLO, key=str(number)) for number in range(4)]
    assert slack.find_message(channel.id, "0", since=None) == timestamps[0]
    calls = world.slack_proxy.calls("conversations.history")
    assert len(calls) >= 4
    assert {call.arguments["include_all_metadata"] for call in calls} == {"1"}


def test_a_message_of_somebody_else_with_our_key_does_not_count(world: World, slack: Slack, channel: Channel) -> None:
    metadata = {"event_type": "vigil", "event_payload": {"key": "forged"}}
    world.slack.post_as_admin(channel.id, "forged", metadata=metadata)
    assert slack.find_message(channel.id, "forged", since=None) is None


def test_a_message_is_replaced_and_keeps_its_key(world: World, slack: Slack, channel: Channel) -> None:
    timestamp = slack.post(channel.id, HELLO, key="k")
    slack.update(channel.id, timestamp, Message("Changed"), key="k")
    [posted] = world.slack.posts(channel.id)
    assert (posted.ts, posted.text, posted.key, posted.blocks) == (timestamp, "Changed", "k", ())
    with pytest.raises(Refused, match="message_not_found"):
        slack.update(channel.id, "1.0", Message("Changed"), key="k")


def test_a_message_is_deleted_and_stays_so(world: World, slack: Slack, channel: Channel) -> None:
    timestamp = slack.post(channel.id, HELLO, key="k")
    for _ in range(2):
        slack.delete(channel.id, timestamp)
    assert world.slack.posts(channel.id) == []


def test_a_channel_is_archived_and_stays_so(world: World, slack: Slack, channel: Channel) -> None:
    for _ in range(2):
        slack.archive(channel.id)
    [seen] = world.slack.channels_of("acme/api", 1)
    assert seen.archived
    with pytest.raises(ChannelGone, match="is_archived"):
        slack.post(channel.id, HELLO, key="k")


def test_people_are_found_by_address_in_any_case(world: World, slack: Slack) -> None:
    assert slack.user_by_email(" Ada@Example.COM ") == world.slack.people()["ada"]
    assert slack.user_by_email("nobody@example.com") is None
    assert slack.user_by_email(" ") is None


def test_administrators_are_told_from_others(world: World, slack: Slack) -> None:
    assert slack.is_workspace_admin(ADMIN_USER)
    assert not slack.is_workspace_admin(world.slack.people()["ada"])
    assert not slack.is_workspace_admin("U0NOBODY00")


def test_members_are_told_from_bots_and_strangers(slack: SlackClient, world: World) -> None:
    assert slack.is_full_member(ADMIN_USER)
    assert slack.is_full_member(world.slack.people()["ada"])
    assert not slack.is_full_member("U0VIGIL000")
    assert not slack.is_full_member("U0NOBODY00")


def test_one_client_serves_many_threads(world: World, slack: Slack, channel: Channel) -> None:
    def talk(number: int) -> Callable[[], None]:
        return lambda: results.append((slack.post(channel.id, Message(str(number)), key=str(number)), str(number)))

    results: list[tuple[str, str]] = []
    threads = [Thread(target=talk(number)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(post.ts, post.key) for post in world.slack.posts(channel.id)} == set(results)
    assert len(results) == 16
