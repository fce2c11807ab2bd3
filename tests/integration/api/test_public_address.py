"""Behind a proxy that ends TLS the addresses that are handed out are those by which others reach the bot."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from bot.access import Access
from bot.web import create_app
from tests.integration.api.conftest import ADMIN, BASE, Stage
from tests.support.served import PLAIN, served

PUBLIC = "https://bot.acme.com"


@pytest.fixture(scope="module")
def behind(stage: Stage) -> Iterator[httpx.Client]:
    """Whoever asks through the proxy: it names another host, and what it adds to the headers is believed by nobody."""
    app = create_app(replace(stage.services, access=Access(ADMIN, public_url=PUBLIC)))
    headers = {"Authorization": f"Bearer {ADMIN}", "Host": "10.0.0.7:8000", "X-Forwarded-Host": "evil.example"}
    with served(app) as url, httpx.Client(base_url=url, headers=headers, timeout=30, verify=PLAIN) as client:
        yield client


def test_the_addresses_of_an_instance_are_public(stage: Stage, behind: httpx.Client) -> None:
    answer = behind.post(f"{BASE}/orchestrators/approval/public:1")
    told = answer.json()
    assert told["statusQueryGetUri"] == f"{PUBLIC}{BASE}/instances/public%3A1"
    assert {address[: len(PUBLIC)] for key, address in told.items() if key != "id"} == {PUBLIC}
    assert answer.headers["location"] == told["statusQueryGetUri"]
    waiting = behind.get(f"{BASE}/instances/public:1?showInput=false")
    assert waiting.headers["location"] == f"{PUBLIC}{BASE}/instances/public:1?showInput=false"


def test_without_one_they_are_what_the_request_names(stage: Stage) -> None:
    answer = stage.admin.post(f"{BASE}/orchestrators/approval/named:1", headers={"X-Forwarded-Host": "evil.example"})
    assert answer.json()["statusQueryGetUri"] == f"http://bot{BASE}/instances/named%3A1"


def test_forms_of_the_public_address_are_ours(behind: httpx.Client) -> None:
    path = f"{BASE}/instances/nobody/resume"
    assert behind.post(path, headers={"Origin": PUBLIC}).status_code == 404
    assert behind.post(path, headers={"Origin": "https://evil.example"}).status_code == 403


def test_redirects_name_no_host_and_cookies_are_for_tls_alone(behind: httpx.Client) -> None:
    answer = behind.post("/sign-in", data={"token": ADMIN, "back_to": "/workers"}, headers={"Host": "bot.acme.com"})
    assert answer.headers["location"] == "/workers"
    assert "secure" in answer.headers["set-cookie"].lower()
