"""What a watch remembers of what happened to it, so that a page can tell its story: pure, bounded, and part of its
state, so that it is written with what it tells and never twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from durable import serializable
from integrations.github.api import PullRequestEvent, ReviewEvent

MOST = 80
Kind = Literal[
    "begun",  # the delivery that began the watch: action
    "heard",  # a delivery: action, by, and about whom or with which verdict
    "turn",  # whose move it became: who, teams, reason
    "channel",  # the channel is there: id, name
    "invited",  # who was asked in: who
    "posted",  # what was said: what
    "reminded",  # reminders one after the other: first, last, since
    "timer",  # what comes next, and when: what, until
    "asked",  # what somebody asked of the watch: what, by, until
    "note",  # what went wrong and was done without: text
    "archived",  # the channel
    "ended",  # how: outcome
]


@serializable
@dataclass(frozen=True)
class Happening:
    """One thing that happened `at` a time of the engine. Which `facts` it has goes by its kind."""

    at: datetime
    kind: Kind
    facts: dict[str, Any] = field(default_factory=dict)


Log = tuple[Happening, ...]


def told(log: Log, at: datetime, kind: Kind, facts: Mapping[str, Any]) -> Log:
    """The log with one more happening, the latest 80 kept. What says little by itself is folded: a timer replaces the
    one it follows, people invited together are one entry, and so are reminders with nothing between them."""
    new = Happening(at, kind, dict(facts))
    if kind == "timer" and log and log[-1].kind == "timer":
        log = log[:-1]
    elif kind == "invited" and log and log[-1].kind == "invited":
        new = Happening(at, kind, {"who": [*log[-1].facts["who"], *facts["who"]]})
        log = log[:-1]
    elif kind == "reminded":
        before = log[:-1] if log and log[-1].kind == "timer" else log
        if before and before[-1].kind == "reminded":
            earlier = before[-1].facts
            new = Happening(at, kind, {**facts, "first": earlier["first"], "since": earlier["since"]})
            log = before[:-1]
    return (*log, new)[-MOST:]


def has_since_its_end(log: Log, kind: Kind) -> bool:
    """Whether there was such a happening in the present watch, and not in one before that ended."""
    kinds = [happening.kind for happening in log]
    ends = len(kinds) - kinds[::-1].index("ended") if "ended" in kinds else 0
    return kind in kinds[ends:]


def gist_of(event: PullRequestEvent | ReviewEvent) -> dict[str, Any]:
    """What is kept of a delivery: enough to find it at GitHub, and who did what."""
    by = event.sender.login if event.sender else None
    gist = {"id": event.delivery_id, "action": event.action, "by": by}
    if isinstance(event, ReviewEvent):
        return gist | {"review": event.review.state}
    person = event.requested_reviewer.login if event.requested_reviewer else event.requested_team
    return gist | ({"about": person} if person else {})
