"""What can be seen and done in Slack, over the stand-in's own Web API and not through the bot."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.demo import rest

BOT_USER = "U0VIGIL000"
ADMIN_USER = "U000000001"

# The bot's own eyes (private channels too), with a rate limit apart from the bot's.
_OBSERVER = "xoxb-stand-in-observer"
_ADMIN = "xoxp-stand-in-admin"
_PAGE = 1000


class SlackWorldError(Exception):
    """The stand-in said `ok: false`; the message names the method and Slack's word for why."""


@dataclass(frozen=True)
class Channel:
    """A channel as Slack shows it to the bot."""

    id: str
    name: str
    creator: str
    archived: bool
    private: bool
    topic: str
    purpose: str


@dataclass(frozen=True)
class Message:
    """A message that is there now (a deleted one is not). `key` is Vigil's, from the metadata."""

    ts: str
    user: str
    text: str
    key: str | None
    subtype: str | None = None
    blocks: tuple[dict[str, Any], ...] = field(default=(), compare=False)
    metadata: dict[str, Any] | None = field(default=None, compare=False)

    @property
    def at(self) -> datetime:
        """When it was posted, to the second (Slack's timestamp)."""
        return datetime.fromtimestamp(int(self.ts.split(".")[0]), UTC)

    @property
    def words(self) -> str:
        """Everything a person reads in it: the text and the texts of its blocks."""
        return "\n".join([self.text, *_texts(list(self.blocks))])


class SlackWorld:
    """The Slack stand-in at `url`. People are names of `standins/seed.json`."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def inspector(self) -> str:
        """The page on which a person sees channels and messages."""
        return f"{self.url}/"

    def channels(self) -> list[Channel]:
        """Every channel that exists, archived ones too, in the order of creation."""
        found = self._pages("conversations.list", "channels", types="public_channel,private_channel")
        return [_channel(raw) for raw in found]

    def channels_of(self, repository: str, number: int) -> list[Channel]:
        """The channels named after this pull request (`acme/api`, 3): one, if all is well."""
        prefix = f"pr-{repository.split('/')[1]}-{number}"
        return [
            channel for channel in self.channels() if channel.name == prefix or channel.name.startswith(f"{prefix}-")
        ]

    def members(self, channel: str) -> set[str]:
        """Who is in the channel, by name; the bot is `vigil`."""
        names = {identity: name for name, identity in self.people().items()}
        return {names[identity] for identity in self._pages("conversations.members", "members", channel=channel)}

    def people(self) -> dict[str, str]:
        """Slack user ids by name."""
        return {raw["name"]: raw["id"] for raw in self._pages("users.list", "members")}

    def messages(self, channel: str) -> list[Message]:
        """All messages of the channel, oldest first, Slack's own notices included."""
        found = self._pages("conversations.history", "messages", channel=channel, include_all_metadata=True)
        return sorted((_message(raw) for raw in found), key=lambda message: message.ts)

    def posts(self, channel: str) -> list[Message]:
        """What the bot posted in the channel and is still there, oldest first."""
        return [message for message in self.messages(channel) if message.user == BOT_USER and not message.subtype]

    def bookmarks(self, channel: str) -> list[dict[str, Any]]:
        """The channel's bookmarks as Slack describes them."""
        found: list[dict[str, Any]] = self.call("bookmarks.list", channel_id=channel)["bookmarks"]
        return found

    def create_channel(self, name: str) -> Channel:
        """A public channel made by the workspace's administrator, not by the bot."""
        return _channel(self.call("conversations.create", token=_ADMIN, name=name)["channel"])

    def archive_as_admin(self, channel: str) -> None:
        """The administrator joins a public channel and archives it."""
        self.call("conversations.join", token=_ADMIN, channel=channel)
        self.call("conversations.archive", token=_ADMIN, channel=channel)

    def remove_bot(self, channel: str) -> None:
        """The administrator joins a public channel and removes the bot from it."""
        self.call("conversations.join", token=_ADMIN, channel=channel)
        self.call("conversations.kick", token=_ADMIN, channel=channel, user=BOT_USER)

    def post_as_admin(self, channel: str, text: str, **more: Any) -> str:
        """The administrator says something; returns the message's timestamp."""
        ts: str = self.call("chat.postMessage", token=_ADMIN, channel=channel, text=text, **more)["ts"]
        return ts

    def call(self, method: str, *, token: str = _OBSERVER, **arguments: Any) -> dict[str, Any]:
        """Any method of Slack's Web API; raises `SlackWorldError` unless it says ok."""
        answer: dict[str, Any] = rest.call(
            "POST", f"{self.url}/api/{method}", arguments, headers={"Authorization": f"Bearer {token}"}
        )
        if not answer["ok"]:
            raise SlackWorldError(f"{method}: {answer['error']}")
        return answer

    def _pages(self, method: str, items: str, **arguments: Any) -> Iterator[Any]:
        cursor = ""
        while True:
            answer = self.call(method, limit=_PAGE, cursor=cursor, **arguments)
            yield from answer[items]
            cursor = answer.get("response_metadata", {}).get("next_cursor", "")
            if not cursor:
                return


def _channel(raw: dict[str, Any]) -> Channel:
    return Channel(
        id=raw["id"],
        name=raw["name"],
        creator=raw["creator"],
        archived=raw["is_archived"],
        private=raw["is_private"],
        topic=raw["topic"]["value"],
        purpose=raw["purpose"]["value"],
    )


def _message(raw: dict[str, Any]) -> Message:
    metadata = raw.get("metadata")
    return Message(
        ts=raw["ts"],
        user=raw["user"],
        text=raw["text"],
        key=(metadata or {}).get("event_payload", {}).get("key"),
        subtype=raw.get("subtype"),
        blocks=tuple(raw.get("blocks", ())),
        metadata=metadata,
    )


def _texts(value: Any) -> Iterator[str]:
    """Every `text` inside blocks, however deep."""
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == "text" and isinstance(item, str):
                yield item
            else:
                yield from _texts(item)
