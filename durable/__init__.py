"""Durable execution in plain synchronous Python on PostgreSQL: what a workflow's author imports."""

from durable.context import heartbeat, info, resource
from durable.definitions import Activity, ActivityDecorator, Found, Workflow, activity, transaction, workflow
from durable.errors import (
    ActivityFailed,
    Cancelled,
    DurableError,
    InDoubt,
    NotSerializable,
    Park,
    RetryAfter,
    WorkflowClosed,
    WorkflowIdTaken,
    WorkflowNotFound,
    WrongState,
)
from durable.fanout import Child, call, first_of, gather, start_child
from durable.model import ActivityInfo, Description, Signal
from durable.retry import RetryPolicy
from durable.serde import serializable
from durable.verbs import (
    Round,
    continue_as_new,
    now,
    patched,
    random,
    receive,
    rounds,
    set_status,
    sleep,
    uuid4,
)

__all__ = [
    "Activity",
    "ActivityDecorator",
    "ActivityFailed",
    "ActivityInfo",
    "Cancelled",
    "Child",
    "Description",
    "DurableError",
    "Found",
    "InDoubt",
    "NotSerializable",
    "Park",
    "RetryAfter",
    "RetryPolicy",
    "Round",
    "Signal",
    "Workflow",
    "WorkflowClosed",
    "WorkflowIdTaken",
    "WorkflowNotFound",
    "WrongState",
    "activity",
    "call",
    "continue_as_new",
    "first_of",
    "gather",
    "heartbeat",
    "info",
    "now",
    "patched",
    "random",
    "receive",
    "resource",
    "rounds",
    "serializable",
    "set_status",
    "sleep",
    "start_child",
    "transaction",
    "uuid4",
    "workflow",
]
