"""What Director's interface answers, for the OpenAPI document and whoever reads it."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from durable.flows import FlowStatus


class Pong(BaseModel):
    """It is there."""

    message: str


class WorkflowRun(BaseModel):
    """One run. `payload` is left out where it was asked to be, `comment` where there is none."""

    id: str
    created: str
    updated: str
    project: str
    name: str
    fullname: str
    status: FlowStatus
    periodic: bool
    payload: Any = None
    comment: str = ""


class WorkflowTask(BaseModel):
    """One task of a run. `previous` are the ids of those before it; `reached` tells whether its turn came."""

    id: str
    created: str
    updated: str
    key: str
    status: FlowStatus
    task: str
    previous: list[str]
    result: Any
    is_hook: bool
    reached: bool


class WorkflowWithTasks(WorkflowRun):
    """One run with its tasks."""

    tasks: list[WorkflowTask]


class Definition(BaseModel):
    """A flow as its file has it, its schema in it."""

    model_config = ConfigDict(extra="allow")
    fullname: str
    project: str
    name: str
    tasks: list[Any]


class Error(BaseModel):
    """Why a request was refused; `errors` are the findings about what it brought."""

    error: str
    errors: list[str] = []


class Unauthorized(BaseModel):
    """Nobody has shown a token."""

    status: int
    error: str
    message: str
