"""Limits of queues, set and seen by whoever operates the engine."""

from durable.postgres import queues
from durable.postgres.database import Database
from durable.postgres.queues import Queue

__all__ = ["Queue", "Queues"]


class Queues:
    """The queues of one database. Limits hold over all workers, but for the one that is said of each, and at the latest
    a second after they were set. A worker is a `Worker`, which may be one of several in a process.

    A workflow that waits (for a timer, a signal, a retry or a gate) holds no slot.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def limit(
        self,
        name: str,
        *,
        most_running: int | None = None,
        most_per_worker: int | None = None,
        rate: float | None = None,
        burst: int = 1,
    ) -> None:
        """Limit a queue, in place of the limit it has: at most `most_running` workflows run at one time, at most
        `most_per_worker` of them on each worker, and at most `rate` are claimed a second, `burst` of them at once.
        Every wake of a workflow is a claim. Raises `ValueError`.
        """
        if most_running is None and most_per_worker is None and rate is None:
            raise ValueError(
                f"queue {name!r}: give most_running, most_per_worker or rate; to lift its limit call unlimited({name!r})"
            )
        given = {"most_running": most_running, "most_per_worker": most_per_worker, "rate": rate, "burst": burst}
        for what, value in given.items():
            if value is not None and value <= 0:
                raise ValueError(f"queue {name!r}: {what} is {value}, must be more than 0")
        with self._database.transaction("queues") as connection:
            queues.limit(
                connection,
                name,
                most_running=most_running,
                most_per_worker=most_per_worker,
                rate=rate,
                burst=burst,
            )

    def unlimited(self, name: str) -> bool:
        """Lift a queue's limit; False when it had none."""
        with self._database.transaction("queues") as connection:
            return queues.unlimited(connection, name)

    def list(self) -> list[Queue]:
        """The queues that have a limit or run something now, by name."""
        with self._database.reading() as connection:
            return queues.list_queues(connection)
