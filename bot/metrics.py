"""What Prometheus may ask: deliveries counted in this process, and the engine's state read at each scrape."""

from collections.abc import Iterable
from typing import Literal

import prometheus_client
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from durable.client import Client

Outcome = Literal["accepted", "duplicate", "ignored", "refused", "unavailable"]
CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST


class Metrics:
    """Everything `GET /metrics` shows, on a registry of its own."""

    def __init__(self, client: Client) -> None:
        self._registry = prometheus_client.CollectorRegistry()
        self._deliveries = prometheus_client.Counter(
            "vigil_deliveries",
            "Deliveries of GitHub that reached this process, by what became of them",
            ["outcome"],
            registry=self._registry,
        )
        prometheus_client.ProcessCollector(registry=self._registry)
        self._registry.register(_Engine(client))

    def count_delivery(self, outcome: Outcome) -> None:
        """Count one delivery."""
        self._deliveries.labels(outcome).inc()

    def exposition(self) -> bytes:
        """All values as Prometheus text. Reads the database: call it from a thread."""
        return prometheus_client.generate_latest(self._registry)


class _Engine(Collector):
    """The engine's state, read when it is asked for, so that idle processes do nothing."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: registering must not read the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The state as of now; with the database away only the gauge that says so."""
        try:
            overview, gates, workers = self._client.overview(), self._client.gates(), self._client.workers()
        except SQLAlchemyError:
            yield _gauge("vigil_database_up", "Whether the database answered this scrape", 0)
            return
        yield _gauge("vigil_database_up", "Whether the database answered this scrape", 1)
        yield _labelled("vigil_workflows", "Workflows by state", "state", overview.counts)
        yield _gauge("vigil_workflows_due", "Workflows that are due and wait for a worker", overview.due)
        yield _gauge("vigil_oldest_due_seconds", "For how long the oldest due timer has waited", overview.lag_seconds)
        yield _gauge("vigil_deliveries_waiting", "Committed deliveries not yet dispatched", overview.undispatched)
        yield _gauge("vigil_deliveries_failed", "Deliveries that could not be applied", overview.failed_deliveries)
        parked = {gate.name: gate.parked for gate in gates}
        yield _labelled("vigil_gate_parked", "Workflows parked at each closed gate", "gate", parked)
        alive = sum(worker.alive for worker in workers)
        yield _gauge("vigil_workers_alive", "Workers whose lease holds", alive)


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)


def _labelled(name: str, documentation: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family
