"""Open pages: who is kept up to date, for how long, how many at once, and how they end with the process."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread

import httpx
import pytest
from sqlalchemy import text

from bot.demo.waiting import eventually
from tests.conftest import StartBot
from tests.integration.api.conftest import ADMIN, VIEWER
from tests.integration.dashboard.conftest import House
from tests.support.served import PLAIN

EVENTS = {"Accept": "text/event-stream"}
MOST = 200


@pytest.fixture
def house(new_house: House) -> House:
    return new_house


class Stream:
    """An open page: what it was sent, in a thread, until it ends."""

    def __init__(self, client: httpx.Client, path: str = "/") -> None:
        self.events: list[str] = []
        self.status = 0
        self._response: httpx.Response | None = None
        self._client, self._path = client, path
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    def _read(self) -> None:
        try:
            with self._client.stream("GET", self._path, headers=EVENTS, timeout=60) as response:
                self.status = response.status_code
                self.events.extend(line for line in response.iter_lines() if line)
        except httpx.TransportError as problem:
            self.events.append(f"broken off: {type(problem).__name__}")


@contextmanager
def signed_in(url: str, token: str) -> Iterator[httpx.Client]:
    limits = httpx.Limits(max_connections=None)
    with httpx.Client(base_url=url, timeout=60, limits=limits, verify=PLAIN) as client:
        assert client.post("/sign-in", data={"token": token}).status_code == 303
        yield client


def end_sessions(house: House) -> None:
    with house.database.transaction("test") as connection:
        connection.execute(text("DELETE FROM vigil.sessions"))


def test_who_is_signed_out_elsewhere_loses_the_stream_within_seconds(house: House) -> None:
    with signed_in(house.url, VIEWER) as client:
        stream = Stream(client)
        first = eventually(lambda: [event for event in streamed(client, 1) if event.startswith("data:")])
        assert 'id=\\"main\\"' in first[0]
        end_sessions(house)
        eventually(lambda: stream.has_ended, within=5)
        assert stream.events[-2:] == ["event: out", "data: {}"]


def streamed(client: httpx.Client, lines: int) -> list[str]:
    """The first lines of an open page."""
    found = []
    with client.stream("GET", "/", headers=EVENTS) as response:
        for line in response.iter_lines():
            found.append(line)
            if len(found) == lines:
                break
    return found


def test_who_is_not_signed_in_gets_no_stream_and_the_browser_asks_no_more(house: House) -> None:
    answer = house.anonymous.get("/workers", headers=EVENTS)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert answer.headers["cache-control"] == "no-store"


def test_a_stream_is_not_kept_by_anybody_on_its_way(house: House) -> None:
    with house.viewer.stream("GET", "/", headers=EVENTS) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-accel-buffering"] == "no"


def test_no_more_pages_are_kept_live_than_the_process_can_bear(house: House) -> None:
    limits = httpx.Limits(max_connections=None)
    headers = {"Authorization": f"Bearer {ADMIN}"}
    with (
        ExitStack() as stack,
        httpx.Client(base_url=house.url, headers=headers, timeout=60, limits=limits, verify=PLAIN) as client,
    ):
        opened = [stack.enter_context(client.stream("GET", "/workers", headers=EVENTS)) for _ in range(MOST)]
        assert {response.status_code for response in opened} == {200}
        refused = client.get("/workers", headers=EVENTS)
        assert refused.status_code == 503
        assert "Too many pages are open" in refused.text
        assert client.get("/workers").status_code == 200
        opened[0].close()
        eventually(lambda: is_streamed(client))


def is_streamed(client: httpx.Client) -> bool:
    with client.stream("GET", "/workers", headers=EVENTS) as response:
        return response.status_code == 200


def test_a_process_that_is_asked_to_end_lets_its_open_pages_go(start_bot: StartBot) -> None:
    bot = start_bot(VIGIL_API_TOKEN=ADMIN)
    with signed_in(bot.url, ADMIN) as client:
        streams = [Stream(client, path) for path in ("/", "/workers", "/workflows", "/audit") * 5]
        eventually(lambda: all(stream.status == 200 for stream in streams))
        began = time.monotonic()
        assert bot.terminate(within=5) == 0
        assert time.monotonic() - began < 2
        eventually(lambda: all(stream.has_ended for stream in streams), within=2)
        assert not [stream.events[-1] for stream in streams if stream.events[-1].startswith("broken off")]


@pytest.mark.parametrize("path", ["/", "/workers"])
def test_a_database_that_is_away_is_told_to_open_pages_and_to_new_ones(house: House, path: str) -> None:
    with house.database.transaction("test") as connection:
        connection.execute(text("ALTER TABLE vigil.sessions RENAME TO gone"))
    with httpx.Client(base_url=house.url, cookies={"vigil_session": "x"}, verify=PLAIN) as client:
        page = client.get(path)
        assert page.status_code == 503
        assert "The database is away" in page.text
        assert "sessions" not in page.text
        assert client.get(path, headers=EVENTS).status_code == 503
