"""The HTTP side: what each route answers. All waiting (database, Slack) is done in threads, never on the event loop."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
from anyio.to_thread import run_sync
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from bot.access import Access
from bot.api import Management
from bot.api.app import add_management
from bot.api.door import Door
from bot.api.limits import Buckets
from bot.audit import Audit
from bot.dashboard.app import Dashboard, add_dashboard
from bot.health import Health
from bot.last_resort import LastResort
from bot.metrics import CONTENT_TYPE, Metrics
from bot.openapi import describe
from bot.reading import LARGEST_DELIVERY, LARGEST_SLACK_REQUEST, BodyReader, Unreadable
from bot.security_headers import SecurityHeaders
from bot.webhook import DeliveryDesk

_DELIVERIES_AT_ONCE = 64  # each waits in a thread for the commit it shares with the others
_SLACK_AT_ONCE = 20
_QUESTIONS_AT_ONCE = 4
_JSON: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}


class SlackAnswer(Protocol):
    """What to answer Slack over HTTP."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> str: ...


@dataclass(frozen=True)
class Services:
    """What the routes need. `slack` answers Slack's requests."""

    desk: DeliveryDesk
    slack: Callable[[bytes, Mapping[str, str]], SlackAnswer]
    health: Health
    metrics: Metrics
    access: Access
    management: Management
    dashboard: Dashboard


def create_app(services: Services, buckets: Buckets | None = None) -> FastAPI:
    """The application. It holds no state but the `buckets` of its clients: any number of processes may serve it."""
    app = FastAPI(
        title="Vigil",
        description="A ChatOps bot that keeps watch over GitHub pull requests",
        version="0.1.0",
        docs_url=None,  # the dashboard has it, without files from elsewhere
        redoc_url=None,
    )
    bodies = BodyReader()
    _add_webhook(app, services, bodies)
    _add_slack(app, services.slack, bodies)
    _add_operators_routes(app, services)
    door = Door(services.access, bodies, Audit(services.dashboard.database))
    add_management(app, services.management, door, buckets or Buckets())
    add_dashboard(app, services.dashboard, services.access)
    app.add_middleware(LastResort)
    app.add_middleware(SecurityHeaders)
    describe(app)
    return app


def _add_webhook(app: FastAPI, services: Services, bodies: BodyReader) -> None:
    deliveries_at_once = anyio.CapacityLimiter(_DELIVERIES_AT_ONCE)

    @app.post(
        "/github/webhook",
        summary="Deliveries of GitHub",
        response_class=JSONResponse,
        responses={
            200: {"description": "It was taken before"},
            202: {"description": "It is committed, or of a kind that is not used"},
            **_refusals(400, 401, 408, 413, 429, 503),
        },
    )
    async def github_webhook(request: Request) -> Response:
        """202 after the delivery is committed, 200 for one that was taken before, 4xx for one that is refused."""
        try:
            async with bodies.body(request, LARGEST_DELIVERY) as body:
                answer = await run_sync(services.desk.take, dict(request.headers), body, limiter=deliveries_at_once)
        except Unreadable as problem:
            services.metrics.count_delivery("refused")
            return _problem(problem.status, problem.reason)
        services.metrics.count_delivery(answer.outcome)
        if answer.outcome == "refused":
            return _problem(answer.status, answer.reason)
        headers = {"Retry-After": "30"} if answer.status == 503 else None
        return JSONResponse({"status": answer.word}, answer.status, headers)


def _add_slack(app: FastAPI, slack: Callable[[bytes, Mapping[str, str]], SlackAnswer], bodies: BodyReader) -> None:
    slack_at_once = anyio.CapacityLimiter(_SLACK_AT_ONCE)

    @app.post(
        "/slack/events",
        summary="Commands, interactivity and events of Slack",
        response_class=PlainTextResponse,
        responses={
            200: {"description": "What Slack is to show, or nothing", "content": _JSON},
            **_refusals(400, 401, 408, 413, 429, 503),
        },
    )
    async def slack_events(request: Request) -> Response:
        """401 without Slack's signature, 200 for everything Vigil does not use."""
        try:
            async with bodies.body(request, LARGEST_SLACK_REQUEST) as body:
                answer = await run_sync(slack, body, dict(request.headers), limiter=slack_at_once)
        except Unreadable as problem:
            return _problem(problem.status, problem.reason)
        headers = {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
        return Response(answer.body, answer.status, headers)


def _add_operators_routes(app: FastAPI, services: Services) -> None:
    questions_at_once = anyio.CapacityLimiter(_QUESTIONS_AT_ONCE)

    @app.get("/healthz", summary="Whether the process is up")
    async def healthz() -> dict[str, str]:
        """200 as long as the event loop turns."""
        return {"status": "up"}

    @app.get(
        "/readyz",
        summary="Whether the bot can do its work",
        response_class=JSONResponse,
        responses={503: {"description": "It cannot: the same, with what is wrong", "content": _JSON}},
    )
    async def readyz() -> Response:
        """Schema, database, a live worker, open gates; 503 when one of them is not as it should be."""
        checks = await run_sync(services.health.checks, limiter=questions_at_once)
        ready = all(check.ok for check in checks)
        content: dict[str, Any] = {
            "status": "ready" if ready else "not ready",
            "checks": {check.name: {"ok": check.ok, "detail": check.detail} for check in checks},
        }
        return JSONResponse(content, 200 if ready else 503)

    @app.get("/metrics", summary="Prometheus text", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Counters of this process and the state of the engine."""
        exposition = await run_sync(services.metrics.exposition, limiter=questions_at_once)
        return Response(exposition, media_type=CONTENT_TYPE)


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document: why a request was refused."""
    return {status: {"description": "Refused: `error` says why", "content": _JSON} for status in statuses}


def _problem(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status)
