"""Fixtures every tier may ask for; what is dear is started by the first test that asks and shared in the session."""

import os
from collections.abc import Iterator

import pytest

from tests.support.database import Databases
from tests.support.postgres_server import running_server, session_folder, stop_server, sweep_abandoned

_CONTROLLER = "VIGIL_TESTS_CONTROLLER"


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    if not _is_worker(config):
        os.environ[_CONTROLLER] = str(os.getpid())  # the workers inherit it
        sweep_abandoned()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not _is_worker(config):
        stop_server(session_folder(os.getpid()))


@pytest.fixture(scope="session")
def databases() -> Databases:
    """Makes databases on the session's PostgreSQL."""
    return Databases(running_server(session_folder(int(os.environ[_CONTROLLER]))))


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
