"""For tests of workflows: move the engine's time, and run what is due in the calling thread until nothing is."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from durable.client import Client
from durable.definitions import Workflow
from durable.intake import Router
from durable.postgres import scheduling, timeshift
from durable.postgres.database import Database
from durable.worker.dispatcher import Dispatcher
from durable.worker.lease import Lease
from durable.worker.runner import Runner
from durable.worker.session import CLAIM_HOLD_S
from durable.worker.upkeep import Upkeep

A_LONG_LEASE_S = 3600.0
BATCH = 100


def advance(database: Database, by: timedelta) -> datetime:
    """Move the engine's time; returns the new one. Waits on the real clock (leases, Retry-After) stay what they are."""
    with database.transaction("advance") as connection:
        return timeshift.advance(connection, by)


class InlineWorker:
    """A worker without threads: `run_until_idle` does everything that is due now, in the calling thread."""

    def __init__(
        self,
        database: Database,
        *,
        workflows: Sequence[Workflow[..., Any]],
        resources: Mapping[type, Any] | None = None,
        routes: Mapping[str, Router] | None = None,
    ) -> None:
        self.database = database
        self.client = Client(database)
        self._names = sorted(workflow.name for workflow in workflows)
        self._lease = Lease(database, A_LONG_LEASE_S)
        self._lease.start()
        by_name = {workflow.name: workflow for workflow in workflows}
        self._runner = Runner(database, self._lease, by_name, resources or {}, BATCH)
        self._dispatcher = Dispatcher(database, routes or {}, on_due=lambda: None)

    def run_until_idle(self) -> int:
        """Dispatch and run until nothing is due; returns how many wakes that took."""
        wakes = 0
        while True:
            dispatched = self._dispatcher.dispatch()
            asked = time.monotonic()
            with self.database.statement("claim") as connection:
                claims = scheduling.claim(connection, self._lease.worker, self._names, BATCH, CLAIM_HOLD_S)
            for claim in claims:
                self._runner.run(claim, asked)
            wakes += len(claims)
            if not claims and not dispatched:
                return wakes

    def run_for(self, duration: timedelta) -> int:
        """Let engine time pass, from timer to timer, running all that comes due on the way; returns the wakes."""
        wakes = self.run_until_idle()
        left = duration
        while True:
            with self.database.reading() as connection:
                due_in = scheduling.next_due(connection, self._names)
            if due_in is None or due_in > left.total_seconds():
                advance(self.database, left)
                return wakes + self.run_until_idle()
            step = timedelta(seconds=max(due_in, 0))
            advance(self.database, step)
            left -= step
            wakes += self.run_until_idle()

    def take_over(self) -> int:
        """Return to the queue what dead processes of this host left behind; returns how many workflows that were."""
        return Upkeep(self.database, self._lease, on_due=lambda: None).reap()

    def close(self) -> None:
        """End the worker's lease."""
        self._lease.stop()
        with self.database.transaction("retire") as connection:
            scheduling.retire(connection, self._lease.worker)
