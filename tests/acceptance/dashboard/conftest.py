"""The whole bot with its dashboard, and people in front of a real browser."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from playwright.sync_api import Browser, Page

from bot.demo.github_world import PullRequest
from bot.demo.waiting import eventually
from tests.conftest import StartBot
from tests.support import browser as browsers
from tests.support.director import make_test_folder
from tests.support.documents import ROOT
from tests.support.served import PLAIN
from tests.support.world import World

TOKEN, VIEWERS_TOKEN = "token-of-the-admin", "token-of-the-viewer"


class Visiting(Protocol):
    """Opens a browser window in front of the dashboard."""

    def __call__(
        self, *, width: int = 1440, scheme: str = "light", scripts: bool = True
    ) -> AbstractContextManager[Page]: ...


@dataclass(frozen=True)
class House:
    """The bot that serves, the world around it, and its management interface as an admin."""

    world: World
    admin: httpx.Client

    def run_flow(self, project: str, name: str, payload: Any = None) -> str:
        """Start a flow; returns its id."""
        asked = {"project": project, "name": name, "payload": payload or {}}
        answer = self.admin.post("/api/workflows", json=asked)
        assert answer.status_code == 201, answer.text
        id_: str = answer.json()["id"]
        return id_

    def ends(self, flow: str) -> str:
        """The status with which a flow ends."""

        def ended() -> str | None:
            status: str = self.admin.get(f"/api/workflows/{flow}").json()["status"]
            return status if status in ("success", "error", "canceled") else None

        return eventually(ended)

    def page_of(self, pull_request: PullRequest) -> str:
        """The path of its page."""
        host = httpx.URL(pull_request.url).host
        return f"/pulls/{host}/{pull_request.repository}/{pull_request.number}"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with browsers.chromium() as browser:
        yield browser


@pytest.fixture
def house(start_bot: StartBot, world: World, tmp_path: Path) -> Iterator[House]:
    """The bot with tokens for its dashboard and Director's flows, and reminders that do not come by themselves."""
    (tmp_path / "flows").mkdir()
    flows = make_test_folder(tmp_path / "flows")
    start_bot(
        VIGIL_API_TOKEN=TOKEN,
        VIGIL_VIEWER_TOKEN=VIEWERS_TOKEN,
        VIGIL_REMINDER_INTERVAL="1h",
        VIGIL_FLOWS=str(flows),
        VIGIL_MODULES=str(ROOT / "docs" / "examples" / "hello_cities.py"),
    )
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{world.port}", headers=headers, timeout=30, verify=PLAIN) as admin:
        yield House(world, admin)


@pytest.fixture
def visiting(browser: Browser, house: House) -> Visiting:
    def visit(*, width: int = 1440, scheme: str = "light", scripts: bool = True) -> AbstractContextManager[Page]:
        address = f"http://127.0.0.1:{house.world.port}"
        return browsers.visiting(browser, address, width=width, scheme=scheme, scripts=scripts)

    return visit
