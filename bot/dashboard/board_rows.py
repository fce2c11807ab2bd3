"""The rows of the board: from records and statuses, filtered and put in order. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from bot.dashboard import board_words as words
from bot.dashboard.board_words import Standing
from durable import Description
from handlers.records.pull_requests import Watched

_STUCK = frozenset({"parked", "paused", "failed", "terminated", "cancelled"})
_LATER = datetime.max.replace(tzinfo=UTC)
ORDERS: Mapping[str, str] = {
    "urgent": "most urgent first",
    "waiting": "longest waiting first",
    "reminder": "next reminder first",
    "newest": "newest first",
    "name": "by name",
}


@dataclass(frozen=True)
class Row:
    """A watched pull request as a line of the board. `page` is the path of its own page, `trouble` why it stands still,
    `asked` whose turn it is, `why` so; `stuck` is the engine's state when it stands still."""

    workflow_id: str
    reference: str
    repository: str
    title: str
    page: str
    url: str | None
    author: str | None
    standing: Standing
    state: str
    phase: str
    asked: tuple[str, ...]
    why: str
    waiting_since: datetime | None
    next_reminder_at: datetime | None
    reminders_sent: int
    snoozed_until: datetime | None
    snoozed_by: str
    channel: str
    channel_link: str | None
    trouble: str | None
    stuck: str
    notes: tuple[str, ...]
    watched_at: datetime

    @property
    def look(self) -> str:
        """The class that gives its state a dot."""
        return self.stuck if self.standing == "trouble" else words.LOOKS[self.standing]

    @property
    def turn(self) -> str:
        """Whose turn it is, named."""
        return words.people_said(self.asked)

    def holds(self, text: str) -> bool:
        """Whether `text` (in lower case) is in its name, its title or the people who have to do with it."""
        about = (self.reference, self.title, self.author or "", *self.asked, self.channel)
        return any(text in part.lower() for part in about)


def row_of(known: Watched, description: Description | None) -> Row:
    """The line of one pull request. What its watch shows of itself is read without trust in it."""
    status: Mapping[str, Any] = description.status if description and isinstance(description.status, dict) else {}
    engine = description.state if description else "missing"
    is_over = known.outcome is not None or (engine == "completed")
    stuck = "" if is_over or engine not in (*_STUCK, "missing") else engine
    phase, turn = _text(status, "phase"), status.get("turn")
    reason = str(turn.get("reason") or "") if isinstance(turn, dict) else ""
    asked = words.asked_in(turn)
    snooze = status.get("snoozed")
    snoozed: Mapping[str, Any] = snooze if isinstance(snooze, dict) else {}
    standing = words.standing_of(phase, reason, asked, stuck=bool(stuck), snoozed=bool(snoozed), ended=is_over)
    outcome = _text(status, "outcome") or known.outcome
    at_work = phase in ("watching", "paused", "waiting") and not is_over
    return Row(
        workflow_id=known.workflow_id,
        reference=str(known.ref),
        repository=f"{known.ref.owner}/{known.ref.repo}",
        title=_text(status, "title") or known.title,
        page=page_of(known),
        url=words.web_link(_text(status, "url") or known.url),
        author=_text(status, "author") or None,
        standing=standing,
        state=words.state_said(standing, phase, outcome),
        phase=phase,
        asked=asked if at_work else (),
        why=words.why_said(reason) if at_work and reason else "",
        waiting_since=_moment(status, "waiting_since") if at_work else None,
        next_reminder_at=_moment(status, "next_reminder_at") if phase == "watching" and at_work and not stuck else None,
        reminders_sent=sent if isinstance(sent := status.get("reminders_sent"), int) else 0,
        snoozed_until=_moment(snoozed, "until"),
        snoozed_by=_text(snoozed, "by"),
        channel=_text(status, "channel"),
        channel_link=words.channel_link(_text(status, "channel_id") or None),
        trouble=words.trouble_said(stuck, _reason(description)) if stuck else None,
        stuck=stuck,
        notes=tuple(str(note) for note in status.get("notes") or ()),
        watched_at=known.watched_at,
    )


def _reason(description: Description | None) -> str | None:
    return (description.reason or description.error) if description else None


def page_of(known: Watched) -> str:
    """The path of a pull request's own page."""
    ref = known.ref
    return "/pulls/" + "/".join(quote(str(part), safe="") for part in (ref.host, ref.owner, ref.repo, ref.number))


@dataclass(frozen=True)
class Figures:
    """How many there are, and how many of them stand in each of the ways that matter."""

    open: int
    review: int
    author: int
    trouble: int


def counted(rows: Sequence[Row]) -> Figures:
    """The figures above the board."""
    standings = [row.standing for row in rows]
    return Figures(len(rows), *(standings.count(standing) for standing in ("review", "author", "trouble")))


@dataclass(frozen=True)
class Choice:
    """What is looked for, and in which order. Empty is no condition."""

    text: str = ""
    repository: str = ""
    standing: str = ""
    order: str = "urgent"

    @property
    def narrows(self) -> bool:
        """Whether not everything is shown."""
        return bool(self.text or self.repository or self.standing)


def chosen(rows: Iterable[Row], choice: Choice) -> list[Row]:
    """The rows that are looked for, in the order that is asked for; an order that there is not is the usual one."""
    text = choice.text.lower()
    found = [
        row
        for row in rows
        if (not text or row.holds(text))
        and (not choice.repository or row.repository == choice.repository)
        and (not choice.standing or row.standing == choice.standing)
    ]
    return sorted(found, key=_KEYS.get(choice.order, _urgency))


def _urgency(row: Row) -> tuple[Any, ...]:
    """Trouble first, then what waits for somebody, then the rest; in each whoever waits longest."""
    rank = {"trouble": 0, "nobody": 1, "review": 1, "author": 1}.get(row.standing, 2)
    return (rank, row.waiting_since or _LATER, row.reference)


_KEYS: Mapping[str, Any] = {
    "waiting": lambda row: (row.waiting_since or _LATER, row.reference),
    "reminder": lambda row: (row.next_reminder_at or _LATER, row.reference),
    "newest": lambda row: (-row.watched_at.timestamp(), row.reference),
    "name": lambda row: (row.repository.lower(), int(row.reference.rpartition("#")[2])),
}


def _text(status: Mapping[str, Any], key: str) -> str:
    value = status.get(key)
    return value if isinstance(value, str) else ""


def _moment(status: Mapping[str, Any], key: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(status[key])
    except (KeyError, TypeError, ValueError):
        return None
    return moment if moment.tzinfo is not None else None
