"""What goes wrong in our own code: a plain page without details, which stand in the log."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI

from bot.access import Access
from bot.dashboard.pages import Act, Asked, Done, Pages, View
from bot.dashboard.rendering import Rendering
from bot.dashboard.visitors import Visitors
from bot.last_resort import LastResort
from bot.security_headers import SecurityHeaders
from durable.postgres import Database
from tests.integration.api.conftest import ADMIN, client_of
from tests.integration.dashboard.conftest import House
from tests.support.served import served

DETAIL = "s3cret-detail"


@pytest.fixture
def house(new_house: House) -> House:
    return new_house


def break_down(_: Asked) -> View:
    raise ZeroDivisionError(DETAIL)


def break_down_after(_: Asked) -> Done:
    raise ZeroDivisionError(DETAIL)


@contextmanager
def broken(url: str) -> Iterator[httpx.Client]:
    """An admin at an application with a page, an act and a route that fail."""
    database = Database(url)
    visitors = Visitors(Access(ADMIN), database)
    pages = Pages(Rendering(), visitors, database, lambda: datetime.now(UTC), lambda: False)
    pages.view("/page", break_down)
    pages.view("/template", lambda _: View("board.html", {}))
    pages.act("/act", Act("break", break_down_after, "nothing"))
    app = FastAPI()
    app.include_router(pages.router)

    @app.get("/route")
    async def route() -> None:
        raise ZeroDivisionError(DETAIL)

    app.add_middleware(LastResort)
    app.add_middleware(SecurityHeaders)
    with served(app) as address, client_of(address, ADMIN) as client:
        yield client
    database.close()


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/page"), ("GET", "/template"), ("POST", "/act"), ("GET", "/route")]
)
def test_an_error_of_ours_is_told_without_details_and_logged(
    database_url: str, method: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with broken(database_url) as client:
        answer = client.request(method, path)
    assert answer.status_code == 500
    assert "in the log" in answer.text
    assert DETAIL not in answer.text
    assert "Traceback" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    printed = capsys.readouterr()
    assert "Error" in printed.out + printed.err


def test_an_open_page_that_fails_says_that_it_shows_old_things(database_url: str) -> None:
    with (
        broken(database_url) as client,
        client.stream("GET", "/page", headers={"Accept": "text/event-stream"}) as response,
    ):
        assert next(response.iter_lines()) == "event: away"


def test_an_address_that_is_none_is_a_page_for_people_and_json_for_programs(house: House) -> None:
    for path in ("/nowhere", "/workers/nowhere/at/all"):
        page = house.anonymous.get(path, headers={"Accept": "text/html,*/*"})
        assert (page.status_code, "There is no such page" in page.text) == (404, True)
        assert house.anonymous.get(path).json() == {"detail": "Not Found"}
    told = house.admin.get("/api/nowhere", headers={"Accept": "text/html"})
    assert (told.status_code, told.headers["content-type"]) == (404, "application/json")
