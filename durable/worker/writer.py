"""The journal's one writer in a worker: runs that want to write at the same time share a statement and a commit.

Whoever comes first leads: it writes for all that have come, and hands the lead to the first that came meanwhile. Alone, a
run writes for itself, without waiting for anybody.
"""

import threading
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from durable.postgres import group_commit, journal
from durable.postgres.database import Database
from durable.postgres.journal import Close, Write

MOST_IN_ONE_COMMIT = 64


class _Place:
    """A write that stands in line: `called` is let go when it was carried out or left out, or when it is to lead."""

    def __init__(self, order: Write) -> None:
        self.order = order
        self.called = threading.Lock()
        self.called.acquire()
        self.is_settled = False
        self.is_written = False


class Writer:
    """Carries out writes, by any number of threads at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._line: list[_Place] = []
        self._led = False

    def write(self, order: Write) -> None:
        """Carry out a write, in a commit of its own or shared. Raises `FenceLost`, and SQLAlchemy's errors: nothing was
        written then, or, when the connection was lost at the commit, it is not known whether."""
        if not group_commit.is_fit(order):
            self._write_alone(order)
            return
        place = _Place(order)
        with self._lock:
            self._line.append(place)
            leads, self._led = not self._led, True
        if not leads:
            place.called.acquire()
        if not place.is_settled:
            self._lead()
        if not place.is_written:
            self._write_alone(order)

    def _lead(self) -> None:
        """Write for all in line, the first of whom calls this; then hand on the lead."""
        with self._lock:
            batch, self._line = self._line[:MOST_IN_ONE_COMMIT], self._line[MOST_IN_ONE_COMMIT:]
        try:
            self._write_all(batch)
        finally:
            with self._lock:
                following = self._line[0] if self._line else None
                self._led = following is not None
            if following is not None:
                following.called.release()
            for place in batch:
                place.is_settled = True
                place.called.release()

    def _write_all(self, batch: Sequence[_Place]) -> None:
        if len(batch) == 1:
            self._write_alone(batch[0].order)
            batch[0].is_written = True
            return
        try:
            with self._database.statement("journal") as connection:
                written = group_commit.write_all(connection, [place.order for place in batch])
        except SQLAlchemyError:
            return  # each by itself finds out whether it is at fault
        for place in batch:
            place.is_written = place.order.claim.key in written

    def _write_alone(self, order: Write) -> None:
        label = "complete" if isinstance(order.disposition, Close) else "journal"
        with self._database.statement(label) as connection:
            journal.write(connection, order)
