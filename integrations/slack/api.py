"""The words of Slack that the rest of Vigil speaks: frozen, typed, and free of any client library."""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Invited = Literal["invited", "already_there", "impossible"]


@dataclass(frozen=True)
class Channel:
    """A Slack channel. `creator` is the Slack user id of whoever created it; `topic`, `purpose` are plain text."""

    id: str
    name: str
    creator: str
    private: bool = False
    archived: bool = False
    purpose: str = ""
    is_member: bool = True


@dataclass(frozen=True)
class Message:
    """A message to post: Block Kit blocks and the plain text that notifications show. Both already escaped."""

    text: str
    blocks: tuple[dict[str, Any], ...] = field(default=())


@dataclass(frozen=True)
class Identity:
    """Who the bot token is in Slack. `scopes` as Slack names them in `X-OAuth-Scopes`."""

    user_id: str
    bot_id: str
    team: str
    team_id: str
    url: str
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Account:
    """Whose account somebody signed in with: their Slack user id, the workspace's, and their name there."""

    user_id: str
    team_id: str
    name: str


@dataclass(frozen=True)
class SlashCommand:
    """Somebody typed `/vigil …`: `text` is what follows the command, `user_id` who, `channel_id` where."""

    text: str
    user_id: str
    channel_id: str
    channel_name: str = ""
    team_id: str = ""
    trigger_id: str = ""
    response_url: str = field(default="", repr=False)


@dataclass(frozen=True)
class Reply:
    """What a slash command is answered with; seen by whoever asked alone, unless `in_channel`. Already escaped."""

    text: str
    blocks: tuple[dict[str, Any], ...] = ()
    in_channel: bool = False


class SlackError(Exception):
    """Root of what can go wrong between us and Slack."""


class Refused(SlackError):
    """Slack said no, for good: `code` is its word for why (`restricted_action`, `user_not_found` …)."""

    def __init__(self, method: str, code: str, detail: str = "") -> None:
        super().__init__(f"{method}: {code}" + (f" ({detail})" if detail else ""))
        self.method = method
        self.code = code


class NameTaken(Refused):
    """`conversations.create`: the name belongs to some channel, perhaps an archived one."""


class ChannelGone(Refused):
    """The channel is archived, deleted, or the bot was removed: `is_archived`, `channel_not_found`, `not_in_channel`."""


class Unauthorized(SlackError):
    """The token is wrong, revoked or its account inactive. Nothing works until somebody mends it."""


class RateLimited(SlackError):
    """429: come back after `retry_after` seconds. Nothing happened."""

    def __init__(self, method: str, retry_after: float) -> None:
        super().__init__(f"{method}: rate limited for {retry_after:g} s")
        self.retry_after = retry_after


class Uncertain(SlackError):
    """The call may or may not have taken effect: `internal_error`, 5xx, a broken, late or missing answer.
    `timed_out` is true when the answer did not come in time, so that the effect may still be under way."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class Unreachable(SlackError):
    """No connection was made (refused, name not resolved): nothing can have happened."""


class Slack(Protocol):
    """What Vigil asks of Slack. Every method raises only `SlackError`s, sleeps never and repeats nothing.
    `timeout` is in seconds, for the whole call."""

    def identity(self, *, timeout: float = 10) -> Identity:
        """Who we are (`auth.test`); raises `Unauthorized` for a dead token."""
        ...

    def create_channel(self, name: str, *, private: bool, timeout: float = 10) -> Channel:
        """Create a channel; raises `NameTaken`, or another `Refused` such as `restricted_action`."""
        ...

    def find_channel(self, name: str, *, timeout: float = 10) -> Channel | None:
        """The channel of exactly this name among all we can see, archived ones included; reads to the last page."""
        ...

    def channel(self, channel_id: str, *, timeout: float = 10) -> Channel:
        """One channel by id; raises `ChannelGone` when it does not exist for us."""
        ...

    def members(self, channel_id: str, *, timeout: float = 10) -> frozenset[str]:
        """The Slack user ids in the channel, to the last page."""
        ...

    def invite(self, channel_id: str, user_id: str, *, timeout: float = 10) -> Invited:
        """Invite one person. Already there is a success; somebody who cannot be invited is `impossible`."""
        ...

    def set_topic(self, channel_id: str, topic: str, *, timeout: float = 10) -> None:
        """Set the topic (cut to 250 characters)."""
        ...

    def set_purpose(self, channel_id: str, purpose: str, *, timeout: float = 10) -> None:
        """Set the purpose (cut to 250 characters)."""
        ...

    def add_bookmark(self, channel_id: str, title: str, link: str, *, timeout: float = 10) -> None:
        """Add a link bookmark unless one with this link is there already."""
        ...

    def post(self, channel_id: str, message: Message, *, key: str, timeout: float = 10) -> str:
        """Post, with metadata `event_type: "vigil"` and `event_payload.key`; returns the message's timestamp."""
        ...

    def find_message(self, channel_id: str, key: str, *, since: str | None, timeout: float = 10) -> str | None:
        """The timestamp of our own message with this key at or after Slack timestamp `since` (None: from the start),
        or None; reads to the last page, with `include_all_metadata`. Messages of other authors do not count."""
        ...

    def update(self, channel_id: str, timestamp: str, message: Message, *, key: str, timeout: float = 10) -> None:
        """Replace a message's content and keep its metadata key."""
        ...

    def delete(self, channel_id: str, timestamp: str, *, timeout: float = 10) -> None:
        """Delete our message; one that is gone already is a success."""
        ...

    def archive(self, channel_id: str, *, timeout: float = 10) -> None:
        """Archive; already archived is a success."""
        ...

    def user_by_email(self, email: str, *, timeout: float = 10) -> str | None:
        """The Slack user id behind an e-mail address, or None. Case does not matter."""
        ...

    def is_workspace_admin(self, user_id: str, *, timeout: float = 10) -> bool:
        """Whether this person administers the workspace (admin or owner)."""
        ...

    def is_full_member(self, user_id: str, *, timeout: float = 10) -> bool:
        """Whether this person belongs to the workspace, other than as a guest."""
        ...
