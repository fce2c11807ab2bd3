"""Waiting for the end of a workflow, as a command or a request does that was asked to."""

from bot.tries import tries
from durable.client import Client
from durable.model import Description

_FIRST_S = 0.02
_LONGEST_S = 1.0
_OPEN = ("ready", "running", "waiting", "parked", "paused")


def ended(client: Client, workflow_id: str, timeout: float) -> Description | None:
    """The workflow once it has ended; None when it has not within `timeout` seconds. Raises `WorkflowNotFound`."""
    for _ in tries(timeout, every=_FIRST_S, longest=_LONGEST_S):
        description = client.describe(workflow_id)
        if description.state not in _OPEN:
            return description
    return None
