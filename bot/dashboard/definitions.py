"""The page of what may be run: flows and workflows, each with a form that begins it."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from bot.api.management import Management
from bot.dashboard.fields import RAW, Form, Typed, form_of, read
from bot.dashboard.pages import Act, Asked, Done, Mistyped, NotThere, Pages, View
from bot.dashboard.recurrence import said
from bot.dashboard.signatures import Parameter, WrongArguments, bound, form_of_function, parameters_of
from durable.definitions import Workflow
from durable.errors import DurableError, NotSerializable
from durable.flows import Chain, Flow, Group, Node, PayloadRefused
from durable.postgres import Database
from durable.scheduler import Schedules
from durable.schedules import ScheduleDescription
from handlers.records.schema import storable

_ID, _COMMENT = "id", "comment"


@dataclass(frozen=True)
class Definition:
    """What there is to know of a flow or workflow before it runs. `recurs` says when it runs by itself."""

    name: str
    about: str
    parameters: Sequence[Parameter]
    queue: str
    recurs: Sequence[str]
    parts: Sequence[Mapping[str, Any]] = ()
    hooks: Sequence[str] = ()


def add(pages: Pages, database: Database, management: Management) -> None:
    """Add the list, and the page on which each is begun."""
    runs = _Runs(management)
    schedules = Schedules(database)

    def everything(_: Asked) -> View:
        recurring = schedules.list()
        flows = [_of_flow(flow, recurring) for flow in management.flows.flows.values()]
        workflows = [
            _of_workflow(declared, recurring)
            for name, declared in sorted(management.workflows.items())
            if name not in management.flows.flows
        ]
        return View("definitions.html", {"flows": flows, "workflows": workflows})

    def one(asked: Asked) -> View:
        return runs.page(asked.parameters["name"])

    pages.view("/definitions", everything)
    pages.view("/definitions/{name}/run", one)
    pages.act("/definitions/{name}/run", Act("run", runs.begin, "name", (_ID, _COMMENT)))


class _Runs:
    """Forms that begin something, and what is done with what they bring."""

    def __init__(self, management: Management) -> None:
        self._management = management
        self._flows = management.flows.flows
        self._workflows = management.workflows

    def page(self, name: str, typed: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None) -> View:
        """The form, with what was typed into it and what is wrong with that. Raises `NotThere`."""
        form, flow, function = self._form(name)
        given = {each.key: each.first for each in form.fields} | {RAW: form.raw} if typed is None else typed
        facts = {
            "name": name,
            "about": _first_line(function) if flow is None else "",
            "form": form,
            "is_flow": flow is not None,
            "schema": flow.schema if flow is not None else None,
            "typed": given,
            "errors": {key: storable(told) for key, told in (errors or {}).items()},
        }
        return View("definition_run.html", facts)

    def begin(self, asked: Asked) -> Done:
        """Begin it with what was typed. Raises `NotThere`, `Mistyped`."""
        name = asked.parameters["name"]
        form, flow, _ = self._form(name)
        typed = {key: value.replace("\r\n", "\n") for key, value in asked.form.items() if isinstance(value, str)}
        found = read(form, typed)
        errors = dict(found.errors)
        if not errors:
            begin = self._begin_workflow if flow is None else self._begin_flow
            begun, errors = begin(name, found, asked)
            if not errors:
                return Done(f"{begun} is started", f"/workflows/{quote(begun, safe=':@')}")
        raise Mistyped("Nothing was started: see what is marked.", self.page(name, typed, errors))

    def _begin_flow(self, name: str, found: Typed, asked: Asked) -> tuple[str, dict[str, str]]:
        """The id of the run, or what is wrong."""
        try:
            return self._management.runs.start(name, found.value, storable(asked.text(_COMMENT)) or None), {}
        except PayloadRefused as refused:
            return "", {"": "; ".join(refused.errors)}
        except DurableError as problem:
            return "", {"": str(problem)}

    def _begin_workflow(self, name: str, found: Typed, asked: Asked) -> tuple[str, dict[str, str]]:
        """The id of the workflow, or what is wrong."""
        declared = self._workflows[name]
        workflow_id = asked.text(_ID) or f"{name}-{uuid4().hex}"
        try:
            call = bound(declared.function, found.value)
        except WrongArguments as problem:
            return "", _beside_fields(problem.errors, form_of_function(declared.function), asked)
        try:
            started = self._management.client.start(declared, *call.args, workflow_id=workflow_id, **call.kwargs)
        except (NotSerializable, TypeError) as problem:
            return "", {"": str(problem)}
        except (DurableError, ValueError) as problem:
            return "", {_ID: str(problem)}
        if not started.is_new:
            return "", {_ID: f"{workflow_id} runs already; choose another id, or wait for its end"}
        return workflow_id, {}

    def _form(self, name: str) -> tuple[Form, Flow | None, Callable[..., Any] | None]:
        flow = self._flows.get(name)
        if flow is not None:
            return form_of(flow.schema), flow, None
        declared = self._workflows.get(name)
        if declared is None:
            raise NotThere(f"This process knows no workflow or flow {name}. Another release, or another one's modules?")
        return form_of_function(declared.function), None, declared.function


def _beside_fields(errors: Mapping[str, str], form: Form, asked: Asked) -> dict[str, str]:
    """What is wrong, each beside the field that it was typed into; the rest, and all of JSON's, in a line above."""
    keys = {each.name: each.key for each in form.fields} if not asked.text(RAW) else {}
    beside = {keys[name]: told for name, told in errors.items() if name in keys}
    above = "; ".join(f"{name}: {told}" if name else told for name, told in errors.items() if name not in keys)
    return beside | ({"": above} if above else {})


def _of_workflow(declared: Workflow[..., Any], recurring: Sequence[ScheduleDescription]) -> Definition:
    return Definition(
        name=declared.name,
        about=_first_line(declared.function),
        parameters=parameters_of(declared.function),
        queue=declared.options.queue,
        recurs=_recurs(declared.name, recurring),
    )


def _of_flow(flow: Flow, recurring: Sequence[ScheduleDescription]) -> Definition:
    properties = (flow.schema or {}).get("properties")
    required = (flow.schema or {}).get("required", ())
    parameters = [
        Parameter(name, str(its.get("type", "any")) if isinstance(its, dict) else "any", name not in required)
        for name, its in (properties.items() if isinstance(properties, dict) else ())
    ]
    hooks = [f"after {kind}: {task}" for kind, task in vars(flow.hooks).items() if task]
    return Definition(
        name=flow.full_name,
        about="",
        parameters=parameters,
        queue=", ".join(dict.fromkeys((flow.queue.default, *flow.queue.customs.values()))),
        recurs=_recurs(flow.full_name, recurring),
        parts=[_part(node) for node in flow.tasks],
        hooks=hooks,
    )


def _part(node: Node) -> dict[str, Any]:
    """A part of a flow for the template to draw."""
    if isinstance(node, Group | Chain):
        members = [_part(member) for member in node.members]
        return {"kind": "group" if isinstance(node, Group) else "chain", "name": node.name, "members": members}
    return {"kind": "task", "name": node.name, "members": []}


def _recurs(workflow: str, recurring: Sequence[ScheduleDescription]) -> list[str]:
    return [
        said(schedule.spec) + (", paused" if schedule.paused else "")
        for schedule in recurring
        if schedule.workflow == workflow
    ]


def _first_line(function: Callable[..., Any] | None) -> str:
    """The first sentence of what its author says of it."""
    said = " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split()) if function else ""
    sentence, stop, _ = said.partition(". ")
    return sentence + stop.strip()
