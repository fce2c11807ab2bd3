"""Keeping a sample of how the engine is doing for each minute, so that it can be drawn over time."""

from datetime import timedelta

from durable.client import Client
from durable.postgres import Database
from handlers.records import pull_requests, samples
from handlers.records.samples import Sample
from handlers.records.schema import engine_time

MINUTE = timedelta(minutes=1)


class Sampler:
    """Looks once the minute before is over, by the engine's time. Any number of processes may: one sample is kept."""

    def __init__(self, database: Database, client: Client) -> None:
        self._database = database
        self._client = client

    def sample(self) -> bool:
        """Keep the sample of the last full minute; False when there is one. Raises what the database raises."""
        with self._database.reading() as connection:
            minute = engine_time(connection).replace(second=0, microsecond=0) - MINUTE
            if samples.is_kept(connection, minute):
                return False
            watched = pull_requests.count_open(connection)
        overview = self._client.overview()
        found = Sample(
            minute=minute,
            due=overview.due,
            lag_seconds=max(overview.lag_seconds, 0.0),
            deliveries=self._client.count_deliveries(minute, minute + MINUTE),
            watched=watched,
        )
        with self._database.transaction("sample") as connection:
            return samples.keep(connection, found)
