"""What commands see: the engine's own account of the watches, and the bot's records."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import uuid4

from config.policy import Policy
from durable import Description, WorkflowClosed, WorkflowNotFound
from durable.client import Client
from durable.model import WorkflowState
from durable.postgres import Database
from handlers.asks import Ask, What
from handlers.commands import AdminUnknown, Reference
from handlers.messages.replies import ClosedGate, Health, WatchView
from handlers.records import pull_requests
from handlers.records.pull_requests import Watched
from handlers.records.schema import engine_time
from integrations.slack.api import Slack, SlackError

LIVING: tuple[WorkflowState, ...] = ("ready", "running", "waiting", "parked", "paused")
STUCK: tuple[WorkflowState, ...] = ("paused", "failed")
PREFIX = "pr:"
MOST_WATCHES = 200
MOST_STUCK = 20


class RecordedSight:
    """The `Sight` of a running bot. `timeout` (seconds) bounds each look, so that a slow database is told apart."""

    def __init__(self, database: Database, slack: Slack, policy: Policy, *, timeout: float = 2.0) -> None:
        self._database = database
        self._client = Client(database, timeout=timeout)
        self._slack = slack
        self._policy = policy
        self._timeout = timeout

    def watch(self, reference: Reference) -> WatchView | None:
        """The watch over this pull request, past or present."""
        with self._database.reading(timeout=self._timeout) as connection:
            known = pull_requests.find(connection, reference.owner, reference.repo, reference.number)
        return self._described(known)

    def watch_in(self, channel_id: str) -> WatchView | None:
        """The watch that holds or held this channel."""
        with self._database.reading(timeout=self._timeout) as connection:
            known = pull_requests.find_by_channel(connection, channel_id)
        return self._described(known)

    def watches(self) -> Sequence[WatchView]:
        """Every watch that has not ended, at most 200."""
        living = self._client.list(prefix=PREFIX, states=LIVING, limit=MOST_WATCHES)
        views = [view_of(None, description) for description in living]
        return [view for view in views if not view.outcome]

    def ask(self, workflow_id: str, what: What, ask: Ask, key: str) -> bool:
        """Send the signal; False when nobody is there to hear it."""
        try:
            self._client.signal(workflow_id, what, ask, key=f"{what}/slack/{key or uuid4().hex}")
        except (WorkflowNotFound, WorkflowClosed):
            return False
        return True

    def health(self) -> Health:
        """How the bot is doing."""
        overview = self._client.overview()
        workers = self._client.workers()
        with self._database.reading(timeout=self._timeout) as connection:
            early = pull_requests.list_ended_early(connection)
        stuck = self._client.list(prefix=PREFIX, states=STUCK, limit=MOST_STUCK)
        return Health(
            counts=overview.counts,
            workers_alive=sum(worker.alive for worker in workers),
            workers_lost=sum(not worker.alive for worker in workers),
            lag_seconds=overview.lag_seconds,
            undispatched=overview.undispatched,
            failed_deliveries=overview.failed_deliveries,
            gates=tuple(ClosedGate(gate.name, gate.reason, gate.parked) for gate in self._client.gates()),
            ended_early=tuple(view_of(known, None) for known in early),
            stuck=tuple(view_of(None, description) for description in stuck),
        )

    def is_admin(self, user_id: str) -> bool:
        """By the policy's list; with none, by Slack. Raises `AdminUnknown` when Slack does not say."""
        if self._policy.admins:
            return user_id in self._policy.admins
        try:
            return self._slack.is_workspace_admin(user_id, timeout=self._timeout)
        except SlackError as problem:
            raise AdminUnknown(str(problem)) from problem

    def now(self) -> datetime:
        """The engine's time."""
        with self._database.reading(timeout=self._timeout) as connection:
            return engine_time(connection)

    def _described(self, known: Watched | None) -> WatchView | None:
        if known is None:
            return None
        description = None
        with suppress(WorkflowNotFound):
            description = self._client.describe(known.workflow_id)
        return view_of(known, description)


def view_of(known: Watched | None, description: Description | None) -> WatchView:
    """What people are shown of a watch: its last status where it has one, else what the records say."""
    status = description.status if description and isinstance(description.status, dict) else {}
    stuck = description is not None and description.state in {"parked", "paused", "failed", "terminated"}
    fallback = known.workflow_id if known else description.workflow_id if description else ""
    return WatchView(
        reference=_text(status, "reference") or (str(known.ref) if known else fallback.removeprefix(PREFIX)),
        title=_text(status, "title") or (known.title if known else ""),
        url=_text(status, "url") or (known.url if known else ""),
        phase=_text(status, "phase") or "",
        channel_id=_text(status, "channel_id"),
        turn=_turn(status.get("turn")),
        waiting_since=_moment(status, "waiting_since"),
        reminders_sent=status["reminders_sent"] if isinstance(status.get("reminders_sent"), int) else 0,
        next_reminder_at=_moment(status, "next_reminder_at"),
        outcome=_text(status, "outcome") or (known.outcome if known and not status else None),
        trouble=f"{description.state}: {description.reason or description.error}" if description and stuck else None,
        notes=tuple(str(note) for note in status.get("notes") or ()),
        workflow_id=fallback,
        snoozed_until=_moment(snooze, "until") if isinstance(snooze := status.get("snoozed"), dict) else None,
    )


def _text(status: dict[str, Any], key: str) -> str | None:
    value = status.get(key)
    return value if isinstance(value, str) else None


def _moment(status: dict[str, Any], key: str) -> datetime | None:
    try:
        return datetime.fromisoformat(status[key])
    except (KeyError, TypeError, ValueError):
        return None


def _turn(turn: Any) -> str:
    """`ann, @acme/core: review requested`."""
    if not isinstance(turn, dict):
        return ""
    who = [*map(str, turn.get("who") or ()), *(f"@{team}" for team in turn.get("teams") or ())]
    return f"{', '.join(who) or 'nobody'}: {str(turn.get('reason', '')).replace('_', ' ')}"
