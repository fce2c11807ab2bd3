"""What people ask of a watch, by signals: to remind now, to be quiet for a while, to be so no longer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from durable import Signal, serializable

What = Literal["remind", "snooze", "wake"]
GITHUB = "github"
"""The signal that carries the deliveries."""
REMIND: What = "remind"
SNOOZE: What = "snooze"
WAKE: What = "wake"
SIGNALS = (GITHUB, REMIND, SNOOZE, WAKE)
LONGEST_SNOOZE = timedelta(days=7)
"""The pull request is read before each reminder; a close that no delivery told of would go unnoticed for longer."""
_LONGEST_NAME = 100


@serializable
@dataclass(frozen=True)
class Ask:
    """Who asks, as the log is to name them: an operator's name, or `slack:` and a user id. `until` is for a snooze."""

    by: str
    until: datetime | None = None


@serializable
@dataclass(frozen=True)
class Snooze:
    """Nobody is reminded `until` then. `due` is when the next reminder would have come."""

    until: datetime
    by: str
    due: datetime | None


def ask_of(signal: Signal) -> Ask:
    """What is asked. Operators send signals by hand as well: what they send is read without trust in it."""
    if isinstance(signal.payload, Ask):
        return signal.payload
    given: Mapping[str, Any] = signal.payload if isinstance(signal.payload, dict) else {}
    by = given.get("by")
    return Ask(by[:_LONGEST_NAME] if isinstance(by, str) and by else "an operator", _moment(given.get("until")))


def _moment(written: object) -> datetime | None:
    """An aware time, or its ISO form; None for all else."""
    try:
        moment = datetime.fromisoformat(written) if isinstance(written, str) else written
    except ValueError:
        return None
    return moment if isinstance(moment, datetime) and moment.tzinfo is not None else None
