"""What the management interfaces are given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from durable.client import Client
from durable.definitions import Workflow
from durable.flows import FlowRuns, Flows
from durable.operator import Operator


@dataclass(frozen=True)
class Management:
    """`workflows` are those that may be begun, by name: the bot's, the modules', and one for each flow."""

    client: Client
    operator: Operator
    runs: FlowRuns
    flows: Flows
    workflows: Mapping[str, Workflow[..., Any]]
