"""Every route, as everybody: nobody has the powers of another role, and no secret is in an answer or in the log."""

import logging
import re
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
from starlette.routing import Route

from tests.integration.api.conftest import ADMIN, BASE, VIEWER, Stage
from tests.integration.test_web import SECRET

PUBLIC, LOOKING, DOING = "everybody", "viewers", "admins"
WHO_MAY = {
    "GET /": LOOKING,
    "GET /pulls/{host}/{owner}/{repo}/{number}": LOOKING,
    "POST /pulls/{host}/{owner}/{repo}/{number}/remind": DOING,
    "POST /pulls/{host}/{owner}/{repo}/{number}/snooze": DOING,
    "POST /pulls/{host}/{owner}/{repo}/{number}/wake": DOING,
    "GET /healthz": PUBLIC,
    "GET /readyz": PUBLIC,
    "GET /metrics": PUBLIC,
    "GET /docs": PUBLIC,
    "GET /docs/oauth2-redirect": PUBLIC,
    "GET /redoc": PUBLIC,
    "GET /openapi.json": PUBLIC,
    "POST /github/webhook": PUBLIC,  # by GitHub's signature
    "POST /slack/events": PUBLIC,  # by Slack's signature
    "GET /api/ping": PUBLIC,
    "GET /api/workflows": LOOKING,
    "GET /api/workflows/{workflow_id}": LOOKING,
    "GET /api/definitions": LOOKING,
    "POST /api/workflows": DOING,
    "POST /api/workflows/{workflow_id}/relaunch": DOING,
    "POST /api/workflows/{workflow_id}/cancel": DOING,
    f"GET {BASE}/instances": LOOKING,
    f"GET {BASE}/instances/{{instance_id}}": LOOKING,
    f"POST {BASE}/orchestrators/{{function_name}}": DOING,
    f"POST {BASE}/orchestrators/{{function_name}}/{{instance_id}}": DOING,
    f"POST {BASE}/instances/{{instance_id}}/raiseEvent/{{event_name}}": DOING,
    f"POST {BASE}/instances/{{instance_id}}/terminate": DOING,
    f"POST {BASE}/instances/{{instance_id}}/suspend": DOING,
    f"POST {BASE}/instances/{{instance_id}}/resume": DOING,
    f"POST {BASE}/instances/{{instance_id}}/rewind": DOING,
    f"POST {BASE}/instances/{{instance_id}}/restart": DOING,
    f"DELETE {BASE}/instances/{{instance_id}}": DOING,
    f"DELETE {BASE}/instances": DOING,
}
SECRETS = (ADMIN, VIEWER, SECRET)


def routes_of(stage: Stage) -> Iterator[tuple[str, str]]:
    """Method and path of each route; of what is neither a route nor a router, this test would have to know more."""
    for route in stage.app.routes:
        for one in [route] if isinstance(route, Route) else cast(Any, route).effective_route_contexts():
            yield from ((method, one.path) for method in one.methods or () if method != "HEAD")


def ask(client: httpx.Client, route: str, **headers: str) -> httpx.Response:
    method, path = route.split(" ")
    return client.request(method, re.sub(r"\{[^}]+\}", "x", path), headers=headers)


def test_the_table_knows_every_route(stage: Stage) -> None:
    assert sorted(f"{method} {path}" for method, path in routes_of(stage)) == sorted(WHO_MAY)


@pytest.mark.parametrize("route", WHO_MAY)
def test_each_route_is_for_those_it_is_for(stage: Stage, route: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asked = {role: ask(getattr(stage, role), route) for role in ("anonymous", "viewer", "admin")}
    answers = {role: answer.status_code for role, answer in asked.items()}
    refused = {
        PUBLIC: {},
        LOOKING: {"anonymous": 401},
        DOING: {"anonymous": 401, "viewer": 403},
    }[WHO_MAY[route]]
    if WHO_MAY[route] != PUBLIC or route.startswith("GET"):
        assert {role: status for role, status in answers.items() if status in (401, 403)} == refused
    assert all(status < 500 or route == "GET /readyz" for status in answers.values()), answers
    for answer in asked.values():
        seen = answer.text + str(answer.headers)
        assert not [secret for secret in SECRETS if secret in seen]
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    ours = [
        record.getMessage()
        for record in caplog.records
        if record.name.partition(".")[0] in ("bot", "durable", "uvicorn")
    ]
    assert not [secret for secret in SECRETS if any(secret in line for line in ours)]


@pytest.mark.parametrize("route", [route for route, who in WHO_MAY.items() if who == DOING])
@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}]
)
def test_a_page_of_another_site_may_not_use_a_browsers_password(
    stage: Stage, route: str, headers: dict[str, str]
) -> None:
    assert ask(stage.admin, route, **headers).status_code == 403


def test_our_own_page_may(stage: Stage) -> None:
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://bot"}):
        assert ask(stage.admin, f"POST {BASE}/instances/{{instance_id}}/resume", **headers).status_code == 404


def test_every_managing_route_stands_in_the_document_with_who_may_ask(stage: Stage) -> None:
    document = stage.anonymous.get("/openapi.json").json()
    for method, path in routes_of(stage):
        if path not in ("/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"):
            operation = document["paths"][path][method.lower()]
            assert operation["summary"]
            is_guarded = path.startswith((f"{BASE}/", "/api/")) and path != "/api/ping"
            assert ("security" in operation) is is_guarded
            assert "422" not in operation["responses"]
