"""PostgreSQL as the runtime of one claimed run: it answers what history does not hold, and concludes the pass.

What it has to store goes into its `Ledger`.
"""

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from durable.errors import Abandoned, Suspended
from durable.model import (
    AwaitChild,
    CallActivity,
    Claim,
    Command,
    Entry,
    Gather,
    Patch,
    Receive,
    Sleep,
    StartChild,
)
from durable.postgres import endings, journal
from durable.postgres.database import Database
from durable.postgres.journal import Close, FenceLost, Wait
from durable.replay import Completed, Continued, Divergence, Ended, Failed, GivenUp, Outcome, Waiting
from durable.serde import encode
from durable.worker.effects import Effects
from durable.worker.family import Family
from durable.worker.lease import Lease
from durable.worker.ledger import CLAIM_HOLD_S, Ledger
from durable.worker.writer import Writer

log = logging.getLogger(__name__)
MOST_ATTEMPTS = 10


class Session(Ledger):
    """One claim in one thread. `stopping` is set when the worker shuts down: the run is then given back at the next verb."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        claim: Claim,
        lease: Lease,
        resources: Mapping[type, Any],
        stopping: threading.Event,
        claimed_at: float,
    ) -> None:
        super().__init__(database, writer, claim, lease, stopping, claimed_at)
        self._effects = Effects(self, lease, resources)
        self._family = Family(self)

    def answer(self, step: int, command: Command, entry: Entry | None) -> Entry:
        """Answer a command in place, or suspend."""
        if self.must_stop:
            raise Abandoned
        if self.claim.cancel is not None and not _in_doubt(command, entry):
            return self._cancel(step, command, entry, self.claim.cancel)
        match command:
            case Patch():
                answered = self.keep(Entry(step, command.kind, command.name, "done", self.now(), payload="true"))
            case Sleep():
                answered = self._sleep(step, command, entry)
            case Receive():
                answered = self._whole(self._receive(step, command, entry))
            case CallActivity():
                answered = self._effects.answer(step, command, entry)
            case Gather():
                answered = self._whole(self._family.gather(step, command, entry))
            case StartChild():
                answered = self._family.start(step, command)
            case AwaitChild():
                answered = self._whole(self._family.await_child(step, command, entry))
        return answered

    def _sleep(self, step: int, command: Sleep, entry: Entry | None) -> Entry:
        started = entry or Entry(step, command.kind, command.name, "started", self.now(), "null")
        due = started.due_at or self.now() + timedelta(seconds=command.seconds)
        if due <= self.now():
            return self.keep(replace(started, state="done", due_at=due, at=self.now()))
        self.suspend(replace(started, due_at=due), Wait(due))

    def _receive(self, step: int, command: Receive, entry: Entry | None) -> Entry:
        def decide(connection: Connection) -> Entry | None:
            now, found = journal.look_for_signal(connection, self.claim, command)
            started = entry or Entry(step, command.kind, command.name, "started", now, due_at=_deadline(command, now))
            if found is None and (started.due_at is None or started.due_at > now):
                self.store(connection, started, Wait(started.due_at, listening=True))
                self._will_be_due(started.due_at)
                return None
            payload = "null"
            if found is not None:
                number, signal, content = found
                journal.read(connection, self.claim, number, step)
                payload = _encoded_signal(signal, content)
            done = replace(started, state="done", payload=payload, at=self.told(now))
            self.store(connection, done, None)
            return done

        with self._lock:
            answered = self._once("receive", decide)
            self._forget_kept()
        if answered is None:
            raise Suspended
        return answered

    def _cancel(self, step: int, command: Command, entry: Entry | None, reason: str) -> Entry:
        """Let the code see, at this step and once, that it is to end."""
        begun = entry or Entry(step, command.kind, command.name, "started", self.now())
        cancelled = replace(begun, state="cancelled", payload=encode(reason), due_at=None, at=self.now())

        is_family = isinstance(command, Gather | AwaitChild) and entry is not None

        def see(connection: Connection) -> None:
            if is_family:
                self._family.let_go(connection, step, command)
            journal.lock(connection, self.claim)
            journal.cancel_seen(connection, self.claim)
            self.store(connection, cancelled, None)

        with self._lock:
            self._once("cancel", see)
            self._forget_kept()
            self.claim = replace(self.claim, cancel=None)
        if is_family:
            self.settle_orphans()
        return cancelled

    def conclude(self, outcome: Outcome) -> Claim | None:
        """Write how the pass ended. Returns the claim of the next run when the workflow continued as new."""
        with self._lock:
            match self._offloading.concluded(outcome):
                case Waiting():
                    return None
                case GivenUp():
                    self._give_up()
                    raise Abandoned
                case Divergence(message):
                    self.pause(message)
                    return None
                case Continued(input_):
                    return self._continue(input_)
                case Completed(result):
                    self._end(Close("completed", result))
                case Ended(reason):
                    self._end(Close("cancelled", reason=reason))
                case Failed(error, message, detail):
                    log.error("failed with %s: %s", error, message, extra={"workflow_id": self.claim.workflow_id})
                    self._end(Close("failed", error=detail, reason=f"{error}: {message}"))
        return None

    def pause(self, reason: str) -> None:
        """Stop the workflow until an operator resumes it."""
        log.error("paused: %s", reason, extra={"workflow_id": self.claim.workflow_id})
        self._write([], journal.Pause(reason))

    def _end(self, ending: Close) -> None:
        with self._or_lose():
            ending = replace(ending, result=self._offloading.short(ending.result))
            order = self._offloading.shortened(self._order([], ending))
        try:
            self._writer.write(order)
            has_children: bool | None = False
            self.due_in = None
        except FenceLost:
            has_children = self._once("complete", lambda at: endings.end(at, order), single=True)
        except SQLAlchemyError as error:
            self._lose(error)
        if has_children is None:
            self._once("complete", lambda at: endings.end_and_go_on(at, order))
            log.info("a signal came with the end: next run", extra={"workflow_id": self.claim.workflow_id})
        self._forget_kept()
        if has_children is not False:
            self.settle_orphans()

    def _continue(self, input_: str) -> Claim:
        with self._or_lose():
            short, status = self._offloading.short(input_), self._offloading.short(self._status)
        now = self._once(
            "continue",
            lambda at: endings.continue_as_new(at, self.claim, short, status=status, hold=CLAIM_HOLD_S),
            single=True,
        )
        self._forget_kept()
        self.told(now)
        return replace(self.claim, run=self.claim.run + 1, input=input_, history={}, created_at=now, seed=None)

    def _give_up(self) -> None:
        if not self._lost:
            try:
                self.flush()
            except Abandoned:
                return


def _in_doubt(command: Command, entry: Entry | None) -> bool:
    """Whether a call may have happened: it is settled first, and the cancellation seen at the next step."""
    return isinstance(command, CallActivity) and entry is not None and entry.state == "started"


def _deadline(command: Receive, now: datetime) -> datetime | None:
    if command.seconds is not None:
        return now + timedelta(seconds=command.seconds)
    return command.until


def _encoded_signal(signal: Any, payload: str) -> str:
    """The signal with its payload spliced in, without decoding what may be large."""
    head = encode(signal)
    return head.replace('"payload":null', f'"payload":{payload}', 1)
