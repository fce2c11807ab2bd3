"""Flows: workflows written in YAML, in the format of Celery Director, run as ordinary durable workflows."""

from durable.flows.definition import Chain, Flow, Group, Hooks, Node, Periodic, Routing, Task
from durable.flows.errors import FlowErrors, FlowNotFound, PayloadRefused, Problem, TaskUnknown
from durable.flows.folder import Flows, load
from durable.flows.runs import FlowRuns
from durable.flows.tasks import task
from durable.flows.view import FlowRun, FlowStatus, TaskRun

__all__ = [
    "Chain",
    "Flow",
    "FlowErrors",
    "FlowNotFound",
    "FlowRun",
    "FlowRuns",
    "FlowStatus",
    "Flows",
    "Group",
    "Hooks",
    "Node",
    "PayloadRefused",
    "Periodic",
    "Problem",
    "Routing",
    "Task",
    "TaskRun",
    "TaskUnknown",
    "load",
    "task",
]
