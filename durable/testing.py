"""For tests of workflows: move the engine's time, run what is due in the calling thread until nothing is, crash at named
points (`crash_at`), and replay exported histories (`replay_exported`)."""

import time
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from durable.client import Client
from durable.crashing import Crash, crash_at, points_passed
from durable.definitions import Workflow
from durable.export import replay_exported
from durable.fanout import runnable
from durable.guard import guarded
from durable.intake import Router
from durable.lint import findings
from durable.postgres import schedules, scheduling, timeshift
from durable.postgres.database import Database
from durable.postgres.scheduling import Serves
from durable.worker.dispatcher import Dispatcher
from durable.worker.lease import Lease
from durable.worker.runner import Runner
from durable.worker.scheduler import tick
from durable.worker.taking import Taking
from durable.worker.upkeep import Upkeep

__all__ = ["Crash", "InlineWorker", "advance", "crash_at", "points_passed", "replay_exported"]

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
        queues: Sequence[str] | None = None,
        version: str | None = None,
        guard: bool = True,
    ) -> None:
        """Without `guard` the workflows' bodies are not held to `durable.guard`, and what `durable.lint` finds in them is
        no warning."""
        for finding in chain.from_iterable(map(findings, workflows)) if guard else ():
            warnings.warn(str(finding), stacklevel=2)
        self.database = database
        self.client = Client(database)
        self._lease = Lease(database, A_LONG_LEASE_S)
        self._lease.start()
        by_name = runnable(map(guarded, workflows) if guard else workflows)
        self._taking = Taking(database, self._lease, Serves(sorted(by_name), queues, version))
        self._runner = Runner(database, self._lease, by_name, resources or {}, BATCH)
        self._dispatcher = Dispatcher(database, routes or {}, on_due=lambda: None)
        self._upkeep = Upkeep(database, self._lease, on_due=lambda: None)

    def run_until_idle(self) -> int:
        """Dispatch and run until nothing is due; returns how many wakes that took."""
        wakes = 0
        while True:
            waiting = self._dispatcher.due_in()
            dispatched = self._dispatcher.dispatch() if waiting is not None and waiting <= 0 else 0
            dispatched += tick(self.database)
            overdue = self._upkeep.cancel_overdue()
            outlook = self._taking.outlook()
            is_due = outlook.due_in is not None and outlook.due_in <= 0
            claims = self._taking.take(BATCH, outlook) if is_due else []
            # From here on, not from before the claim was asked for: a sleep of an hour that began up to now is then due
            # within the hour that `run_for` lets pass next, however long the answer took.
            answered = time.monotonic()
            for claim in claims:
                self._runner.run(claim, answered)
            wakes += len(claims)
            if not claims and not dispatched and not overdue:
                return wakes

    def run_for(self, duration: timedelta) -> int:
        """Let engine time pass, from timer to timer, running all that comes due on the way; returns the wakes."""
        wakes = self.run_until_idle()
        left = duration
        while True:
            due_in = self._due_in()
            if due_in is None or due_in > left.total_seconds():
                advance(self.database, left)
                return wakes + self.run_until_idle()
            step = timedelta(seconds=max(due_in, 0))
            advance(self.database, step)
            left -= step
            wakes += self.run_until_idle()

    def _due_in(self) -> float | None:
        """Seconds until the next timer, of a workflow or a schedule."""
        with self.database.reading() as connection:
            next_schedule = schedules.due_in(connection)
        timers = (self._taking.outlook().due_in, next_schedule)
        return min((timer for timer in timers if timer is not None), default=None)

    def take_over(self) -> int:
        """Return to the queue what dead processes of this host left behind; returns how many workflows that were."""
        return self._upkeep.reap()

    def prune(self) -> None:
        """Forget what is old by the engine's time, as every worker with threads does each ten minutes."""
        self._upkeep.prune()

    def close(self) -> None:
        """End the worker's lease."""
        self._lease.stop()
        with self.database.transaction("retire") as connection:
            scheduling.retire(connection, self._lease.worker)
