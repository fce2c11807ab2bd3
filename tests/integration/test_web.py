"""The HTTP side on a real database: what is refused, what is stored, and who may look."""

import base64
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import quote_plus

import httpx
import pytest
from sqlalchemy import text

from bot.access import Access
from bot.api import Management
from bot.dashboard.app import Dashboard
from bot.health import Health
from bot.metrics import Metrics
from bot.web import Services, create_app
from bot.webhook import DeliveryDesk
from durable.client import Client
from durable.flows import FlowRuns, Flows
from durable.intake import Intake
from durable.operator import Operator
from durable.postgres import Database
from durable.postgres.migrate import ENGINE, current
from tests.support import served as serving
from tests.support.database import Databases

SECRET = "It's a Secret to Everybody"
BODY = json.dumps({"action": "opened", "zen": "Ä \u0000 <!channel>"}).encode()


@dataclass(frozen=True)
class SlackAnswer:
    status: int
    headers: Mapping[str, str]
    body: str


@dataclass
class Web:
    client: httpx.Client
    database: Database
    services: Services

    def deliver(self, body: bytes = BODY, *, delivery: str = "d-1", **headers: str | None) -> tuple[int, str]:
        """Deliver as GitHub does; a header given as None is left out. Returns the status and the word of the answer."""
        named = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "pull_request",
            "X-GitHub-Delivery": delivery,
            "X-Hub-Signature-256": signature(body),
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.client.post(
            "/github/webhook", content=body, headers={name: value for name, value in named.items() if value is not None}
        )
        return answer.status_code, answer.json().get("status", "refused")

    def stored(self) -> list[tuple[str, bytes]]:
        with self.database.reading() as connection:
            rows = connection.execute(text("SELECT delivery_id, body FROM durable.deliveries ORDER BY id"))
            return [(row.delivery_id, bytes(row.body)) for row in rows]

    def page_seen(self, host: str, *, token: str | None = None, demo: bool = False, **headers: str) -> int:
        """The status of the page for these access rules, asked for under this host name."""
        with served(replace(self.services, access=Access(token, demo=demo))) as client:
            return client.get("/", headers={"Host": host} | headers).status_code


@contextmanager
def served(services: Services) -> Iterator[httpx.Client]:
    """Whoever asks the application that serves these."""
    with (
        serving.served(create_app(services)) as url,
        httpx.Client(base_url=url, timeout=30, verify=serving.PLAIN) as client,
    ):
        yield client


def signature(body: bytes, secret: str = SECRET, digest: str = "sha256") -> str:
    return f"{digest}=" + hmac.new(secret.encode(), body, digest).hexdigest()


def build(url: str) -> tuple[Database, Services]:
    database = Database(url)
    client = Client(database, timeout=2)
    management = Management(client, Operator(database), FlowRuns(database, Flows()), Flows(), {})
    services = Services(
        desk=DeliveryDesk(SECRET, Intake(database, timeout=3)),
        slack=lambda body, headers: SlackAnswer(200, {"content-type": "text/plain"}, f"{len(body)} {len(headers) > 0}"),
        health=Health(client, lambda: current(database), {ENGINE.schema: ENGINE.head()}),
        metrics=Metrics(client),
        access=Access("api-token"),
        management=management,
        dashboard=Dashboard(database, management, lambda: datetime.now(UTC)),
    )
    return database, services


@contextmanager
def web_on(url: str) -> Iterator[Web]:
    database, services = build(url)
    with served(services) as client:
        yield Web(client, database, services)
    database.close()


@pytest.fixture(scope="module")
def _used_web(databases: Databases) -> Iterator[Web]:
    """What is dear to build is built once for the tests of the module."""
    with databases.migrated() as url, web_on(url) as built:
        yield built


@pytest.fixture
def web(_used_web: Web) -> Web:
    """The application over a database with no delivery in it."""
    with _used_web.database.transaction("empty") as connection:
        connection.execute(text("TRUNCATE durable.deliveries RESTART IDENTITY CASCADE"))
    return _used_web


@pytest.fixture
def new_web(database_url: str) -> Iterator[Web]:
    """An application that has answered nobody yet: for tests of what its process counts."""
    with web_on(database_url) as built:
        yield built


def test_a_signed_delivery_is_stored_as_it_came_and_answered_after_the_commit(web: Web) -> None:
    assert web.deliver() == (202, "accepted")
    assert web.stored()[0][0] == "d-1"


def test_the_signature_is_the_one_github_documents() -> None:
    assert signature(b"Hello, World!").endswith("757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")


def test_the_same_delivery_sent_five_times_at_once_counts_once(web: Web) -> None:
    with ThreadPoolExecutor(5) as pool:
        answers = sorted(pool.map(lambda _: web.deliver(), range(5)))

    assert answers == [(200, "duplicate")] * 4 + [(202, "accepted")]
    assert len(web.stored()) == 1


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (401, {"X_Hub_Signature_256": None}),
        (401, {"X_Hub_Signature_256": ""}),
        (401, {"X_Hub_Signature_256": "sha256="}),
        (401, {"X_Hub_Signature_256": "sha256=\xe9"}),
        (401, {"X_Hub_Signature_256": signature(BODY, "wrong")}),
        (401, {"X_Hub_Signature_256": signature(BODY + b" ")}),
        (401, {"X_Hub_Signature_256": None, "X_Hub_Signature": signature(BODY, digest="sha1")}),
        (401, {"X_Hub_Signature_256": signature(BODY, digest="sha1")}),
        (401, {"X_Hub_Signature_256": signature(BODY).upper()}),
        (400, {"X_GitHub_Event": None}),
        (400, {"X_GitHub_Event": ""}),
        (400, {"X_GitHub_Delivery": None}),
        (400, {"X_GitHub_Delivery": "x" * 201}),
        (400, {"X_GitHub_Delivery": "a\xe9"}),
        (400, {"Content_Type": "application/x-www-form-urlencoded"}),
    ],
)
def test_what_is_not_right_is_refused_and_not_stored(web: Web, status: int, headers: dict[str, str | None]) -> None:
    assert web.deliver(**{name: value.encode("latin-1") if value else value for name, value in headers.items()}) == (  # type: ignore[arg-type] # httpx takes bytes for what is no ASCII
        status,
        "refused",
    )
    assert web.stored() == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nonsense", b"[]", b'"text"', b"null", b"\xff\xfe", b"[" * 100_000, BODY[:-1]]
)
def test_a_signed_body_that_is_no_json_object_is_refused_and_not_stored(web: Web, body: bytes) -> None:
    assert web.deliver(body) == (400, "refused")
    assert web.stored() == []


def test_a_body_over_25_mib_is_refused_whether_it_says_so_or_not(web: Web) -> None:
    body = b" " * (26 * 1024 * 1024)
    headers = {"X-GitHub-Event": "pull_request", "X-GitHub-Delivery": "d", "X-Hub-Signature-256": signature(body)}

    announced = web.client.post("/github/webhook", content=body, headers=headers)
    streamed = web.client.post("/github/webhook", content=(body[i : i + 2**20] for i in range(0, len(body), 2**20)))

    assert (announced.status_code, streamed.status_code) == (413, 413)
    assert web.stored() == []


def test_a_large_delivery_within_the_limit_is_taken(web: Web) -> None:
    body = json.dumps({"body": "x" * (24 * 1024 * 1024)}).encode()

    assert web.deliver(body) == (202, "accepted")


def test_a_form_is_understood_with_the_signature_over_the_form_and_the_json_is_stored(web: Web) -> None:
    form = b"payload=" + quote_plus(BODY).encode()

    assert web.deliver(form, Content_Type="application/x-www-form-urlencoded; charset=utf-8") == (202, "accepted")
    web.deliver(BODY, delivery="d-2")
    [(_, from_form), (_, from_json)] = web.stored()
    assert from_form == from_json


@pytest.mark.parametrize("event", ["ping", "star", "an_event_of_next_year"])
def test_an_event_we_do_not_use_is_answered_well_and_not_stored(web: Web, event: str) -> None:
    assert web.deliver(X_GitHub_Event=event) == (202, "ignored")
    assert web.stored() == []


def test_with_the_database_away_github_is_told_to_come_again() -> None:
    database, services = build("postgresql://nobody@127.0.0.1:1/nothing")
    with served(services) as client:
        web = Web(client, database, services)
        assert web.deliver() == (503, "unavailable")
        assert client.get("/readyz").json()["checks"].keys() == {"database"}
        assert client.get("/readyz").status_code == 503
        assert "vigil_database_up 0.0" in client.get("/metrics").text
        assert client.get("/healthz").status_code == 200
        assert web.deliver(X_Hub_Signature_256="sha256=0") == (401, "refused")
    database.close()


def test_ready_names_each_check_and_its_remedy(web: Web) -> None:
    answer = web.client.get("/readyz")

    assert answer.status_code == 503  # no worker runs here
    checks = answer.json()["checks"]
    assert {name: check["ok"] for name, check in checks.items()} == {
        "database": True,
        "schema": True,
        "worker": False,
        "gates": True,
    }
    assert "python -m bot worker" in checks["worker"]["detail"]


def test_an_old_schema_is_told_with_its_remedy(empty_database_url: str) -> None:
    database, services = build(empty_database_url)
    checks = {check.name: check for check in services.health.checks()}
    database.close()

    assert not checks["schema"].ok
    assert "python -m bot db upgrade" in checks["schema"].detail


def test_metrics_count_deliveries_and_show_the_engine(new_web: Web) -> None:
    new_web.deliver()
    new_web.deliver()
    new_web.deliver(X_Hub_Signature_256=None)

    exposition = new_web.client.get("/metrics").text
    for line in (
        'vigil_deliveries_total{outcome="accepted"} 1.0',
        'vigil_deliveries_total{outcome="duplicate"} 1.0',
        'vigil_deliveries_total{outcome="refused"} 1.0',
        "vigil_deliveries_waiting 1.0",
        "vigil_workers_alive 0.0",
        "vigil_database_up 1.0",
    ):
        assert line in exposition


def test_slacks_requests_are_handed_on_within_a_limit(web: Web) -> None:
    assert web.client.post("/slack/events", content=b"12345").text == "5 True"
    assert web.client.post("/slack/events", content=b" " * (2**20 + 1)).status_code == 413


def basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"me:{token}".encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        ("Bearer", 401),
        ("Basic !!!", 401),
        (basic("wrong"), 401),
        ("Bearer api-token", 200),
        (basic("api-token"), 200),
    ],
)
def test_the_page_is_for_whoever_shows_the_token(new_web: Web, authorization: str | None, status: int) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = new_web.client.get("/", headers=headers)

    assert answer.status_code == status
    assert ("Sign in" in answer.text) == (status == 401)


def test_without_a_token_nobody_sees_the_page_but_loopback_in_the_demo(web: Web) -> None:
    assert web.page_seen("127.0.0.1", Authorization="Bearer None") == 401
    assert web.page_seen("127.0.0.1", demo=True) == 200
    assert web.page_seen("localhost:8000", demo=True) == 200
    assert web.page_seen("rebound.example", demo=True) == 401


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/nowhere", "/docs", "/metrics"])
def test_every_answer_carries_the_security_headers(web: Web, path: str) -> None:
    headers = web.client.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]


def test_the_routes_are_described(web: Web) -> None:
    answer = web.client.get("/openapi.json")
    document = answer.json()

    assert {"/github/webhook", "/slack/events", "/healthz", "/readyz", "/metrics"} <= document["paths"].keys()
    named = set(re.findall(r'"#/components/schemas/(\w+)"', answer.text))
    assert named
    assert named <= document["components"]["schemas"].keys()


def test_an_empty_secret_cannot_be_served() -> None:
    with pytest.raises(ValueError, match="GITHUB_WEBHOOK_SECRET"):
        DeliveryDesk("", Intake(Database("postgresql://127.0.0.1:1/nothing")))
