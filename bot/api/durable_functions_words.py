"""Our workflows in the words of Durable Functions: their statuses, their status object, their history. Pure.

The words are those of https://learn.microsoft.com/azure/azure-functions/durable/durable-functions-http-api.
"""

import inspect
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote

from bot.api.json import json_of
from durable.definitions import Workflow
from durable.errors import Undecodable
from durable.model import MEMBER_MARK, Description, Entry, Signal, WorkflowState
from durable.serde import decode

RuntimeStatus = Literal[
    "Running", "Completed", "ContinuedAsNew", "Failed", "Canceled", "Terminated", "Pending", "Suspended"
]
ENDED: tuple[RuntimeStatus, ...] = ("Completed", "Failed", "Canceled", "Terminated")
_STATES: dict[RuntimeStatus, tuple[WorkflowState, ...]] = {
    "Pending": ("ready",),
    "Running": ("running", "waiting", "parked"),
    "ContinuedAsNew": (),  # nobody sees a workflow between two runs
    "Suspended": ("paused",),
    "Completed": ("completed",),
    "Failed": ("failed",),
    "Terminated": ("terminated",),
    "Canceled": ("cancelled",),
}
_STATUS_OF = {state: status for status, states in _STATES.items() for state in states}
_VERBS = {
    "sendEventPostUri": "/raiseEvent/{eventName}",
    "terminatePostUri": "/terminate?reason={text}",
    "rewindPostUri": "/rewind?reason={text}",
    "restartPostUri": "/restart",
    "suspendPostUri": "/suspend?reason={text}",
    "resumePostUri": "/resume?reason={text}",
}


def status_of(state: WorkflowState) -> RuntimeStatus:
    """The status of a workflow; one that is due and waits for a worker is `Pending`."""
    return _STATUS_OF[state]


def states_of(statuses: Sequence[str]) -> tuple[WorkflowState, ...]:
    """The states of these statuses, which may be lists with commas, in any case. Raises `ValueError`."""
    by_name = {status.lower(): states for status, states in _STATES.items()}
    wanted = [name.strip().lower() for given in statuses for name in given.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in by_name]:
        raise ValueError(f"runtimeStatus {unknown[0][:50]!r} is none of {', '.join(_STATES)}")
    return tuple(dict.fromkeys(state for name in wanted for state in by_name[name]))


def management_of(base: str, instance_id: str, query: str) -> dict[str, str]:
    """The addresses under which an instance is managed; `query` is what they carry on."""
    instance = f"{base}/instances/{quote(instance_id, safe='')}"
    found = {"id": instance_id, "statusQueryGetUri": _with(instance, query)}
    found |= {key: _with(instance + path, query) for key, path in _VERBS.items()}
    return found | {"purgeHistoryDeleteUri": _with(instance, query)}


def arguments_for(workflow: Workflow[..., Any], given: Any, *, is_given: bool) -> tuple[Any, ...]:
    """The input as arguments: the only one by position, and none for a workflow without parameters. Raises
    `ValueError` for a workflow that takes another number of them."""
    signature = inspect.signature(workflow.function)
    if not signature.parameters:
        return ()
    try:
        signature.bind(given)
    except TypeError as problem:
        raise ValueError(f"{workflow.name} does not take its input as one argument: {problem}") from problem
    first = next(iter(signature.parameters.values()))
    return (given,) if is_given or first.default is first.empty else ()


def status_json(
    described: Description,
    given: tuple[tuple[Any, ...], dict[str, Any]] | None,
    events: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """An instance's status. `given` is its input, where it is shown; `events` its history, where it is asked for."""
    shown = {
        "name": described.name,
        "instanceId": described.workflow_id,
        "runtimeStatus": status_of(described.state),
        "input": None if given is None else input_of(*given),
        "customStatus": json_of(described.status),
        "output": output_of(described),
        "createdTime": _to_the_second(described.created_at),
        "lastUpdatedTime": _to_the_second(described.updated_at),
    }
    return shown if events is None else shown | {"historyEvents": events}


def input_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a workflow was given: its only argument, or all of them."""
    if kwargs:
        return json_of({"args": list(args), "kwargs": kwargs} if args else kwargs)
    return json_of(args[0] if len(args) == 1 else list(args) or None)


def output_of(described: Description) -> Any:
    """What a workflow returned, or why it ended otherwise."""
    if described.state == "completed":
        return json_of(described.result)
    return (described.reason or described.error) if status_of(described.state) in ENDED else None


def history_events(
    described: Description, entries: Sequence[Entry], *, given: Any, with_results: bool
) -> list[dict[str, Any]]:
    """The history of the present run. What was begun and has ended is one event; results are left out unless asked for.

    When a step was begun is not kept once it has ended, so there is no `ScheduledTime`.
    """
    started = {"EventType": "ExecutionStarted", "FunctionName": described.name, "Input": given}
    events = [started | {"Timestamp": _exactly(described.created_at)}]
    for entry in entries:
        events.extend(_events_of(entry))
    status = status_of(described.state)
    if status in ENDED:
        ended = {"EventType": "ExecutionCompleted", "OrchestrationStatus": status, "Result": output_of(described)}
        at = max([described.updated_at, *(entry.at for entry in entries)])  # one commit, in which each takes its time
        events.append(ended | {"Timestamp": _exactly(at)})
    if not with_results:
        for event in events:
            event.pop("Result", None)
    return events


def _events_of(entry: Entry) -> Iterator[dict[str, Any]]:
    events = _KINDS.get(entry.kind)
    if events is not None and entry.state != "cancelled":
        for event in events(entry):
            yield event | {"Timestamp": _exactly(entry.at)}


def _of_activity(entry: Entry) -> Iterator[dict[str, Any]]:
    yield _task(entry.name, entry)


def _of_sleep(entry: Entry) -> Iterator[dict[str, Any]]:
    word = "TimerFired" if entry.state == "done" else "TimerCreated"
    yield {"EventType": word} | ({} if entry.due_at is None else {"FireAt": _exactly(entry.due_at)})


def _of_receive(entry: Entry) -> Iterator[dict[str, Any]]:
    if entry.state != "done":
        return
    signal = _value(entry)
    if isinstance(signal, Signal):
        yield {"EventType": "EventRaised", "Name": signal.name, "Input": json_of(signal.payload)}
    else:
        yield {"EventType": "TimerFired"}


def _of_gather(entry: Entry) -> Iterator[dict[str, Any]]:
    """One event for each member, of which the history keeps the names that occur."""
    names, _, _ = entry.name.rpartition(" x")
    names = " ".join(name.removeprefix(MEMBER_MARK).rpartition(".")[2] for name in names.split())
    value = _value(entry)
    answers = value.get("answers") if isinstance(value, dict) else value
    if entry.state not in ("done", "failed") or not isinstance(answers, list):
        yield _task(names, entry)
        return
    for answer in filter(None, answers):
        if "ok" in answer:
            yield {"EventType": "TaskCompleted", "FunctionName": names, "Result": json_of(answer["ok"])}
        elif "failed" in answer:
            yield _failed("TaskFailed", names, answer["failed"])


def _of_child(entry: Entry) -> Iterator[dict[str, Any]]:
    yield {"EventType": "SubOrchestrationInstanceCreated", "FunctionName": entry.name}


def _of_await(entry: Entry) -> Iterator[dict[str, Any]]:
    if entry.state == "done":
        yield {"EventType": "SubOrchestrationInstanceCompleted", "Result": json_of(_value(entry))}
    elif entry.state == "failed":
        yield _failed("SubOrchestrationInstanceFailed", entry.name, _value(entry))


_KINDS = {
    "activity": _of_activity,
    "sleep": _of_sleep,
    "receive": _of_receive,
    "gather": _of_gather,
    "first_of": _of_gather,
    "child": _of_child,
    "await": _of_await,
}


def _task(name: str, entry: Entry) -> dict[str, Any]:
    if entry.state == "done":
        return {"EventType": "TaskCompleted", "FunctionName": name, "Result": json_of(_value(entry))}
    if entry.state == "failed":
        return _failed("TaskFailed", name, _value(entry))
    return {"EventType": "TaskScheduled", "FunctionName": name}


def _failed(word: str, name: str, failure: Any) -> dict[str, Any]:
    told = failure if isinstance(failure, dict) else {"message": json_of(failure)}
    return {
        "EventType": word,
        "FunctionName": name,
        "Reason": json_of(told.get("message")),
        "Details": json_of(told.get("traceback")),
    }


def _value(entry: Entry) -> Any:
    """The result of an entry; as it is stored where this process does not know its types."""
    try:
        return decode(entry.payload or "null")
    except Undecodable:
        return json.loads(entry.payload or "null")


def _with(address: str, query: str) -> str:
    if not query:
        return address
    return f"{address}{'&' if '?' in address else '?'}{query}"


def _to_the_second(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _exactly(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
