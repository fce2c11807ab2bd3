"""The words of the board and of a pull request's page: how a watch stands, whose turn it is and why. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

Standing = Literal["trouble", "review", "author", "nobody", "draft", "snoozed", "moving", "ended"]
"""How a watch stands, as it is filtered by; "moving" is what passes by itself in a moment."""

STANDINGS: Mapping[Standing, str] = {
    "trouble": "in trouble",
    "review": "waits for review",
    "author": "waits for the author",
    "nobody": "nobody can be asked",
    "draft": "draft",
    "snoozed": "snoozed",
    "moving": "opening or closing",
}
LOOKS: Mapping[Standing, str] = {
    "trouble": "failed",
    "review": "running",
    "author": "waiting",
    "nobody": "parked",
    "draft": "quiet",
    "snoozed": "quiet",
    "moving": "ready",
    "ended": "quiet",
}
"""The class that gives each its dot."""

_PASSING = {
    "": "has just begun",
    "arriving": "has just begun",
    "waiting": "draft: its channel waits until it is ready",
    "opening": "its channel is being opened",
    "furnishing": "its channel is being opened",
    "greeting": "people are being invited",
    "paused": "draft: nobody is reminded",
    "closing": "over: its channel is about to be archived",
    "ended": "no longer watched",
}
_WHY = {
    "closed": "it is over",
    "draft": "draft to finish",
    "changes_requested": "changes requested",
    "review_requested": "review requested",
    "pushed": "pushed since changes were asked for",
    "approved": "approved: merge it",
    "commented": "reviewed without a verdict",
    "nobody_asked": "nobody was asked for a review",
}
_REVIEWERS = frozenset({"review_requested", "pushed"})
_STUCK = {
    "parked": "waits for access",
    "paused": "paused by an operator",
    "failed": "failed",
    "terminated": "was ended by an operator",
    "cancelled": "was cancelled",
    "missing": "its workflow is gone",
}
_CHANNEL = re.compile(r"[CGD][A-Z0-9]{2,20}")


def standing_of(phase: str, reason: str, asked: Sequence[str], *, stuck: bool, snoozed: bool, ended: bool) -> Standing:
    """How a watch stands. `reason` is why it is the turn of those `asked`; `stuck` is the engine's account of it."""
    if ended or stuck:
        return "ended" if ended else "trouble"
    if phase != "watching":
        return "draft" if phase in ("waiting", "paused") else "moving"
    if snoozed or not asked:
        return "snoozed" if snoozed else "nobody"
    return "review" if reason in _REVIEWERS else "author"


def state_said(standing: Standing, phase: str, outcome: str | None) -> str:
    """How a watch stands, in a few words."""
    if standing == "ended":
        return f"ended: {outcome}" if outcome else "ended"
    if standing in ("draft", "moving"):
        return _PASSING.get(phase, phase)
    return STANDINGS[standing]


def why_said(reason: str) -> str:
    """Why it is somebody's turn; an unknown reason is said as it is."""
    return _WHY.get(reason, reason.replace("_", " "))


def trouble_said(state: str, reason: str | None) -> str:
    """Why a watch stands still: the engine's state of it and, if there is one, its reason."""
    stands = _STUCK.get(state, state)
    return f"{stands}: {reason}" if reason else stands


def people_said(people: Sequence[str]) -> str:
    """`ann`, `ann and ben`, `ann, ben and 3 more`; a dash for nobody."""
    if not people:
        return "-"
    if len(people) <= 3:
        return " and ".join(filter(None, [", ".join(people[:-1]), people[-1]]))
    return f"{people[0]}, {people[1]} and {len(people) - 2} more"


def asked_in(turn: Any) -> tuple[str, ...]:
    """Whom a status names as having the turn: people, then teams with an at sign. Read without trust in it."""
    if not isinstance(turn, Mapping):
        return ()
    return (*map(str, turn.get("who") or ()), *(f"@{team}" for team in turn.get("teams") or ()))


def channel_link(channel_id: str | None) -> str | None:
    """Where a browser or Slack's own program opens this channel (docs.slack.dev/interactivity/deep-linking)."""
    if channel_id is None or not _CHANNEL.fullmatch(channel_id):
        return None
    return f"https://slack.com/app_redirect?channel={channel_id}"


def web_link(address: str) -> str | None:
    """The address, if a link may lead there: of the web, and not a script."""
    return address if address.startswith(("https://", "http://")) else None
