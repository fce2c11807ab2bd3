"""The tasks: find the channel, write a message from what the watches know, post it once.

What a task has nothing to do with it hands on: a text is the reason why nothing is posted, and becomes the result.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from config.policy import Digest, Policy
from durable import Activity, Found, info, resource, serializable
from durable.flows import task
from handlers.effects_slack import LONG_LOOK_S, find_posted
from handlers.flows.watches import Watches
from handlers.messages import digest as words
from handlers.outside import FOR_GOOD, PATIENT, slack, steering
from handlers.standings import stale, standings_of, week_of
from integrations.slack.api import Message, Refused

NO_CHANNEL = "no channel is configured: digest.channel in the policy file is not set"
WEEK = timedelta(days=7)
_ANY_CLOCK = timedelta(days=1)
"""How far Slack's clock and ours may be apart: a message whose answer was lost is looked for from so long ago on."""


@serializable
@dataclass(frozen=True)
class Place:
    """Where to post, and from which Slack timestamp on what was posted is looked for."""

    channel_id: str
    since: str


@serializable
@dataclass(frozen=True)
class Letter:
    """A message and where it goes."""

    place: Place
    message: Message


def _task(name: str, **options: Any) -> Callable[[Callable[..., Any]], Activity[..., Any]]:
    declared = task(name, retry=PATIENT, non_retryable=FOR_GOOD, timeout=LONG_LOOK_S, **options)
    return lambda function: declared(steering()(function))


@_task("DIGEST_CHANNEL")
def find_channel(*_args: Any, payload: Any = None, **_: Any) -> Place | str:
    """The channel that the payload names as `channel`, else the policy's."""
    asked = payload.get("channel") if isinstance(payload, dict) else None
    wanted = asked if isinstance(asked, str) and asked else _digest().channel
    if wanted is None:
        return NO_CHANNEL
    since = resource(Watches).real_time() - _ANY_CLOCK
    return Place(_channel_id(wanted), f"{since.timestamp():.6f}")


@_task("DIGEST_OPEN")
def write_digest(place: Place | str, **_: Any) -> Letter | str:
    """The open pull requests by whose turn it is."""
    if isinstance(place, str):
        return place
    watches = resource(Watches)
    return Letter(place, words.digest(standings_of(watches.living()), watches.now()))


@_task("DIGEST_STALE")
def write_stale(place: Place | str, **_: Any) -> Letter | str:
    """The open pull requests that became stale, or were so for as long once more."""
    if isinstance(place, str):
        return place
    watches, after = resource(Watches), _digest().stale_after
    now = watches.now()
    found = stale(standings_of(watches.living()), now, after)
    return Letter(place, words.stale(found, now, after)) if found else "no pull request has become stale"


@_task("DIGEST_WEEK")
def write_report(place: Place | str, **_: Any) -> Letter | str:
    """What the last seven days brought."""
    if isinstance(place, str):
        return place
    watches = resource(Watches)
    now = watches.now()
    states = [*watches.living(), *watches.ended_since(now - WEEK)]
    return Letter(place, words.report(week_of(states, now - WEEK, now)))


def _find_letter(letter: Letter | str, **_: Any) -> Found[str] | None:
    if isinstance(letter, str):
        return None
    found: Found[str] | None = find_posted(letter.place.channel_id, letter.message, letter.place.since)
    return None if found is None else Found(_told(letter))


@_task("DIGEST_POST", verify=steering()(_find_letter))
def post(letter: Letter | str, **_: Any) -> str:
    """Post it; returns what was posted where."""
    if isinstance(letter, str):
        return letter
    slack().post(letter.place.channel_id, letter.message, key=info().key, timeout=info().timeout)
    return _told(letter)


def _told(letter: Letter) -> str:
    return f"posted in {letter.place.channel_id}: {letter.message.text}"


def _digest() -> Digest:
    return resource(Policy).digest


def _channel_id(wanted: str) -> str:
    """The id of a channel that is written as an id or as a name. Raises `Refused` for a name that we cannot post to."""
    if wanted.isupper():  # names are in lower case
        return wanted
    name = wanted.removeprefix("#")
    channel = slack().find_channel(name, timeout=info().timeout)
    if channel is None or channel.archived or not channel.is_member:
        why = "it is archived" if channel and channel.archived else "invite the bot, or correct digest.channel"
        raise Refused("digest.channel", f"the bot is in no channel called {name!r}", why)
    return channel.id
