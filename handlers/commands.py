"""What `/vigil …` answers: a decision over what can be seen, without any input or output of its own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from config.durations import parse_duration
from handlers.asks import LONGEST_SNOOZE, REMIND, SNOOZE, Ask, What
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

    def ask(self, workflow_id: str, what: What, ask: Ask, key: str) -> bool:
        """Ask this of a watch, once for each `key` that is not empty; False when nobody is there to hear it."""
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
    """What to reply. What changes something is a signal to the watch: a row, before it is answered."""
    words = command.text.split()
    first = [word.lower() for word in words[:2]]
    match first:
        case ["status", *_]:
            return _status(" ".join(words[1:]), command.channel_id, sight)
        case ["list"]:
            return replies.listing(sight.watches(), sight.now())
        case ["snooze", *_]:
            return _snoozed(words[1:], command, sight)
        case ["remind" | "wake" as what, *_]:
            return _asked(what, None, " ".join(words[1:]), command, sight)
        case ["admin", "status"]:
            return _admin_status(command.user_id, sight)
    return replies.help_text(unknown="" if first in ([], ["help"]) else command.text)


def reference_in(text: str) -> Reference | None:
    """The pull request that `text` names: `owner/repo#number`, `owner/repo/number` or its address, which Slack may
    have put into angle brackets with a label."""
    plain = text.strip().removeprefix("<").removesuffix(">").partition("|")[0]
    found = _WRITTEN.fullmatch(plain) or _ADDRESS.fullmatch(plain)
    return Reference(found[1], found[2], int(found[3])) if found else None


def _status(argument: str, channel_id: str, sight: Sight) -> Reply:
    view = _meant(argument, channel_id, sight)
    return view if isinstance(view, Reply) else replies.status(view, sight.now())


def _meant(argument: str, channel_id: str, sight: Sight) -> WatchView | Reply:
    """The watch that an argument names, or that the channel is of; else what to reply instead."""
    if not argument:
        return sight.watch_in(channel_id) or replies.which_one()
    reference = reference_in(argument)
    if reference is None:
        return replies.which_one(argument)
    return sight.watch(reference) or replies.not_watched(str(reference))


def _snoozed(words: Sequence[str], command: SlashCommand, sight: Sight) -> Reply:
    """Of the words the last says for how long."""
    try:
        length = parse_duration(words[-1]) if words else timedelta(0)
    except ValueError:
        return replies.how_long(words[-1])
    if not timedelta(0) < length <= LONGEST_SNOOZE:
        return replies.how_long(*words[-1:])
    return _asked(SNOOZE, length, " ".join(words[:-1]), command, sight)


def _asked(what: What, length: timedelta | None, argument: str, command: SlashCommand, sight: Sight) -> Reply:
    """Ask something of a watch that reminds people; anybody may."""
    view = _meant(argument, command.channel_id, sight)
    if isinstance(view, Reply):
        return view
    until = sight.now() + length if length else None
    ask = Ask(f"slack:{command.user_id}", until)
    reminds = view.phase == "watching" and not view.outcome and not view.trouble
    if not reminds or not sight.ask(view.workflow_id, what, ask, command.trigger_id):
        return replies.nothing_to_ask(view)
    if length and until:
        return replies.snoozed(view, length, until)
    return replies.reminding(view) if what == REMIND else replies.awake(view)


def _admin_status(user_id: str, sight: Sight) -> Reply:
    try:
        allowed = sight.is_admin(user_id)
    except AdminUnknown as problem:
        return replies.admin_unknown(str(problem))
    return replies.health(sight.health()) if allowed else replies.admins_only()
