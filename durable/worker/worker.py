"""One worker: a lease, slots, a claimer, a dispatcher and upkeep, started and stopped together."""

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from durable.definitions import Workflow
from durable.fanout import runnable
from durable.intake import Router
from durable.lint import findings
from durable.postgres import scheduling
from durable.postgres.database import Database
from durable.postgres.scheduling import Serves
from durable.worker.claimer import Claimer
from durable.worker.dispatcher import Dispatcher
from durable.worker.hints import Listener, Notifier
from durable.worker.lease import Lease
from durable.worker.runner import Runner
from durable.worker.taking import Taking
from durable.worker.upkeep import Upkeep

log = logging.getLogger(__name__)
REAPS_PER_LEASE = 2
RESERVED_CONNECTIONS = 6


class Worker:
    """Runs the given workflows and applies the deliveries of the given sources.

    `resources` are what activities get by `resource(…)`, by class. `slots` bounds the runs at one time, `lease` is in
    seconds. The database's pool needs `slots` + 6 connections for none to wait. It serves the given `queues` (None:
    all), and of workflows pinned to a version those of `version`. At least every `poll` seconds it looks for what other
    processes made due and no hint told it of.
    """

    def __init__(  # noqa: PLR0913 - keywords, each with a default
        self,
        database: Database,
        *,
        workflows: Sequence[Workflow[..., Any]],
        resources: Mapping[type, Any] | None = None,
        routes: Mapping[str, Router] | None = None,
        slots: int = 8,
        lease: float = 5.0,
        queues: Sequence[str] | None = None,
        version: str | None = None,
        poll: float = 1.0,
    ) -> None:
        by_name = runnable(workflows)
        self._workflows = workflows
        self._database = database
        self._lease = Lease(database, lease, slots=slots, version=version)
        self._notifier = Notifier(database)
        self._runner = Runner(database, self._lease, by_name, resources or {}, slots, on_free=self._slot_is_free)
        taking = Taking(database, self._lease, Serves(sorted(by_name), queues, version))
        self._claimer = Claimer(taking, self._lease, self._runner, poll)
        self._dispatcher = Dispatcher(database, routes or {}, on_due=self._something_is_due)
        self._listener = Listener(database, self.wake, self._notifier.name)
        self._upkeep = Upkeep(database, self._lease, self._something_is_due)
        self._reap_every = lease / REAPS_PER_LEASE
        self._running = False

    def start(self) -> None:
        """Register, take over from a dead predecessor, and begin to work."""
        self._lease.start()
        self._upkeep.reap()
        self._runner.start()
        self._notifier.start()
        self._listener.start()
        self._claimer.start()
        self._dispatcher.start()
        self._upkeep.start(self._reap_every)
        self._running = True
        log.info("worker started", extra={"worker": self._lease.worker})
        for finding in chain.from_iterable(map(findings, self._workflows)):
            log.warning("%s", finding)

    def stop(self, grace: float = 3.0) -> None:
        """Stop: claim nothing more, give back what waits for its next verb, let calls under way end for `grace` seconds
        and leave what still runs then in doubt, for others to look into."""
        self._running = False
        self._upkeep.stop()
        self._listener.stop()
        self._dispatcher.stop()
        self._claimer.stop()
        all_ended = self._runner.stop(grace)
        self._lease.stop()
        try:
            with self._database.transaction("retire") as connection:
                left = scheduling.retire(connection, self._lease.worker)
        except SQLAlchemyError as error:
            log.warning("not retired, the lease will run out: %s", type(error).__name__)
            return
        for workflow_id in left:
            log.warning("left in doubt", extra={"workflow_id": workflow_id})
        log.info("worker stopped", extra={"worker": self._lease.worker, "all_ended": all_ended})

    @property
    def is_alive(self) -> bool:
        """Whether this worker runs and its lease is fresh."""
        return self._running and self._lease.remaining() > 0

    @property
    def hint(self) -> Callable[[], None]:
        """What to call when something became due: wakes this worker, and others by NOTIFY."""
        return self._something_is_due

    def wake(self) -> None:
        """Look for due work and waiting deliveries now."""
        self._claimer.wake()
        self._dispatcher.wake()

    def _slot_is_free(self, due_in: float | None) -> None:
        self._claimer.slot_is_free(due_in)

    def _something_is_due(self) -> None:
        self.wake()
        self._notifier()
