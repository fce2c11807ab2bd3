"""Fixtures every tier may ask for; what is dear is started by the first test that asks and shared in the session."""

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import hypothesis
import pytest

from bot.demo.bot_process import BotProcess, Role
from bot.demo.standins import StandIns
from tests.support.chaos import IS_LONG
from tests.support.database import Databases
from tests.support.forked_bot import ForkedBotProcess
from tests.support.postgres_server import remove, session_folder, session_server, sweep_abandoned
from tests.support.proxy import FaultProxy
from tests.support.world import World

_FOLDER = "VIGIL_TESTS_FOLDER"

hypothesis.settings.register_profile("patient", deadline=None)  # a slow machine is no bug
hypothesis.settings.load_profile("patient")


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    if not _is_worker(config):
        os.environ[_FOLDER] = str(session_folder(os.getpid()))  # the workers inherit it
        sweep_abandoned()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not _is_worker(config):
        remove(Path(os.environ[_FOLDER]))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    gc.disable()  # nothing of what is imported and collected is thrown away
    try:
        return (yield)
    finally:
        gc.freeze()  # it stays, and need not be looked through after every few tests
        gc.set_threshold(10_000)  # as the bot does
        gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the heavy proofs measured, each beside its test."""
    if not IS_LONG:
        return
    terminalreporter.section("figures")
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid.partition('::')[2]}: {name}: {value}")


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """Makes databases on the session's PostgreSQL, or on the server of `VIGIL_TEST_SERVER` (any from 14)."""
    with ExitStack() as stack:
        server = os.environ.get("VIGIL_TEST_SERVER") or stack.enter_context(session_server(Path(os.environ[_FOLDER])))
        databases = Databases(server)
        stack.callback(databases.close)
        yield databases


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A fresh database with the current schema."""
    with databases.migrated() as url:
        yield url


@pytest.fixture
def empty_database_url(databases: Databases) -> Iterator[str]:
    """A fresh database with nothing in it."""
    with databases.empty() as url:
        yield url


@pytest.fixture(scope="session")
def _stand_ins() -> Iterator[tuple[StandIns, FaultProxy, FaultProxy]]:
    with StandIns.start() as stand_ins, FaultProxy() as github_proxy, FaultProxy() as slack_proxy:
        yield stand_ins, github_proxy, slack_proxy


@pytest.fixture
def world(_stand_ins: tuple[StandIns, FaultProxy, FaultProxy]) -> World:
    """A fresh GitHub and Slack with the proxies between them and the bot."""
    return World.fresh(*_stand_ins)


class StartBot(Protocol):
    """Starts `bot <role>` on the test's database and waits until it is ready."""

    def __call__(
        self, role: Role = "serve", *, ready: bool = True, forked: bool = True, **settings: str
    ) -> BotProcess: ...


@pytest.fixture
def start_bot(world: World, database_url: str, tmp_path: Path) -> Iterator[StartBot]:
    """Starts bots in the test's world, `forked` ones at once, others as `python -m bot`; `settings` overrides their
    environment. All are stopped afterwards."""
    with ExitStack() as stack:

        def start(role: Role = "serve", *, ready: bool = True, forked: bool = True, **settings: str) -> BotProcess:
            folder = tmp_path / f"bot-{len(list(tmp_path.iterdir()))}"
            environment = world.settings(database_url) | {"VIGIL_HOME": str(folder / "home")} | settings
            bot = (ForkedBotProcess if forked else BotProcess)(role, environment, folder)
            stack.callback(_stop_and_show, bot)
            bot.start()
            return bot.wait_until_ready() if ready else bot

        yield start


@pytest.fixture
def bot(start_bot: StartBot) -> BotProcess:
    """The whole bot in one process, ready."""
    return start_bot()


def _stop_and_show(bot: BotProcess) -> None:
    """Stop it, and show its log where pytest shows what a failed test printed."""
    bot.stop()
    print(bot.log_text[-20_000:])  # noqa: T201 - captured by pytest, seen when the test failed
