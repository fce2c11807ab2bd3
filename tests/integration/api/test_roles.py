"""Every route, as everybody: nobody has the powers of another role, and no secret is in an answer or in the log.

A new route of the dashboard needs nothing here as long as it lies below one of `PAGES`; any other needs a line in `WHO_MAY`.
"""

import logging
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, cast

import httpx
import pytest
from starlette.routing import Route

from tests.integration.api.conftest import ADMIN, BASE, VIEWER, Stage
from tests.integration.test_web import SECRET
from tests.support.served import PLAIN

PUBLIC, LOOKING, DOING = "everybody", "viewers", "admins"
WHO_MAY = {
    "GET /healthz": PUBLIC,
    "GET /readyz": PUBLIC,
    "GET /metrics": PUBLIC,
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
ENTRANCE = {
    "GET /docs": PUBLIC,
    "GET /static/{name:path}": PUBLIC,
    "GET /sign-in": PUBLIC,
    "POST /sign-in": PUBLIC,  # by a token
    "POST /sign-out": PUBLIC,
    "GET /sign-in/{name}": PUBLIC,
    "GET /sign-in/{name}/done": PUBLIC,  # by an account
}
PAGES = (
    "/",
    "/audit",
    "/definitions",
    "/deliveries",
    "/gates",
    "/insights",
    "/pulls",
    "/queues",
    "/schedules",
    "/workers",
    "/workflows",
)
"""Below these, whoever may look may GET, and whoever may act may POST."""
SECRETS = (ADMIN, VIEWER, SECRET)
KNOWN = "known:1"


def who_may(route: str) -> str | None:
    """Who may use a route; None when nobody has said so."""
    method, path = route.split(" ")
    said = WHO_MAY.get(route) or ENTRANCE.get(route)
    if said is None and any(path == page or (page != "/" and path.startswith(f"{page}/")) for page in PAGES):
        said = {"GET": LOOKING, "POST": DOING}.get(method)
    return said


def routes_of(stage: Stage) -> Iterator[tuple[str, str]]:
    """Method and path of each route; of what is neither a route nor a router, this test would have to know more."""
    for route in stage.app.routes:
        for one in [route] if isinstance(route, Route) else cast(Any, route).effective_route_contexts():
            yield from ((method, one.path) for method in one.methods or () if method != "HEAD")


def ask(client: httpx.Client, route: str, **headers: str) -> httpx.Response:
    """Ask for an instance that there is, and for `x` where another name is wanted."""
    method, path = route.split(" ")
    named = re.sub(r"\{(instance_id|workflow_id)\}", KNOWN, path)
    return client.request(method, re.sub(r"\{[^}]+\}", "x", named), headers=headers)


def routes(stage: Stage, *kinds: str) -> list[str]:
    """The routes of these kinds, reading before doing."""
    found = [f"{method} {path}" for method, path in routes_of(stage)]
    return sorted((route for route in found if who_may(route) in kinds), key=lambda route: (route[:3] != "GET", route))


@pytest.fixture(autouse=True)
def _something_to_see(stage: Stage) -> None:
    """One that waits; begun again when the test before has ended it."""
    assert stage.admin.post(f"{BASE}/orchestrators/approval/{KNOWN}", json="x").status_code in (202, 409)
    stage.worker.run_until_idle()


def test_the_table_knows_every_route_and_no_other(stage: Stage) -> None:
    found = {f"{method} {path}" for method, path in routes_of(stage)}
    assert {route for route in found if who_may(route) is None} == set()
    assert found >= {*WHO_MAY, *ENTRANCE}
    assert {page for page in PAGES if not any(route.split(" ")[1].startswith(page) for route in found)} <= OPTIONAL


OPTIONAL = {"/deliveries", "/gates", "/queues"}  # whose acts may lie below other pages


@pytest.mark.parametrize("kind", [PUBLIC, LOOKING, DOING])
def test_each_route_is_for_those_it_is_for(stage: Stage, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    refused = {PUBLIC: {}, LOOKING: {"anonymous": 401}, DOING: {"anonymous": 401, "viewer": 403}}[kind]
    for route in routes(stage, kind):
        asked = {role: ask(getattr(stage, role), route) for role in ("anonymous", "viewer", "admin")}
        answers = {role: answer.status_code for role, answer in asked.items()}
        if kind != PUBLIC or (route.startswith("GET") and not route.endswith("/done")):
            told = {role: status for role, status in answers.items() if status in (401, 403)}
            assert told == refused, route
        assert all(status < 500 or route == "GET /readyz" for status in answers.values()), (route, answers)
        for answer in asked.values():
            seen = answer.text + str(answer.headers)
            assert not [secret for secret in SECRETS if secret in seen], route
    ours = [
        record.getMessage()
        for record in caplog.records
        if record.name.partition(".")[0] in ("bot", "durable", "uvicorn")
    ]
    assert not [secret for secret in SECRETS if any(secret in line for line in ours)]


def test_every_answer_says_what_a_browser_may_do_with_it(stage: Stage) -> None:
    for route in routes(stage, PUBLIC, LOOKING, DOING):
        for client in (stage.anonymous, stage.viewer):
            headers = ask(client, route).headers
            assert headers["x-frame-options"] == "DENY", route
            assert headers["x-content-type-options"] == "nosniff", route
            assert headers["referrer-policy"] == "same-origin", route
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy
            assert headers["cache-control"] == "no-store", route


def test_only_files_are_kept_by_browsers(stage: Stage) -> None:
    page = stage.viewer.get("/").text
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(files) >= 4
    for file in files:
        assert "immutable" in stage.anonymous.get(file).headers["cache-control"]
    assert stage.anonymous.get("/static/../app.py").status_code == 404


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}]
)
def test_a_page_of_another_site_may_not_use_a_browsers_password(stage: Stage, headers: dict[str, str]) -> None:
    for route in (*routes(stage, DOING), "POST /sign-in", "POST /sign-out"):
        assert ask(stage.admin, route, **headers).status_code == 403, route


def test_our_own_page_may(stage: Stage) -> None:
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://bot"}):
        answer = stage.admin.post(f"{BASE}/instances/nobody/resume", headers=headers)
        assert answer.status_code == 404


def test_a_session_has_the_powers_of_its_role_and_its_forms_carry_its_value(stage: Stage) -> None:
    for token, status in ((VIEWER, 403), (ADMIN, 403)):  # the admin's for want of the value
        with httpx.Client(base_url=stage.viewer.base_url, headers={"Host": "bot"}, verify=PLAIN) as browser:
            assert browser.post("/sign-in", data={"token": token}).status_code == 303
            for route in routes(stage, DOING):
                if route not in WHO_MAY:
                    assert ask(browser, route).status_code == status, route
            for route in routes(stage, LOOKING):
                if route not in WHO_MAY:
                    assert ask(browser, route).status_code in (200, 404), route


def test_a_page_is_kept_live_for_nobody_who_may_not_look(stage: Stage) -> None:
    for route in routes(stage, LOOKING):
        if route not in WHO_MAY:
            answer = ask(stage.anonymous, route, Accept="text/event-stream")
            assert (answer.status_code, "event-stream" in answer.headers["content-type"]) == (401, False), route


class Forms(HTMLParser):
    """The forms of a page that do something, but those of the visitor's own session."""

    def __init__(self) -> None:
        super().__init__()
        self.acting: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        action, method = given.get("action") or "", (given.get("method") or "get").lower()
        if tag == "form" and method == "post" and action not in ("/sign-out", "/sign-in"):
            self.acting.append(action)
        if "formaction" in given:
            self.acting.append(given["formaction"] or "")


def test_a_viewers_page_has_no_button_that_does_anything(stage: Stage) -> None:
    for route in routes(stage, LOOKING):
        if route not in WHO_MAY:
            forms = Forms()
            forms.feed(ask(stage.viewer, route).text)
            assert forms.acting == [], route


def test_every_managing_route_stands_in_the_document_with_who_may_ask(stage: Stage) -> None:
    document = stage.anonymous.get("/openapi.json").json()
    for route in WHO_MAY:
        method, path = route.split(" ")
        if path != "/openapi.json":
            operation = document["paths"][path][method.lower()]
            assert operation["summary"]
            is_guarded = path.startswith((f"{BASE}/", "/api/")) and path != "/api/ping"
            assert ("security" in operation) is is_guarded
            assert "422" not in operation["responses"]
