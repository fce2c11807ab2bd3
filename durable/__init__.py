"""Durable execution in plain synchronous Python on PostgreSQL: what a workflow's author imports."""

from durable.context import info, resource
from durable.definitions import Activity, ActivityDecorator, Found, Workflow, activity, transaction, workflow
from durable.errors import (
    ActivityFailed,
    DurableError,
    InDoubt,
    NotSerializable,
    Park,
    RetryAfter,
    WorkflowClosed,
    WorkflowNotFound,
)
from durable.model import ActivityInfo, Description, Signal
from durable.retry import RetryPolicy
from durable.serde import serializable
from durable.verbs import continue_as_new, now, random, receive, set_status, sleep, uuid4

__all__ = [
    "Activity",
    "ActivityDecorator",
    "ActivityFailed",
    "ActivityInfo",
    "Description",
    "DurableError",
    "Found",
    "InDoubt",
    "NotSerializable",
    "Park",
    "RetryAfter",
    "RetryPolicy",
    "Signal",
    "Workflow",
    "WorkflowClosed",
    "WorkflowNotFound",
    "activity",
    "continue_as_new",
    "info",
    "now",
    "random",
    "receive",
    "resource",
    "serializable",
    "set_status",
    "sleep",
    "transaction",
    "uuid4",
    "workflow",
]
