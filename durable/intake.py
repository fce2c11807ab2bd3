"""Where deliveries come in: many calls share one commit, and each is answered after it."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy import Connection

from durable.definitions import Workflow
from durable.errors import DurableError, IntakeUnavailable
from durable.postgres import deliveries
from durable.postgres.database import Database
from durable.postgres.deliveries import Delivery

__all__ = ["Delivery", "Ignore", "Instruction", "Intake", "Router", "SendSignal", "SignalWithStart", "Unroutable"]
log = logging.getLogger(__name__)


class Unroutable(DurableError):
    """What a router raises for a delivery that no further try can apply: it is kept as failed at once."""


MOST_IN_ONE_COMMIT = 500


@dataclass(frozen=True)
class Ignore:
    """The delivery asks for nothing; `reason` goes into the log."""

    reason: str


@dataclass(frozen=True)
class SendSignal:
    """Signal a workflow that should be running; where none is, the delivery is ignored."""

    workflow_id: str
    signal: str
    payload: Any = None


@dataclass(frozen=True)
class SignalWithStart:
    """Signal a workflow, beginning it (or its next run) where none is running. One that is declared with
    `reuse="reject"` and has ended is left so, and the delivery is ignored."""

    workflow: Workflow[..., Any]
    args: tuple[Any, ...]
    workflow_id: str
    signal: str
    payload: Any = None


Instruction = Ignore | SendSignal | SignalWithStart
Router = Callable[[Delivery, Connection], Sequence[Instruction]]
"""Turns a delivery into what is to be done, reading (and writing) on the connection of its own savepoint."""


class Intake:
    """One writer thread commits whatever has gathered while the commit before it was under way (group commit).

    `hint` is called after each commit that stored something new.
    """

    def __init__(self, database: Database, *, hint: Callable[[], None] | None = None, timeout: float = 8.0) -> None:
        self._database = database
        self._hint = hint
        self._timeout = timeout
        self._queue: SimpleQueue[tuple[Delivery, Future[bool]]] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, delivery: Delivery) -> bool:
        """Store a delivery; returns after its commit: True when it is new (or had failed and is tried again), False
        when it had been taken before. Raises `IntakeUnavailable` when it could not be committed in time."""
        self._ensure_started()
        answer: Future[bool] = Future()
        self._queue.put((delivery, answer))
        try:
            return answer.result(timeout=self._timeout)
        except FutureTimeout:
            answer.cancel()
            raise IntakeUnavailable(f"delivery {delivery.id}: the database did not commit in time") from None

    def _ensure_started(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._commit_what_comes, name="durable-intake", daemon=True)
                self._thread.start()

    def _commit_what_comes(self) -> None:
        while True:
            batch = self._gather()
            try:
                self._commit(batch)
            except Exception as error:  # noqa: BLE001 - this thread must outlive whatever goes wrong
                log.warning("deliveries not stored: %s", type(error).__name__, extra={"deliveries": len(batch)})
                for delivery, answer in batch:
                    if not answer.cancelled():
                        answer.set_exception(IntakeUnavailable(f"delivery {delivery.id}: {type(error).__name__}"))

    def _gather(self) -> list[tuple[Delivery, "Future[bool]"]]:
        batch = [self._queue.get()]
        while len(batch) < MOST_IN_ONE_COMMIT:
            try:
                batch.append(self._queue.get_nowait())
            except Empty:
                break
        return [(delivery, answer) for delivery, answer in batch if answer.set_running_or_notify_cancel()]

    def _commit(self, batch: list[tuple[Delivery, "Future[bool]"]]) -> None:
        once = {(delivery.source, delivery.id): delivery for delivery, _ in reversed(batch)}
        if not once:
            return
        with self._database.statement("intake") as connection:
            new = deliveries.insert(connection, list(once.values()))
        if new and self._hint is not None:
            self._hint()
        for delivery, answer in batch:
            which = (delivery.source, delivery.id)
            answer.set_result(which in new)
            new.discard(which)
