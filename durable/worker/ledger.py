"""What one claim has to store: kept back until something has to be certain, then written in one commit.

The result of step k is kept back until the intent of step k+1 and committed with it. When the next verb is not reached
soon, `flush_if_older` commits it alone.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NoReturn, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from durable.errors import Abandoned, Suspended
from durable.model import Claim, Entry
from durable.postgres import gates, journal
from durable.postgres.database import Database, is_away
from durable.postgres.journal import Disposition, FenceLost, Forget, Hold, ParkAt, Wait, Write
from durable.worker.lease import Lease
from durable.worker.offloading import Offloading
from durable.worker.orphans import settle_orphans
from durable.worker.writer import Writer

log = logging.getLogger(__name__)
T = TypeVar("T")
CLAIM_HOLD_S = 60.0
DATABASE_RETRY_S = 0.2


class _WorkFailed(Exception):
    """The author's part of a transaction raised; its error is the cause."""


class Ledger:
    """The books of one claim in one thread. `stopping` is set when the worker shuts down; `claimed_at` is the monotonic
    time before the claim was asked for."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        claim: Claim,
        lease: Lease,
        stopping: threading.Event,
        claimed_at: float,
    ) -> None:
        self.claim = claim
        self._database = database
        self._writer = writer
        self._lease = lease
        self._stopping = stopping
        self.claimed_at = claimed_at
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

    @property
    def must_stop(self) -> bool:
        """Whether the run is to be given up at its next verb."""
        return self._stopping.is_set() or self._lost

    def now(self) -> datetime:
        """The engine's time: the claim's, moved on by the monotonic clock. In a worker never behind the database's."""
        return self.claim.now + timedelta(seconds=time.monotonic() - self.claimed_at)

    def told(self, now: datetime) -> datetime:
        """The engine's time, where the database has just said that it is `now`. What is noted of a run never goes back,
        whichever of the two is ahead."""
        self.claimed_at -= max((now - self.now()).total_seconds(), 0.0)
        return max(now, self.now())

    def set_status(self, value: str) -> None:
        """Show this with the next commit."""
        with self._lock:
            self._status = self.fitting(value)

    def begin_round(self, entry: Entry, first: int) -> None:
        """Keep back where a bounded loop is, and that the steps of the round before are to be forgotten."""
        if self.must_stop:
            raise Abandoned
        self.fitting(entry.payload or "")
        with self._lock:
            self._kept = {step: kept for step, kept in self._kept.items() if step < entry.step}
            self._forget = Forget(entry.step, first)
            self.keep(entry)

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
