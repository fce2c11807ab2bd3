"""Celery Director's HTTP interface: its paths, codes, status words and bodies.

The reference is https://ovh.github.io/celery-director/. Beyond it, a task says whether its turn came (`reached`), and
a run that has ended is not canceled any more (409).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from jsonschema import Draft7Validator

from bot.api import answers
from bot.api.director_models import Definition, Error, Pong, Unauthorized, WorkflowRun, WorkflowWithTasks
from bot.api.door import Door
from bot.api.json import JsonResponse, json_of
from bot.api.management import Management
from bot.api.parameters import documented, json_body
from bot.api.problems import DIRECTOR, Problem
from durable.errors import WorkflowClosed, WorkflowNotFound
from durable.flows import FlowNotFound, FlowRun, PayloadRefused, TaskRun

_PER_PAGE = 1000
_MOST_PAGES = 1_000_000
_NO_PAGE = "there is no such page"
_NO = ("n", "no", "f", "false", "off", "0")
_NEW = {
    "type": "object",
    "required": ["project", "name", "payload"],
    "additionalProperties": False,
    "properties": {
        "project": {"type": "string"},
        "name": {"type": "string"},
        "payload": {"type": "object"},
        "comment": {"type": ["string", "null"], "maxLength": 10_000},
    },
}
_new = Draft7Validator(_NEW)

T = TypeVar("T")


def router(management: Management, door: Door) -> APIRouter:
    """All its routes."""
    public = APIRouter(prefix=DIRECTOR, tags=["Director"], responses={429: answers.one(Error)})

    @public.get("/ping", summary="Whether it is there", response_model=Pong)
    async def ping() -> dict[str, str]:
        """For everybody."""
        return {"message": "pong"}

    guarded = APIRouter(
        dependencies=[Depends(door.admit, scope="function")],
        responses={401: answers.one(Unauthorized), **{code: answers.one(Error) for code in (400, 403, 503)}},
        default_response_class=JsonResponse,
    )
    _add_reading(guarded, management, door)
    _add_doing(guarded, management, door)
    public.include_router(guarded)
    return public


def _add_reading(routes: APIRouter, management: Management, door: Door) -> None:
    runs = management.runs
    missing: dict[int | str, dict[str, Any]] = {404: answers.one(Error)}

    @routes.get(
        "/workflows",
        responses=missing | {200: answers.several(WorkflowRun)},
        openapi_extra=documented(page="integer", per_page="integer", with_payload="boolean"),
        summary="Runs, the newest first",
    )
    async def workflows(request: Request) -> Response:
        """Page `page` of `per_page` each (1000 at most); 404 after the last."""
        page, per_page = _number(request, "page", 1), _number(request, "per_page", _PER_PAGE)
        with_payload = request.query_params.get("with_payload", "").lower() not in _NO
        if not (1 <= page <= _MOST_PAGES and per_page >= 1):
            raise Problem(404, _NO_PAGE)
        found = await door.wait_for(lambda: runs.page(page, min(per_page, _PER_PAGE)))
        if not found and page > 1:
            raise Problem(404, _NO_PAGE)
        return JsonResponse([run_json(run, with_payload=with_payload) for run in found])

    @routes.get(
        "/workflows/{workflow_id}",
        responses=missing | {200: answers.one(WorkflowWithTasks)},
        summary="A run with its tasks",
    )
    async def workflow(workflow_id: str) -> Response:
        """The tasks stand in the order of the definition, the hooks at the end."""
        run = await door.wait_for(lambda: _found(workflow_id, runs.get))
        return JsonResponse(run_json(run) | {"tasks": [task_json(task) for task in run.tasks]})

    @routes.get("/definitions", responses={200: answers.several(Definition)}, summary="Every flow there is")
    async def definitions() -> Response:
        """By name."""
        flows = sorted(management.flows.flows.items())
        return JsonResponse(
            [{"fullname": name, "project": flow.project, "name": flow.name, **flow.raw} for name, flow in flows]
        )


def _add_doing(routes: APIRouter, management: Management, door: Door) -> None:
    runs = management.runs
    missing: dict[int | str, dict[str, Any]] = {404: answers.one(Error)}
    begun: dict[int | str, dict[str, Any]] = missing | {
        201: answers.one(WorkflowRun),
        408: answers.one(Error),
        413: answers.one(Error),
    }

    @routes.post(
        "/workflows",
        status_code=201,
        responses=begun,
        openapi_extra=json_body(required=True, schema=_NEW),
        summary="Begin a run",
    )
    async def create(request: Request) -> Response:
        """The payload has to fit the flow's schema, where it has one."""
        given = await door.json(request)
        if errors := [error.message for error in _new.iter_errors(given)]:
            raise Problem(400, "Error validating against schema", errors=errors)
        full_name = f"{given['project']}.{given['name']}"
        door.name_subject(request, full_name)
        comment = given.get("comment")
        return await _begun(door, management, lambda: runs.start(full_name, given["payload"], comment))

    @routes.post(
        "/workflows/{workflow_id}/relaunch", status_code=201, responses=begun, summary="Begin the same once more"
    )
    async def relaunch(workflow_id: str) -> Response:
        """With the same payload and comment, as the flow is defined now."""
        return await _begun(door, management, lambda: _found(workflow_id, runs.relaunch))

    @routes.post(
        "/workflows/{workflow_id}/cancel",
        status_code=201,
        responses=missing | {201: answers.one(WorkflowRun), 409: answers.one(Error, "It has ended")},
        summary="End a run",
    )
    async def cancel(workflow_id: str) -> Response:
        """At once, with the tasks it has begun."""

        def ask() -> FlowRun:
            try:
                _found(workflow_id, runs.cancel)
            except WorkflowClosed as problem:
                raise Problem(409, str(problem)) from problem
            return runs.get(workflow_id)

        return JsonResponse(run_json(await door.wait_for(ask)), 201)


async def _begun(door: Door, management: Management, begin: Callable[[], str]) -> Response:
    def ask() -> FlowRun:
        try:
            return management.runs.get(begin())
        except FlowNotFound as problem:
            raise Problem(404, str(problem)) from problem
        except PayloadRefused as problem:
            raise Problem(400, "Payload is not valid", errors=problem.errors) from problem

    run = await door.wait_for(ask)
    # What was begun by this request was pending, however fast a worker has been since.
    return JsonResponse(run_json(replace(run, status="pending", updated=run.created)), 201)


def run_json(run: FlowRun, *, with_payload: bool = True) -> dict[str, Any]:
    """A run as Director shows it."""
    shown = {
        "id": run.id,
        "created": run.created.isoformat(),
        "updated": run.updated.isoformat(),
        "project": run.project,
        "name": run.name,
        "fullname": run.full_name,
        "status": run.status,
        "periodic": run.periodic,
    }
    if run.comment is not None:
        shown["comment"] = run.comment
    return shown | ({"payload": json_of(run.payload)} if with_payload else {})


def task_json(task: TaskRun) -> dict[str, Any]:
    """A task of a run as Director shows it."""
    return {
        "id": task.id,
        "created": task.created.isoformat(),
        "updated": task.updated.isoformat(),
        "key": task.key,
        "status": task.status,
        "task": task.task,
        "previous": task.previous,
        "result": json_of(task.result),
        "is_hook": task.is_hook,
        "reached": task.reached,
    }


def _found(workflow_id: str, ask: Callable[[str], T]) -> T:
    """What is asked of a run. Raises `Problem` where there is none, as for an id that none can have."""
    if "\x00" not in workflow_id:
        try:
            return ask(workflow_id)
        except WorkflowNotFound:
            pass
    raise Problem(404, f"Workflow {workflow_id} not found")


def _number(request: Request, name: str, default: int) -> int:
    """A number; what is none is the default."""
    try:
        return int(request.query_params.get(name, default))
    except ValueError:
        return default
