"""What must be true of a pull request's whole life, however often the bot died in it."""

import re
from collections import Counter

from bot.demo.github_world import PullRequest
from bot.demo.slack_world import Channel
from bot.demo.waiting import eventually
from tests.support.proxy import Call
from tests.support.world import World

_REMINDER = re.compile(r"\breminder (\d+)\b")


def reminder_number(call: Call) -> int | None:
    """Which reminder a `chat.postMessage` is, None for any other message."""
    found = _REMINDER.search(str(call.arguments.get("text", "")) + str(call.arguments.get("blocks", "")))
    return int(found.group(1)) if found else None


def posted(world: World, channel: Channel) -> list[Call]:
    """The messages that took effect in this channel, deleted ones too."""
    calls = world.slack_proxy.calls("chat.postMessage", applied=True)
    return [call for call in calls if call.arguments.get("channel") == channel.id]


def reminders_of(world: World, channel: Channel) -> list[Call]:
    """The reminders that took effect in this channel, deleted ones too."""
    return [call for call in posted(world, channel) if reminder_number(call) is not None]


def reminded(world: World, channel: Channel, number: int, *, within: float = 30) -> None:
    """Wait until this reminder was posted."""
    eventually(
        lambda: any(reminder_number(call) == number for call in posted(world, channel)), within=within, ignoring=()
    )


def ended(world: World, pull_request: PullRequest, *, within: float = 60) -> Channel:
    """Wait until the pull request's one channel is archived, and return it."""

    def archived() -> Channel | None:
        channel = world.channel_of(pull_request.repository, pull_request.number)
        return channel if channel.archived else None

    return eventually(archived, within=within, ignoring=())


def lived_once(world: World, pull_request: PullRequest) -> None:
    """One channel, each message once, reminders counted without a gap, one closing message, archived."""
    [channel] = world.slack.channels_of(pull_request.repository, pull_request.number)
    assert channel.archived, f"{channel} is open"
    calls = posted(world, channel)
    keys = Counter(call.key for call in calls)
    assert None not in keys
    assert max(keys.values()) == 1, f"posted twice: {[key for key, times in keys.items() if times > 1]}"
    numbers = [number for call in calls if (number := reminder_number(call)) is not None]
    assert numbers == list(range(1, len(numbers) + 1))
    closing = [message for message in world.slack.posts(channel.id) if "archived" in message.words]
    assert len(closing) == 1, closing
    assert closing[0].ts == world.slack.posts(channel.id)[-1].ts
