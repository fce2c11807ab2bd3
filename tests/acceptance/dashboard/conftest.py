"""The whole bot with its dashboard, and people in front of a real browser."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

import pytest
from playwright.sync_api import Browser, Page

from bot.demo.bot_process import BotProcess
from tests.conftest import StartBot
from tests.support import browser as browsers
from tests.support.world import World

TOKEN, VIEWERS_TOKEN = "token-of-the-admin", "token-of-the-viewer"


class Visiting(Protocol):
    """Opens a browser window in front of the dashboard."""

    def __call__(
        self, *, width: int = 1440, scheme: str = "light", scripts: bool = True
    ) -> AbstractContextManager[Page]: ...


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with browsers.chromium() as browser:
        yield browser


@pytest.fixture
def watched_bot(start_bot: StartBot) -> BotProcess:
    """The bot with tokens for its dashboard, and reminders that do not come by themselves."""
    return start_bot(VIGIL_API_TOKEN=TOKEN, VIGIL_VIEWER_TOKEN=VIEWERS_TOKEN, VIGIL_REMINDER_INTERVAL="1h")


@pytest.fixture
def visiting(browser: Browser, world: World, watched_bot: BotProcess) -> Visiting:
    def visit(*, width: int = 1440, scheme: str = "light", scripts: bool = True) -> AbstractContextManager[Page]:
        address = f"http://127.0.0.1:{world.port}"
        return browsers.visiting(browser, address, width=width, scheme=scheme, scripts=scripts)

    return visit
