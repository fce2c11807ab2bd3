"""The worker: everything that runs workflows in one process."""

from durable.worker.worker import Worker

__all__ = ["Worker"]
