"""Waiting for the end of a workflow, as a command or a request does that was asked to."""

import time
from threading import Event

from durable.client import Client
from durable.model import Description

_FIRST_S = 0.02
_LONGEST_S = 1.0
_OPEN = ("ready", "running", "waiting", "parked", "paused")


def ended(client: Client, workflow_id: str, timeout: float) -> Description | None:
    """The workflow once it has ended; None when it has not within `timeout` seconds. Raises `WorkflowNotFound`."""
    until, pause, never = time.monotonic() + timeout, _FIRST_S, Event()
    while True:
        description = client.describe(workflow_id)
        if description.state not in _OPEN:
            return description
        left = until - time.monotonic()
        if left <= 0:
            return None
        never.wait(min(pause, left))
        pause = min(pause * 2, _LONGEST_S)
