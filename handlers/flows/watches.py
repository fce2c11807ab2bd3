"""Everything the watches know, read from the database for the flows' tasks."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import text

from durable.client import Client
from durable.postgres import Database
from handlers.records import pull_requests
from handlers.records.pull_requests import Repository
from handlers.records.schema import engine_time
from handlers.sight import LIVING, PREFIX
from handlers.watch import watch_pull_request
from handlers.watch_state import Watch, may_begin
from integrations.github.api import PullRequest

_BATCH = 500
MISSED = "missed"
"""What stands for the action of a delivery that never came."""
_REAL_TIME = text("SELECT clock_timestamp()")


class Watches:
    """The watches in a database, each with the state that its present run began with: as of its last delivery or
    reminder, whichever came later."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._client = Client(database)

    def now(self) -> datetime:
        """The engine's time."""
        with self._database.reading() as connection:
            return engine_time(connection)

    def real_time(self) -> datetime:
        """The database's own clock, by which Slack's timestamps can be compared: no test moves it."""
        with self._database.reading() as connection:
            moment: datetime = connection.execute(_REAL_TIME).scalar_one()
        return moment

    def living(self) -> list[Watch]:
        """Every watch that has not ended."""
        return [state for ids in self._living_ids() for state in self._states(ids)]

    def ended_since(self, moment: datetime) -> list[Watch]:
        """Every watch whose pull request was merged or closed since then."""
        with self._database.reading() as connection:
            ids = pull_requests.over_since(connection, moment)
        return [state for first in range(0, len(ids), _BATCH) for state in self._states(ids[first : first + _BATCH])]

    def repositories(self) -> list[Repository]:
        """Every repository of which a pull request was ever watched."""
        with self._database.reading() as connection:
            return pull_requests.repositories(connection)

    def begin_missed(self, pull_request: PullRequest) -> bool:
        """Watch an open pull request that nobody watches and whose last watch, if there was one, did not end in trouble;
        False for any other. To say it twice begins it once."""
        with self._database.reading() as connection:
            known = pull_requests.watched(connection, pull_request.ref)
        if known is not None and (
            known.outcome is None or not may_begin(MISSED, pull_request, known.outcome, known=True)
        ):
            return False
        workflow_id = known.workflow_id if known else pull_request.ref.workflow_id
        state = Watch(workflow_id, pull_request, MISSED)
        return self._client.start(watch_pull_request, state, workflow_id=workflow_id).is_new

    def _living_ids(self) -> Iterator[list[str]]:
        after = None
        while page := self._client.list(prefix=PREFIX, states=LIVING, limit=_BATCH, after=after):
            after = page[-1].workflow_id
            yield [description.workflow_id for description in page]

    def _states(self, ids: Sequence[str]) -> Iterator[Watch]:
        for args, _ in self._client.inputs(ids).values():
            if args and isinstance(args[0], Watch):
                yield args[0]
