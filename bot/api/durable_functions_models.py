# ruff: noqa: N815 - the names are those of the interface
"""What Durable Functions' interface answers, for the OpenAPI document and whoever reads it."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from bot.api.durable_functions_words import RuntimeStatus


class ManagementUris(BaseModel):
    """The addresses under which an instance is managed. `{eventName}` and `{text}` are to be filled in."""

    id: str
    statusQueryGetUri: str
    sendEventPostUri: str
    terminatePostUri: str
    rewindPostUri: str
    restartPostUri: str
    suspendPostUri: str
    resumePostUri: str
    purgeHistoryDeleteUri: str


class HistoryEvent(BaseModel):
    """One event of an instance's history; what else stands in it depends on `EventType`."""

    model_config = ConfigDict(extra="allow")
    EventType: str
    Timestamp: str


class InstanceStatus(BaseModel):
    """An instance as it stands. `historyEvents` is there when it was asked for."""

    name: str
    instanceId: str
    runtimeStatus: RuntimeStatus
    input: Any
    customStatus: Any
    output: Any
    createdTime: str
    lastUpdatedTime: str
    historyEvents: list[HistoryEvent] = []


class Purged(BaseModel):
    """How many instances are forgotten."""

    instancesDeleted: int


class Refused(BaseModel):
    """Why a request was refused."""

    message: str
