"""What the watch does in Slack: activities, each of them certain to happen once however often we crash in its middle."""

from durable import Found, info, serializable
from handlers.messages.channel import names_pull_request
from handlers.outside import outward, slack, verified
from integrations.slack.api import Channel, Invited, Message, NameTaken

serializable(Channel, Message)

LONG_LOOK_S = 30.0
"""A channel is looked for in the list of all channels: twenty pages of a thousand fit in here."""


def find_created(name: str, private: bool, url: str) -> Found[Channel | None] | None:
    """The channel that this call was to create, if it is there: created by us, alive, not for another pull request."""
    del private  # whatever it was created as, it is this one
    channel = _ours(name, url)
    return Found(channel) if channel else None


@verified(find_created, timeout=LONG_LOOK_S)
def create_channel(name: str, private: bool, url: str) -> Channel | None:
    """Create the channel for the pull request at `url`. None: the name is taken, perhaps by ourselves."""
    del url
    try:
        return slack().create_channel(name, private=private, timeout=info().timeout)
    except NameTaken:
        return None


@outward(timeout=LONG_LOOK_S)
def adopt_channel(name: str, url: str) -> Channel | None:
    """The channel of this name if we created it for the pull request at `url` before. None: the name belongs to
    somebody else, or to an archived channel."""
    return _ours(name, url)


def _ours(name: str, url: str) -> Channel | None:
    channel = slack().find_channel(name, timeout=info().timeout)
    if channel is None or channel.archived or not channel.is_member:
        return None
    if channel.creator != slack().identity(timeout=info().timeout).user_id:
        return None
    # No purpose yet: it was created in the moment of a crash. Whether for this pull request or for one whose names
    # are alike, the records decide: one workflow holds a channel.
    return channel if not channel.purpose or names_pull_request(channel.purpose, url) else None


def find_posted(channel_id: str, message: Message, since: str | None) -> Found[str] | None:
    """The timestamp of the message that this call was to post, if it was posted."""
    del message  # it is known by its key
    timestamp = slack().find_message(channel_id, info().key, since=since, timeout=info().timeout)
    return Found(timestamp) if timestamp else None


@verified(find_posted)
def post_message(channel_id: str, message: Message, since: str | None) -> str:
    """Post; returns the message's timestamp. `since` is the timestamp of our message before this one: from there on
    it is looked for, should the answer be lost."""
    del since
    return slack().post(channel_id, message, key=info().key, timeout=info().timeout)


@outward()
def delete_message(channel_id: str, timestamp: str) -> None:
    """Delete one of our messages."""
    slack().delete(channel_id, timestamp, timeout=info().timeout)


@outward()
def invite(channel_id: str, user_id: str) -> Invited:
    """Invite one person."""
    return slack().invite(channel_id, user_id, timeout=info().timeout)


@outward()
def set_purpose(channel_id: str, purpose: str) -> None:
    """Say what the channel is for."""
    slack().set_purpose(channel_id, purpose, timeout=info().timeout)


@outward()
def set_topic(channel_id: str, topic: str) -> None:
    """Set the channel's topic."""
    slack().set_topic(channel_id, topic, timeout=info().timeout)


@outward()
def add_bookmark(channel_id: str, title: str, link: str) -> None:
    """Bookmark a link in the channel."""
    slack().add_bookmark(channel_id, title, link, timeout=info().timeout)


@outward()
def archive(channel_id: str) -> None:
    """Archive the channel."""
    slack().archive(channel_id, timeout=info().timeout)
