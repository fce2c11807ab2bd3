"""Runs claims: each in a thread of its own, as many at once as there are slots."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from durable import replay
from durable.definitions import Workflow
from durable.errors import Abandoned
from durable.model import Claim
from durable.postgres import scheduling
from durable.postgres.database import Database, is_away
from durable.worker.lease import Lease
from durable.worker.ledger import DATABASE_RETRY_S
from durable.worker.session import MOST_ATTEMPTS, Session
from durable.worker.writer import Writer

log = logging.getLogger(__name__)
LINGER_S = 0.05
LINGER_CHECK_S = 0.025


class Runner:
    """The slots of one worker. `on_free` is called whenever a slot becomes free, with the seconds until something is due
    because of the run that had it (None: nothing is)."""

    def __init__(
        self,
        database: Database,
        lease: Lease,
        workflows: Mapping[str, Workflow[..., Any]],
        resources: Mapping[type, Any],
        slots: int,
        on_free: Callable[[float | None], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._writer = Writer(database)
        self._lease = lease
        self._workflows = workflows
        self._resources = resources
        self._slots = slots
        self._on_free = on_free
        self._changed = threading.Condition()
        self._sessions: set[Session] = set()
        self._busy = 0
        self._held: set[int] = set()
        self._stopping = threading.Event()
        self._never = threading.Event()
        self._lingerer = threading.Thread(target=self._flush_what_lingers, name="durable-linger", daemon=True)

    def start(self) -> None:
        """Begin to watch over results that wait for their commit."""
        self._lingerer.start()

    @property
    def free(self) -> int:
        """How many more claims may be taken."""
        return 0 if self._stopping.is_set() else self._slots - self._busy

    @property
    def held(self) -> list[int]:
        """The keys of the claims in hand."""
        with self._changed:
            return list(self._held)

    def submit(self, claim: Claim, claimed_at: float) -> None:
        """Run a claim in a thread of its own. `claimed_at` is the monotonic time before it was asked for."""
        with self._changed:
            self._busy += 1
            self._held.add(claim.key)
        name = f"durable-{claim.workflow_id}"
        threading.Thread(target=self._run_in_slot, args=(claim, claimed_at), name=name, daemon=True).start()

    def run(self, claim: Claim, claimed_at: float) -> float | None:
        """Run a claim, and the runs it continues as, to the point where it waits or ends. Returns the seconds until
        something is due because of it; None when nothing is."""
        following: Claim | None = claim
        while following is not None:
            claim, session = following, self._session(following, claimed_at)
            with self._changed:
                self._sessions.add(session)
                self._changed.notify_all()
            try:
                following = self._pass(claim, session)
                claimed_at = session.claimed_at  # by whose clock the next run goes on
            except Abandoned:
                following = None
                self._release(claim)
            finally:
                with self._changed:
                    self._sessions.discard(session)
        return session.due_in

    def stop(self, grace: float) -> bool:
        """Begin nothing new; runs give up at their next verb, calls under way get `grace` seconds. True: all ended."""
        self._stopping.set()
        with self._changed:
            return self._changed.wait_for(lambda: self._busy == 0, timeout=grace)

    def _session(self, claim: Claim, claimed_at: float) -> Session:
        return Session(self._database, self._writer, claim, self._lease, self._resources, self._stopping, claimed_at)

    def _pass(self, claim: Claim, session: Session) -> Claim | None:
        if claim.attempts > MOST_ATTEMPTS:
            session.pause(
                f"claimed {claim.attempts - 1} times without progress; the last worker may have crashed on it"
            )
            return None
        if len(claim.history) > replay.MANY_ENTRIES:
            log.warning(
                "a history of %d entries is replayed at every wake; use rounds() or continue_as_new()",
                len(claim.history),
                extra={"workflow_id": claim.workflow_id},
            )
        workflow = self._workflows[claim.name]
        seed = claim.seed or replay.seed_of(claim.workflow_id, claim.run, claim.created_at)
        one_pass = replay.Replay(claim.history, session, began=claim.created_at, seed=seed)
        return session.conclude(replay.run(workflow, claim.input, one_pass))

    def _run_in_slot(self, claim: Claim, claimed_at: float) -> None:
        due_in: float | None = 0.0
        try:
            due_in = self.run(claim, claimed_at)
        except Exception:
            log.exception("the engine failed on a run", extra={"workflow_id": claim.workflow_id})
        finally:
            with self._changed:
                self._busy -= 1
                self._held.discard(claim.key)
                self._changed.notify_all()
            self._on_free(due_in)

    def _release(self, claim: Claim) -> None:
        """Give a claim back; while the database is away again and again, for as long as the lease is ours."""
        while True:
            try:
                with self._database.statement("release") as connection:
                    scheduling.release(connection, claim)
            except SQLAlchemyError as error:
                if is_away(error) and self._lease.remaining() > 0 and not self._stopping.wait(DATABASE_RETRY_S):
                    continue
                log.warning("not given back: %s", type(error).__name__, extra={"workflow_id": claim.workflow_id})
            return

    def _flush_what_lingers(self) -> None:
        """Commit results whose run does not come to its next verb soon. Sleeps while nothing runs."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._sessions))
                sessions = list(self._sessions)
            for session in sessions:
                session.flush_if_older(LINGER_S)
            self._never.wait(LINGER_CHECK_S)
