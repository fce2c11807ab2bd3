"""What `/vigil …` answers: a decision over what can be seen, without any input or output of its own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from handlers.messages import replies
from handlers.messages.replies import Health, WatchView
from integrations.slack.api import Reply, SlashCommand

_NAME = r"([A-Za-z0-9_.-]{1,100})"
_WRITTEN = re.compile(rf"{_NAME}/{_NAME}[#/]([0-9]{{1,18}})")
_ADDRESS = re.compile(rf"https?://[^/\s]+/{_NAME}/{_NAME}/pull/([0-9]{{1,18}})(?:[/?#]\S*)?")


@dataclass(frozen=True)
class Reference:
    """A pull request as somebody typed it."""

    owner: str
    repo: str
    number: int

    def __str__(self) -> str:
        """`owner/repo#number`."""
        return f"{self.owner}/{self.repo}#{self.number}"


class AdminUnknown(Exception):
    """Whether somebody is an admin cannot be found out; the text says why."""


class Sight(Protocol):
    """What a command may look at. Any other error than those named means that the database is away."""

    def watch(self, reference: Reference) -> WatchView | None:
        """The watch over this pull request, past or present."""
        ...

    def watch_in(self, channel_id: str) -> WatchView | None:
        """The watch that holds or held this channel."""
        ...

    def watches(self) -> Sequence[WatchView]:
        """Every watch that has not ended."""
        ...

    def health(self) -> Health:
        """How the bot is doing."""
        ...

    def is_admin(self, user_id: str) -> bool:
        """Whether this Slack user may use admin commands. Raises `AdminUnknown`."""
        ...

    def now(self) -> datetime:
        """The engine's time."""
        ...


def answer(command: SlashCommand, sight: Sight) -> Reply:
    """What to reply. Nothing is changed by any command yet."""
    words = command.text.split()
    match [word.lower() for word in words[:2]]:
        case [] | ["help"]:
            return replies.help_text()
        case ["status", *_]:
            return _status(" ".join(words[1:]), command.channel_id, sight)
        case ["list"]:
            return replies.listing(sight.watches(), sight.now())
        case ["admin", "status"]:
            return _admin_status(command.user_id, sight)
        case _:
            return replies.help_text(unknown=command.text)


def reference_in(text: str) -> Reference | None:
    """The pull request that `text` names: `owner/repo#number`, `owner/repo/number` or its address, which Slack may
    have put into angle brackets with a label."""
    plain = text.strip().removeprefix("<").removesuffix(">").partition("|")[0]
    found = _WRITTEN.fullmatch(plain) or _ADDRESS.fullmatch(plain)
    return Reference(found[1], found[2], int(found[3])) if found else None


def _status(argument: str, channel_id: str, sight: Sight) -> Reply:
    if not argument:
        here = sight.watch_in(channel_id)
        return replies.status(here, sight.now()) if here else replies.which_one()
    reference = reference_in(argument)
    if reference is None:
        return replies.which_one(argument)
    view = sight.watch(reference)
    return replies.status(view, sight.now()) if view else replies.not_watched(str(reference))


def _admin_status(user_id: str, sight: Sight) -> Reply:
    try:
        allowed = sight.is_admin(user_id)
    except AdminUnknown as problem:
        return replies.admin_unknown(str(problem))
    return replies.health(sight.health()) if allowed else replies.admins_only()
