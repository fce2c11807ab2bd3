"""What the demo saw and what it checked, written by the story and the observer and read by the view."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import RLock
from typing import Literal

Kind = Literal["github", "slack", "reminder", "bot", "trouble", "story", "check", "failed"]


@dataclass(frozen=True)
class Happening:
    """Something worth a line on the screen."""

    at: datetime
    kind: Kind
    text: str


@dataclass
class Reminder:
    """A reminder as it was first seen in Slack. `number` is its own count, `names` whom it pings."""

    number: int
    names: tuple[str, ...]
    seen_at: datetime
    ts: str


@dataclass
class Watched:
    """One pull request of the story, and what Slack shows of it."""

    reference: str
    title: str
    opened_at: datetime
    channel: str = ""
    channel_id: str = ""
    private: bool = False
    archived: bool = False
    over: str = ""
    members: tuple[str, ...] = ()
    reminders: list[Reminder] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)

    def next_due(self, interval: float) -> float:
        """Seconds since the epoch at which the next reminder is due, give or take its jitter."""
        base = self.reminders[-1].seen_at if self.reminders else self.opened_at
        return base.timestamp() + interval


class Ledger:
    """Grows while the demo runs; every method may be called from any thread."""

    def __init__(self, tell: Callable[[Happening], None] | None = None) -> None:
        self._lock = RLock()
        self._tell = tell
        self.happenings: list[Happening] = []
        self.watched: dict[str, Watched] = {}
        self.checks: list[tuple[str, bool]] = []

    def add(self, kind: Kind, text: str) -> None:
        """Write down that this happened now."""
        happening = Happening(datetime.now(UTC), kind, text)
        with self._lock:
            self.happenings.append(happening)
            if self._tell:
                self._tell(happening)

    def checked(self, claim: str, *, holds: bool, seen: str = "") -> None:
        """Write down whether a claim about the world held, and what was seen when it did not."""
        with self._lock:
            self.checks.append((claim, holds))
            self.add("check" if holds else "failed", claim if holds else f"{claim}: {seen}")

    @property
    def all_hold(self) -> bool:
        """Whether at least one claim was checked and none failed."""
        with self._lock:
            return bool(self.checks) and all(holds for _, holds in self.checks)
