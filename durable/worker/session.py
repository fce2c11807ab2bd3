"""PostgreSQL as the runtime of one claimed run: it answers what history does not hold, and writes what happened.

The result of step k is kept back until the intent of step k+1 and committed with it. When the next verb is not reached
soon, `flush_if_older` commits it alone.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NoReturn, TypeVar

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
from durable.postgres import endings, gates, journal
from durable.postgres.database import Database, is_away
from durable.postgres.journal import Close, Disposition, FenceLost, Forget, Hold, ParkAt, Wait, Write
from durable.replay import Completed, Continued, Divergence, Ended, Failed, GivenUp, Outcome, Waiting
from durable.serde import encode
from durable.worker.effects import Effects
from durable.worker.family import Family
from durable.worker.lease import Lease
from durable.worker.offloading import Offloading
from durable.worker.orphans import settle_orphans
from durable.worker.writer import Writer

log = logging.getLogger(__name__)
T = TypeVar("T")
CLAIM_HOLD_S = 60.0
MOST_ATTEMPTS = 10
DATABASE_RETRY_S = 0.2


class _WorkFailed(Exception):
    """The author's part of a transaction raised; its error is the cause."""


class Session:
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
        self.claim = claim
        self._database = database
        self._writer = writer
        self._lease = lease
        self._stopping = stopping
        self._claimed_at = claimed_at
        self._effects = Effects(self, lease, resources)
        self._family = Family(self)
        self._offloading = Offloading(database, claim)
        self.fitting = self._offloading.fitting
        self.members = self._offloading.members
        self._lock = threading.RLock()
        self._kept: dict[int, Entry] = {}
        self._kept_since = 0.0
        self._status: str | None = None
        self._forget: Forget | None = None
        self._lost = False
        self.due_in: float | None = 0.0
        """Seconds until something may be due because of this run (itself, its members, its parent); None: nothing."""

    # --- time -----------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The engine's time: the claim's, moved on by the monotonic clock. In a worker never behind the database's."""
        return self.claim.now + timedelta(seconds=time.monotonic() - self._claimed_at)

    # --- the replay core's Runtime ----------------------------------------------------------------------------------

    def set_status(self, value: str) -> None:
        """Show this with the next commit."""
        with self._lock:
            self._status = self.fitting(value)

    def answer(self, step: int, command: Command, entry: Entry | None) -> Entry:
        """Answer a command in place, or suspend."""
        if self._stopping.is_set() or self._lost:
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
            done = replace(started, state="done", payload=payload, at=max(now, self.now()))
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

        def see(connection: Connection) -> None:
            journal.lock(connection, self.claim)
            journal.cancel_seen(connection, self.claim)
            self.store(connection, cancelled, None)

        with self._lock:
            self._once("cancel", see)
            self._forget_kept()
            self.claim = replace(self.claim, cancel=None)
        return cancelled

    def begin_round(self, entry: Entry, first: int) -> None:
        """Keep back where a bounded loop is, and that the steps of the round before are to be forgotten."""
        if self._stopping.is_set() or self._lost:
            raise Abandoned
        self.fitting(entry.payload or "")
        with self._lock:
            self._kept = {step: kept for step, kept in self._kept.items() if step < entry.step}
            self._forget = Forget(entry.step, first)
            self.keep(entry)

    # --- writing ----------------------------------------------------------------------------------------------------

    def keep(self, entry: Entry) -> Entry:
        """Keep an entry back for the next commit; returns it."""
        with self._lock:
            self._kept[entry.step] = entry
            self._kept_since = time.monotonic()
        return entry

    def write(self, entry: Entry, *, hold: float = 0.0) -> None:
        """Commit an entry, with what was kept back, and go on holding the claim for `hold` seconds more than usual."""
        self._write([entry], self._hold(hold))

    def beat(self, *, hold: float) -> None:
        """Hold the claim for `hold` seconds more than usual, from now."""
        self._write([], self._hold(hold))

    def suspend(self, entry: Entry, disposition: Disposition) -> NoReturn:
        """Commit an entry and give the thread back."""
        self._write([entry], disposition)
        if isinstance(disposition, Wait):
            self._will_be_due(disposition.wake_at)
        raise Suspended

    def park(self, entry: Entry, gate: str, reason: str) -> NoReturn:
        """Close a gate, commit an entry and wait there."""

        def close_and_park(connection: Connection) -> None:
            gates.close(connection, gate, reason)
            self.store(connection, entry, ParkAt(gate))

        with self._lock:
            self._once("park", close_and_park)
            self._forget_kept()
        log.warning("parked at the gate %s: %s", gate, reason, extra={"workflow_id": self.claim.workflow_id})
        raise Suspended

    def transact(self, work: Callable[[Connection], Entry]) -> Entry:
        """Run `work` in the transaction that stores the entry it returns, exactly once.

        An error of `work` is raised and everything rolled back; when the database went away in the middle the run is
        given up, because only a fresh read can tell whether the commit came through.
        """

        def in_one(connection: Connection) -> Entry:
            journal.lock(connection, self.claim)
            try:
                with connection.begin_nested():
                    entry = work(connection)
            except Exception as error:
                raise _WorkFailed from error
            self.store(connection, entry, None)
            return entry

        with self._lock:
            try:
                entry = self._once("transaction", in_one)
            except _WorkFailed as failed:
                error = failed.__cause__
                if not isinstance(error, Exception) or is_away(error):
                    self._lose(failed)
                raise error from None
            self._forget_kept()
        return entry

    def at_once(self, label: str, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction; what was kept back is its to write, by `store`."""
        with self._lock:
            done = self._once(label, work)
            self._forget_kept()
        return done

    def store(self, connection: Connection, entry: Entry, disposition: Disposition | None) -> None:
        """Write an entry with what was kept back, in a transaction under way; without a disposition go on."""
        shortened = self._offloading.shortened(self._order([entry], disposition or self._hold()))
        self._offloading.use(connection, entry)
        journal.write(connection, shortened)

    def settle_orphans(self) -> None:
        """See to children that nobody waits for any more. What they were left by is committed and has to go on: where
        the database is away, the upkeep sees to them later."""
        try:
            settle_orphans(self._database, self.claim.key)
        except SQLAlchemyError as error:
            extra = {"workflow_id": self.claim.workflow_id}
            log.warning("children not seen to yet: %s", type(error).__name__, extra=extra)

    def flush(self) -> None:
        """Commit what is kept back."""
        with self._lock:
            if self._kept or self._status is not None:
                self._write([], self._hold())

    def flush_if_older(self, seconds: float) -> None:
        """Commit what has been kept back for longer than this; never raises, the run finds out at its next verb."""
        if not self._kept or time.monotonic() - self._kept_since < seconds or not self._lock.acquire(blocking=False):
            return
        try:
            self.flush()
        except Abandoned:
            self._lost = True
        finally:
            self._lock.release()

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
        return replace(self.claim, run=self.claim.run + 1, input=input_, history={}, created_at=now, seed=None)

    def _give_up(self) -> None:
        if not self._lost:
            try:
                self.flush()
            except Abandoned:
                return

    def _will_be_due(self, at: datetime | None) -> None:
        self.due_in = None if at is None else (at - self.now()).total_seconds()

    def _hold(self, more: float = 0.0) -> Hold:
        return Hold(CLAIM_HOLD_S + more)

    def _order(self, entries: Sequence[Entry], disposition: Disposition) -> Write:
        """These entries and what was kept back, as one write."""
        every = self._kept | {entry.step: entry for entry in entries}
        return Write(self.claim, list(every.values()), disposition, self._status, self._forget)

    def _forget_kept(self) -> None:
        self._kept.clear()
        self._status = None
        self._forget = None

    def _write(self, entries: list[Entry], disposition: Disposition) -> None:
        """Write, and do it again while the database is away, as long as the lease is ours: it is the same each time."""
        with self._lock:
            order = self._order(entries, disposition)
            while True:
                try:
                    self._writer.write(self._offloading.shortened(order))
                    break
                except FenceLost as lost:
                    self._lose(lost)
                except SQLAlchemyError as error:
                    if not is_away(error) or self._lease.remaining() <= 0 or self._stopping.wait(DATABASE_RETRY_S):
                        self._lose(error)
            self._forget_kept()

    def _once(self, label: str, work: Callable[[Connection], T], *, single: bool = False) -> T:
        """One transaction (`single`: one trip, which is one) that may not be repeated blindly: when it fails, only a
        fresh read tells what is true."""
        opened = self._database.statement(label) if single else self._database.transaction(label)
        with self._or_lose(), opened as connection:
            return work(connection)

    @contextmanager
    def _or_lose(self) -> Iterator[None]:
        try:
            yield
        except (FenceLost, SQLAlchemyError) as error:
            self._lose(error)

    def _whole(self, entry: Entry) -> Entry:
        with self._or_lose():
            return self._offloading.whole(entry)

    def _lose(self, error: Exception) -> NoReturn:
        self._lost = True
        what = "fence lost" if isinstance(error, FenceLost) else "given up"
        log.warning("%s: %s", what, error, extra={"workflow_id": self.claim.workflow_id, "fence": self.claim.fence})
        raise Abandoned from error


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
