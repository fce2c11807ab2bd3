"""What a watch remembers from one wake to the next, and how it changes: pure, so that every rule is a table of tests."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from durable import serializable
from handlers.asks import GITHUB, LONGEST_SNOOZE, Ask, Snooze
from handlers.reminders import next_due
from handlers.turns import Turn, turn_of
from handlers.watch_log import Kind, Log, gist_of, has_since_its_end, told
from integrations.github.api import Person, PullRequest, PullRequestEvent, PullRequestRef, Review, ReviewEvent

serializable(Person, PullRequest, PullRequestEvent, PullRequestRef, Review, ReviewEvent, Turn)

Phase = Literal[
    "arriving",  # a delivery came: read the pull request and decide
    "waiting",  # a draft without a channel
    "opening",  # look for a free name and create the channel
    "furnishing",  # topic, purpose, bookmark
    "greeting",  # invite people, then the summary
    "watching",  # remind, until it is over
    "closing",  # the closing message is posted; the channel is archived after a delay, unless it is reopened
    "ended",
]

BEGINNINGS = frozenset({"opened", "reopened", "ready_for_review"})
_OVER = frozenset({"merged", "closed", "gone", "forbidden"})


@serializable
@dataclass(frozen=True)
class Rules:
    """What the policy says about one pull request, as of the last look."""

    every: timedelta = timedelta(hours=1)
    archive_after: timedelta = timedelta(seconds=5)
    wait_for_drafts: bool = True
    private_channel: bool = False


@serializable
@dataclass(frozen=True)
class Look:
    """One reading of the world: the pull request with its reviews, and the rules."""

    pull_request: PullRequest
    rules: Rules


@serializable
@dataclass(frozen=True)
class Guest:
    """Somebody who was asked in. `user_id` is None for somebody without a Slack account."""

    login: str
    user_id: str | None


@serializable
@dataclass(frozen=True)
class Outcome:
    """How a watch ended: `merged`, `closed`, `gone` (404), `channel lost: …`, `refused: …`, `watched by …`."""

    kind: str
    channel_id: str | None = None
    reminders_sent: int = 0


@serializable
@dataclass(frozen=True)
class Watch:
    """All that a watch carries from wake to wake. `action` is what the delivery that began it said. `last_message`
    and `reminder` are Slack timestamps: of our latest message, and of the one live reminder. `signals` are what this
    run waits for: one that an earlier release put to sleep waits for what that release knew."""

    workflow_id: str
    pull_request: PullRequest
    action: str
    phase: Phase = "arriving"
    rules: Rules = Rules()
    channel_id: str | None = None
    channel_name: str | None = None
    names_tried: int = 0
    people: tuple[Guest, ...] = ()
    turn: Turn | None = None
    waiting_since: datetime | None = None
    reminders_sent: int = 0
    next_reminder_at: datetime | None = None
    last_message: str | None = None
    reminder: str | None = None
    closed_by: Person | None = None
    archive_at: datetime | None = None
    outcome: str | None = None
    notes: tuple[str, ...] = ()
    log: Log = ()
    signals: tuple[str, ...] = (GITHUB,)
    snooze: Snooze | None = None

    @property
    def channel(self) -> str:
        """The channel's id, in a phase that has one."""
        if self.channel_id is None:
            raise ValueError(f"{self.workflow_id} is {self.phase} and has no channel; only later phases do")
        return self.channel_id

    @property
    def over(self) -> bool:
        """Whether the pull request is merged or closed."""
        return self.pull_request.state == "closed"

    @property
    def whose(self) -> Turn:
        """Whose move it is, as of the last reckoning."""
        return self.turn or turn_of(self.pull_request)

    @property
    def accounts(self) -> dict[str, str | None]:
        """Slack user ids by login in lower case, as the messages want them."""
        return {guest.login.lower(): guest.user_id for guest in self.people}

    def seeing(self, seen: Look) -> "Watch":
        """After a look at GitHub. What was learned from a delivery since then is not lost to a stale answer."""
        return replace(self, pull_request=newest(self.pull_request, seen.pull_request), rules=seen.rules)

    def hearing(self, event: PullRequestEvent | ReviewEvent) -> "Watch":
        """After a delivery."""
        reopened = event.action == "reopened"
        known = newest(self.pull_request, event.pull_request, reopened=reopened)
        by = event.sender if event.action == "closed" and known.state == "closed" else self.closed_by
        return replace(self, pull_request=known, closed_by=by if known.state == "closed" else None)

    def telling(self, now: datetime, kind: Kind, **facts: Any) -> "Watch":
        """With one more happening in the log."""
        return replace(self, log=told(self.log, now, kind, facts))

    def begun(self, now: datetime) -> "Watch":
        """With its beginning in the log, once."""
        return self if has_since_its_end(self.log, "begun") else self.telling(now, "begun", action=self.action)

    def told_of(self, now: datetime, event: PullRequestEvent | ReviewEvent) -> "Watch":
        """With a delivery in the log. The one that began the watch is there already."""
        if event.action == self.action and not has_since_its_end(self.log, "heard"):
            return self
        return self.telling(now, "heard", **gist_of(event))

    def reckoned(self, now: datetime) -> "Watch":
        """With the turn recomputed; a new turn waits from `now` on."""
        turn = turn_of(self.pull_request)
        if turn == self.turn:
            return self
        moved = replace(self, turn=turn, waiting_since=now)
        return moved.telling(now, "turn", **_plain(turn))

    def scheduled(self, now: datetime, chance: float) -> "Watch":
        """With the next reminder due one interval from `now`; whoever asked for quiet has had it."""
        return replace(self, snooze=None).due(now, next_due(now, self.rules.every, chance))

    def snoozed(self, now: datetime, ask: Ask) -> "Watch":
        """Quiet until the time that is asked for, at most a week from now; unchanged without one to come."""
        if ask.until is None or ask.until <= now:
            return self.noting(now, f"snooze: {ask.by} named no time to come")
        until = min(ask.until, now + LONGEST_SNOOZE)
        due = self.snooze.due if self.snooze else self.next_reminder_at
        return replace(self, snooze=Snooze(until, ask.by, due)).due(now, until)

    def woken(self, now: datetime, chance: float) -> "Watch":
        """As if nobody had asked for quiet; where a reminder would have come meanwhile, one interval from now."""
        if self.snooze is None:
            return self
        due = self.snooze.due
        if due is None or due <= now:
            return self.scheduled(now, chance)
        return replace(self, snooze=None).due(now, due)

    def due(self, now: datetime, moment: datetime) -> "Watch":
        """With the next reminder, or of a draft the next look, at this moment."""
        what = "look" if self.phase == "waiting" or self.pull_request.draft else "reminder"
        return replace(self, next_reminder_at=moment).telling(now, "timer", what=what, until=moment)

    def noting(self, now: datetime, note: str) -> "Watch":
        """With a remark for the status, the latest five kept."""
        if note in self.notes:
            return self
        return replace(self, notes=(*self.notes, note)[-5:]).telling(now, "note", text=note)

    def ended(self, now: datetime, outcome: str) -> "Watch":
        """Over, for this reason."""
        over = replace(self, phase="ended", outcome=outcome, next_reminder_at=None)
        return over.telling(now, "ended", outcome=outcome)

    def strangers(self) -> list[Person]:
        """The people who take part and were not asked in yet: author, reviewers, assignees; never bots."""
        known = {guest.login.lower() for guest in self.people}
        author = [self.pull_request.author] if self.pull_request.author else []
        part = {
            person.login.lower(): person
            for person in (*author, *self.pull_request.reviewers, *self.pull_request.assignees)
            if not person.is_bot
        }
        return [person for login, person in part.items() if login not in known]


def newest(known: PullRequest, seen: PullRequest, *, reopened: bool = False) -> PullRequest:
    """What holds of two states of one pull request. The later `updated_at` wins; GitHub's times are whole seconds, and
    in the same second the one seen last wins, except that closed beats open unless the delivery says `reopened`.
    What only one of them knows (reviews, sizes) is kept."""
    tied = known.updated_at == seen.updated_at
    closed_beats_open = tied and known.state == "closed" and seen.state == "open" and not reopened
    stale = seen.updated_at < known.updated_at or closed_beats_open
    first, second = (known, seen) if stale else (seen, known)
    return replace(
        first,
        merged=first.merged or (first.state == "closed" and second.state == "closed" and second.merged),
        reviews=seen.reviews if seen.reviews is not None else known.reviews,
        additions=_either(first.additions, second.additions),
        deletions=_either(first.deletions, second.deletions),
        changed_files=_either(first.changed_files, second.changed_files),
    )


def _either(first: int | None, second: int | None) -> int | None:
    return second if first is None else first


def wants_look(known: PullRequest, event: PullRequestEvent | ReviewEvent) -> bool:
    """Whether a delivery alone does not tell where things stand: reviews are read, never pieced together; two states
    of one second have no order; and whoever says `reopened` in the second of a `closed` is asked twice."""
    if isinstance(event, ReviewEvent):
        return True
    tied = event.pull_request.updated_at == known.updated_at
    return tied and event.action != "closed" and _gist(event.pull_request) != _gist(known)


def _gist(pull_request: PullRequest) -> tuple[Any, ...]:
    people = (frozenset(pull_request.reviewers), frozenset(pull_request.teams), frozenset(pull_request.assignees))
    return (pull_request.state, pull_request.draft, pull_request.title, pull_request.head_sha, *people)


def may_begin(action: str, pull_request: PullRequest, outcome: str | None, *, known: bool) -> bool:
    """Whether a delivery begins a watch where none runs. `known`: there was one before, and `outcome` is how it ended.

    A new pull request begins with any delivery while it is open, since it may be older than the bot; `closed` begins
    too, and ends at once, because the watch that `opened` began may not be in the records yet. After an end by merge,
    close or 404 any delivery that shows it open begins anew. After an end by trouble (somebody archived the channel)
    people do not want it back because of a label: only opened, reopened and ready_for_review begin anew.
    """
    if pull_request.state == "closed":
        return outcome is None and (known or action == "closed")
    return outcome is None or outcome in _OVER or action in BEGINNINGS


def begins_again(state: Watch, event: PullRequestEvent | ReviewEvent) -> bool:
    """Whether a delivery that came while the watch ended begins the next one. Whatever it saw itself does not, nor
    does the delivery that began it."""
    pull_request = event.pull_request
    newer = pull_request.updated_at > state.pull_request.updated_at
    reopened = event.action == "reopened" and state.over and pull_request.updated_at == state.pull_request.updated_at
    return (newer or reopened) and may_begin(event.action, pull_request, state.outcome, known=True)


def how_it_ended(pull_request: PullRequest) -> str:
    """`merged` or `closed`."""
    return "merged" if pull_request.merged else "closed"


def shown(state: Watch) -> dict[str, Any]:
    """What `/vigil status`, `list` and the dashboard show of it."""
    turn, author, snooze = state.turn, state.pull_request.author, state.snooze
    paused = state.phase == "watching" and state.pull_request.draft
    return {
        "reference": str(state.pull_request.ref),
        "title": state.pull_request.title,
        "url": state.pull_request.url,
        "phase": "paused" if paused else state.phase,
        "channel_id": state.channel_id,
        "channel": state.channel_name,
        "author": None if author is None else author.login,
        "turn": None if turn is None else _plain(turn),
        "waiting_since": _written(state.waiting_since),
        "reminders_sent": state.reminders_sent,
        "next_reminder_at": _written(state.next_reminder_at),
        "snoozed": None if snooze is None else {"until": _written(snooze.until), "by": snooze.by},
        "outcome": state.outcome,
        "notes": list(state.notes),
    }


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _plain(turn: Turn) -> dict[str, Any]:
    return {"who": [person.login for person in turn.who], "teams": list(turn.teams), "reason": turn.reason}
