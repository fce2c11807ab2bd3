"""The thread that turns stored deliveries into signals: in order, each with a savepoint, one process at a time."""

import logging
import threading
from collections.abc import Callable, Mapping

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from durable.client import check_workflow_id
from durable.errors import WorkflowClosed, WorkflowIdTaken, WorkflowNotFound
from durable.intake import Ignore, Instruction, Router, SendSignal, SignalWithStart, Unroutable
from durable.postgres import commands, deliveries, payloads
from durable.postgres.database import Database, in_short, is_away
from durable.postgres.deliveries import Received
from durable.replay import encode_input
from durable.serde import encode

log = logging.getLogger(__name__)
BATCH = 50
POLL_S = 1.0
LEAST_S = 0.001
HELD_BY_OTHERS_S = 0.1
TROUBLED_S = 0.5
LOCK_TIMEOUT_MS = 500
MOST_ATTEMPTS = 5
FIRST_RETRY_S = 1.0


class Dispatcher:
    """Applies deliveries by the router of their source. `on_due` is called when something became due by it."""

    def __init__(self, database: Database, routes: Mapping[str, Router], on_due: Callable[[], None]) -> None:
        self._database = database
        self._routes = routes
        self._on_due = on_due
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._dispatch_until_stopped, name="durable-dispatch", daemon=True)

    def start(self) -> None:
        """Begin to dispatch."""
        if self._routes:
            self._thread.start()

    def stop(self) -> None:
        """Dispatch nothing more; returns when that is certain."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self) -> None:
        """Look again now: a delivery has come."""
        self._wake.set()

    def dispatch(self) -> int:
        """Apply the oldest waiting deliveries in one transaction; returns how many were looked at."""
        if not self._routes:
            return 0
        with self._database.transaction("dispatch") as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
            batch = deliveries.waiting(connection, list(self._routes), BATCH)
            for received in batch:
                self._apply(connection, received)
        if batch:
            self._on_due()
        return len(batch)

    def _dispatch_until_stopped(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                pause = self._dispatch_or_wait()
            except Exception as error:  # noqa: BLE001 - this thread must outlive whatever goes wrong
                log.warning("cannot dispatch: %s: %s", type(error).__name__, in_short(error))
                pause = TROUBLED_S
            if not self._stopping and pause > 0:
                self._wake.wait(pause)

    def due_in(self) -> float | None:
        """Seconds until a delivery may be tried (negative: one may), or None when none waits."""
        if not self._routes:
            return None
        with self._database.reading() as connection:
            return deliveries.next_in(connection, list(self._routes))

    def _dispatch_or_wait(self) -> float:
        """Apply what waits; returns the seconds to wait at most. Idle it costs one small query a poll."""
        due_in = self.due_in()
        if due_in is None or due_in > 0:
            return POLL_S if due_in is None else min(max(due_in, LEAST_S), POLL_S)
        return 0.0 if self.dispatch() else HELD_BY_OTHERS_S

    def _apply(self, connection: Connection, received: Received) -> None:
        delivery = received.delivery
        extra = {"source": delivery.source, "delivery_id": delivery.id}
        try:
            with connection.begin_nested():
                notes = [
                    self._carry_out(connection, instruction, delivery.id)
                    for instruction in self._routes[delivery.source](delivery, connection)
                ]
                note = "; ".join(notes) or "nothing to do"
                deliveries.applied(connection, received, note)
            log.info("delivery applied: %s", note, extra=extra)
        except Exception as error:
            if isinstance(error, SQLAlchemyError) and is_away(error):
                raise
            self._not_applied(connection, received, error)

    def _not_applied(self, connection: Connection, received: Received, error: Exception) -> None:
        """Leave it for later, or for good after several tries: one bad delivery never holds up the others."""
        extra = {"source": received.delivery.source, "delivery_id": received.delivery.id}
        note = f"{type(error).__name__}: {error}"
        if isinstance(error, Unroutable) or received.attempts + 1 >= MOST_ATTEMPTS:
            log.error("delivery failed: %s", note, extra=extra)
            deliveries.failed(connection, received, note)
            return
        log.warning("delivery not applied yet: %s", note, extra=extra)
        deliveries.postponed(connection, received, note, FIRST_RETRY_S * 2**received.attempts)

    def _carry_out(self, connection: Connection, instruction: Instruction, key: str) -> str:
        match instruction:
            case Ignore(reason):
                return f"ignored: {reason}"
            case SendSignal(workflow_id, name, payload):
                outgoing = commands.Outgoing(name, self._shortened(encode(payload)), key)
                try:
                    new = commands.signal(connection, workflow_id, outgoing)
                except (WorkflowNotFound, WorkflowClosed) as error:
                    return f"ignored: {error}"
            case SignalWithStart(workflow, args, workflow_id, name, payload):
                outgoing = commands.Outgoing(name, self._shortened(encode(payload)), key)
                input_ = self._shortened(encode_input(args, {}))
                beginning = commands.Beginning(check_workflow_id(workflow_id), workflow.name, input_, workflow.options)
                try:
                    new = commands.signal_with_start(connection, beginning, outgoing)
                except WorkflowIdTaken as error:
                    return f"ignored: {error}"
        return f"{name} to {workflow_id}" if new else f"{name} to {workflow_id} counted before"

    def _shortened(self, encoded: str) -> str:
        return payloads.shorten(self._database, self._database.payloads.fitting(encoded))
