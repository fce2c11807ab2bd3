"""Durable Functions' HTTP interface: its paths, codes, headers and bodies, so that its clients and curl lines work here.

The reference is https://learn.microsoft.com/azure/azure-functions/durable/durable-functions-http-api.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Request, Response

from bot.api import answers
from bot.api import durable_functions_queries as queries
from bot.api.door import Door
from bot.api.durable_functions_models import InstanceStatus, ManagementUris, Purged, Refused
from bot.api.json import JsonResponse
from bot.api.management import Management
from bot.api.orchestrations import Orchestrations
from bot.api.parameters import TEXT, documented, flag_of, json_body
from bot.api.problems import DURABLE_FUNCTIONS, Problem

_WAIT = documented(timeout="number", pollingInterval="number")
_REASON = documented(reason=TEXT)
_STATUSES = documented(runtimeStatus=TEXT, createdTimeFrom=TEXT, createdTimeTo=TEXT)


def router(management: Management, door: Door) -> APIRouter:
    """All its routes; entities are not among them."""
    routes = APIRouter(
        prefix=DURABLE_FUNCTIONS,
        tags=["Durable Functions"],
        dependencies=[Depends(door.admit, scope="function")],
        responses={code: answers.one(Refused) for code in (400, 401, 403, 429, 503)},
        default_response_class=JsonResponse,
    )
    orchestrations = Orchestrations(management, door)
    _add_starting(routes, orchestrations)
    _add_looking(routes, orchestrations)
    _add_steering(routes, orchestrations)
    _add_purging(routes, orchestrations)
    return routes


def _add_starting(routes: APIRouter, orchestrations: Orchestrations) -> None:
    begun: dict[int | str, dict[str, Any]] = {
        200: {"description": "It was waited for and has completed: its output"},
        202: answers.one(ManagementUris, "Begun"),
        409: answers.one(Refused, "One of this id runs, or has run and none may again"),
        408: answers.one(Refused, "The body did not arrive in time"),
        413: answers.one(Refused),
        500: answers.one(InstanceStatus, "It was waited for and has failed, and that was to be told so"),
    }
    extra = _WAIT | json_body(required=False)

    @routes.post("/orchestrators/{function_name}", responses=begun, openapi_extra=extra, summary="Begin an instance")
    async def start(request: Request, function_name: str) -> Response:
        """Its id is made up. The body is its input. With `timeout` and `pollingInterval` its end is waited for."""
        return await orchestrations.start(request, function_name, uuid4().hex)

    @routes.post(
        "/orchestrators/{function_name}/{instance_id}",
        responses=begun,
        openapi_extra=extra,
        summary="Begin an instance of this id",
    )
    async def start_named(request: Request, function_name: str, instance_id: str) -> Response:
        """One that has ended begins again; while it runs, this is refused. The workflow's `reuse` may say otherwise."""
        return await orchestrations.start(request, function_name, instance_id)

    @routes.post(
        "/instances/{instance_id}/restart",
        responses=begun,
        openapi_extra=documented(restartWithNewInstanceId="boolean", timeout="number", pollingInterval="number"),
        summary="Begin an instance that has ended once more",
    )
    async def restart(request: Request, instance_id: str) -> Response:
        """With the input it had, under a new id unless `restartWithNewInstanceId` is false."""
        return await orchestrations.restart(request, instance_id)


def _add_looking(routes: APIRouter, orchestrations: Orchestrations) -> None:
    @routes.get(
        "/instances/{instance_id}",
        responses={
            200: answers.one(InstanceStatus, "It has ended"),
            202: answers.one(InstanceStatus, "It has not ended"),
            404: answers.one(Refused),
            500: answers.one(InstanceStatus, "It failed, and `returnInternalServerErrorOnFailure` is true"),
        },
        openapi_extra=flag_of(
            "showHistory", "showHistoryOutput", "showInput", "returnInternalServerErrorOnFailure"
        ),
        summary="An instance as it stands",
    )  # fmt: skip
    async def status(request: Request, instance_id: str) -> Response:
        """Input and output are shown, the history and its results on request."""
        return await orchestrations.status(request, instance_id)

    @routes.get(
        "/instances",
        responses={200: answers.several(InstanceStatus)},
        openapi_extra=documented(
            runtimeStatus=TEXT,
            createdTimeFrom=TEXT,
            createdTimeTo=TEXT,
            instanceIdPrefix=TEXT,
            showInput="boolean",
            top="integer",
        ),
        summary="Instances, the newest first",
    )
    async def instances(request: Request) -> Response:
        """`top` of them at most (100); where there are more, the header `x-ms-continuation-token` of the answer, sent
        back, brings the next."""
        return await orchestrations.page(request)


def _add_steering(routes: APIRouter, orchestrations: Orchestrations) -> None:
    done: dict[int | str, dict[str, Any]] = {
        202: {"description": "Done"},
        404: answers.one(Refused, "There is no such instance"),
        409: answers.one(Refused, "Its state does not allow it"),
        410: answers.one(Refused, "It has ended"),
    }

    def steer(verb: str, summary: str, what: Callable[[str, str], object]) -> None:
        @routes.post(
            f"/instances/{{instance_id}}/{verb}",
            status_code=202,
            response_class=Response,
            responses=done,
            openapi_extra=_REASON,
            summary=summary,
            name=verb,
        )
        async def steered(request: Request, instance_id: str) -> Response:
            """`reason` is shown with it."""
            why = queries.reason(request, f"{verb} over HTTP")
            return await orchestrations.steer(instance_id, lambda: what(instance_id, why))

    steer("terminate", "End an instance at once", orchestrations.terminate)
    steer("suspend", "Pause an instance", orchestrations.suspend)
    steer("resume", "Let a paused instance go on", orchestrations.resume)
    steer("rewind", "Retry a failed instance from where it failed", orchestrations.rewind)

    @routes.post(
        "/instances/{instance_id}/raiseEvent/{event_name}",
        status_code=202,
        response_class=Response,
        responses=done | {408: answers.one(Refused), 413: answers.one(Refused)},
        openapi_extra=json_body(required=True),
        summary="Send an event to an instance",
    )
    async def raise_event(request: Request, instance_id: str, event_name: str) -> Response:
        """The body, which has to be `application/json`, is what it is told."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise Problem(400, "only application/json is taken")
        payload = await orchestrations.door.json(request)
        return await orchestrations.steer(
            instance_id, lambda: orchestrations.raise_event(instance_id, event_name, payload)
        )


def _add_purging(routes: APIRouter, orchestrations: Orchestrations) -> None:
    gone: dict[int | str, dict[str, Any]] = {200: answers.one(Purged), 404: answers.one(Refused)}
    not_ended: dict[int | str, dict[str, Any]] = {409: answers.one(Refused, "It has not ended")}

    @routes.delete("/instances/{instance_id}", responses=gone | not_ended, summary="Forget an instance that has ended")
    async def purge(instance_id: str) -> Response:
        """There is no way back."""
        return await orchestrations.purge(instance_id)

    @routes.delete(
        "/instances", responses=gone, openapi_extra=_STATUSES, summary="Forget the instances that have ended"
    )
    async def purge_many(request: Request) -> Response:
        """Those begun from `createdTimeFrom`, which is required, to `createdTimeTo`, of these statuses."""
        return await orchestrations.purge_many(request)
