"""What recurs, ticked by APScheduler in memory: reaping what the dead left, opening for strays, pruning.

Nothing here has to happen at a certain moment; what has to (heartbeat, timers) has a thread of its own.
"""

import logging
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from durable.client import Client
from durable.postgres import deadlines, gates, payload_pruning, scheduling
from durable.postgres.database import Database
from durable.postgres.pruning import prune
from durable.worker.lease import Lease, is_gone
from durable.worker.metronome import Metronome
from durable.worker.orphans import settle_orphans
from durable.worker.scheduler import tick

log = logging.getLogger(__name__)
BATCH = 1000
KEEP = {
    "deliveries": timedelta(days=7),
    "signals": timedelta(days=30),
    "runs": timedelta(days=30),
    "kept runs": timedelta(0),
    "occurrences": timedelta(days=30),
}

PAYLOADS_AGE = timedelta(days=1)
"""How long a large content stays that nobody uses: whoever has written it may still write the row that refers to it."""
PAYLOADS_BATCH = 100


class Upkeep:
    """The recurring duties of one worker. `on_due` is called when something became due by them."""

    def __init__(self, database: Database, lease: Lease, on_due: Callable[[], None]) -> None:
        self._database = database
        self._lease = lease
        self._on_due = on_due
        self._metronome = Metronome()

    def start(self, reap_every: float) -> None:
        """Begin to tick; `reap_every` is in seconds."""
        self._every(reap_every, self.reap)
        self._every(1, self.keep_time)
        self._every(15, self.wake_strays)
        self._every(15, self.settle_orphans)
        self._every(600, self.prune)
        self._metronome.start()

    def stop(self) -> None:
        """Stop ticking; does not wait for a duty under way."""
        self._metronome.stop()

    def reap(self) -> int:
        """Return the work of dead workers: of this host those whose process is gone, of others whose lease ran out."""
        with self._database.reading() as connection:
            any_left, peers = scheduling.look_for_dead(connection, self._lease.process.host)
        gone = [worker for worker, process in peers.items() if worker != self._lease.worker and is_gone(process)]
        if not any_left and not gone:
            return 0
        total = 0
        while True:
            with self._database.transaction("reap") as connection:
                returned = scheduling.reclaim(connection, gone, most=BATCH)
            total += len(returned)
            for workflow_id in returned:
                log.info("taken over from a dead worker", extra={"workflow_id": workflow_id})
            if len(returned) < BATCH:
                break
        if total:
            self._on_due()
        return total

    def keep_time(self) -> None:
        """Start what the schedules have due, and cancel what is overdue."""
        self.tick_schedules()
        self.cancel_overdue()

    def tick_schedules(self) -> None:
        """Start what the schedules have due."""
        if tick(self._database):
            self._on_due()

    def cancel_overdue(self) -> int:
        """Cancel runs whose deadline has passed; returns how many that were. Idle it costs one small query."""
        with self._database.reading() as connection:
            if not deadlines.any_overdue(connection):
                return 0
        with self._database.transaction("deadline") as connection:
            overdue = deadlines.enforce(connection, most=BATCH)
        for workflow_id in overdue:
            log.info("cancelled: its deadline has passed", extra={"workflow_id": workflow_id})
        if overdue:
            self._on_due()
        return len(overdue)

    def wake_strays(self) -> None:
        """Wake what was parked in the very moment its gate was opened."""
        with self._database.reading() as connection:
            names = gates.strayed(connection)
        for name in names:
            Client(self._database, hint=self._on_due).wake_parked(name)

    def settle_orphans(self) -> None:
        """See to children whose parent ended in a process that died before it saw to them."""
        if settle_orphans(self._database):
            self._on_due()

    def prune(self) -> None:
        """Forget what is old, batch by batch."""
        for what, age in KEEP.items():
            while True:
                with self._database.transaction("prune") as connection:
                    gone = prune(connection, what, age, most=BATCH)
                if gone < BATCH:
                    break
        self._prune_payloads(payload_pruning.review_uses)
        self._prune_payloads(payload_pruning.forget_unused)

    def _prune_payloads(self, look: Callable[..., int]) -> None:
        looked_at = 1
        while looked_at:
            with self._database.transaction("prune") as connection:
                looked_at = look(connection, PAYLOADS_AGE, most=PAYLOADS_BATCH)

    def _every(self, seconds: float, duty: Callable[[], object]) -> None:
        def tolerant() -> None:
            try:
                duty()
            except SQLAlchemyError as error:
                log.warning("%s: %s", duty.__name__, type(error).__name__)

        self._metronome.every(seconds, tolerant, duty.__name__)
