"""What a worker may take, looked for and taken: from queues without a limit in one statement, from others under it."""

from collections import Counter
from collections.abc import Sequence

from durable.model import Claim
from durable.postgres import queues, scheduling
from durable.postgres.database import Database
from durable.postgres.scheduling import Outlook, Serves
from durable.worker.lease import Lease
from durable.worker.ledger import CLAIM_HOLD_S


class Taking:
    """Takes what this worker serves, in the worker's name."""

    def __init__(self, database: Database, lease: Lease, serves: Serves) -> None:
        self._database = database
        self._lease = lease
        self._serves = serves

    def outlook(self) -> Outlook:
        """When there is something to take. One small query, whatever sleeps."""
        with self._database.reading() as connection:
            return scheduling.outlook(connection, self._lease.worker, self._serves)

    def take(self, most: int, outlook: Outlook) -> list[Claim]:
        """Take up to `most` of what is due. Limited queues are locked only when the outlook says that they admit."""
        if outlook.admitting:
            return self._take_within_limits(most, outlook)
        with self._database.statement("claim") as connection:
            return scheduling.claim(connection, self._lease.worker, self._serves, most, CLAIM_HOLD_S)

    def give_back_all_but(self, held: Sequence[int]) -> None:
        """Give back what is claimed in this worker's name and not among the keys it knows of."""
        with self._database.statement("release") as connection:
            scheduling.disown(connection, self._lease.worker, held)

    def _take_within_limits(self, most: int, outlook: Outlook) -> list[Claim]:
        worker = self._lease.worker  # read once: what is admitted to one worker is not for another to take
        with self._database.transaction("claim") as connection:
            rooms = queues.admit(connection, outlook.admitting, worker)
            taken = scheduling.take(connection, worker, self._serves, most, CLAIM_HOLD_S, rooms)
            queues.spend(connection, Counter(row.queue for row in taken))
        with self._database.reading() as connection:
            return scheduling.load(connection, taken)
