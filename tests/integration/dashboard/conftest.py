"""The dashboard on a database of its own, asked as each role, and a worker that runs when it is told to."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from bot.access import Access
from bot.api import Management
from bot.dashboard.app import Dashboard
from bot.health import Health
from bot.metrics import Metrics
from bot.schema import MIGRATIONS
from bot.web import Services, create_app
from bot.webhook import DeliveryDesk
from durable import Workflow
from durable.client import Client
from durable.flows import FlowRuns, Flows, load
from durable.intake import Intake, Router
from durable.operator import Operator
from durable.postgres import Database
from durable.postgres.migrate import current
from durable.testing import InlineWorker
from handlers.records.schema import engine_time
from handlers.watch import watch_pull_request
from tests.integration.api.conftest import ADMIN, VIEWER, client_of
from tests.integration.api.programs import WORKFLOWS
from tests.integration.test_web import SECRET, SlackAnswer
from tests.support.database import Databases
from tests.support.director import make_test_folder
from tests.support.served import served

_TABLES = text(
    "SELECT schemaname || '.' || tablename FROM pg_tables"
    " WHERE schemaname IN ('durable', 'vigil') AND tablename NOT IN ('schema_version', 'clock')"
)
PROGRAMS: tuple[Workflow[..., Any], ...] = (watch_pull_request, *WORKFLOWS)


@dataclass(frozen=True)
class House:
    """Who looks at the dashboard, and what it shows. `client`, `management` and `database` make things to look at."""

    url: str
    app: FastAPI
    admin: httpx.Client
    viewer: httpx.Client
    anonymous: httpx.Client
    worker: InlineWorker
    management: Management
    database: Database

    @property
    def client(self) -> Client:
        """Starts, signals and reads workflows."""
        return self.management.client

    def page(self, path: str) -> str:
        """The page as a viewer sees it."""
        answer = self.viewer.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def now(self) -> datetime:
        """The engine's time, by which the pages go."""
        with self.database.reading() as connection:
            return engine_time(connection)


@pytest.fixture(scope="module")
def _used_house(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """What is dear to build is built once for the tests of a module."""
    flows = load(make_test_folder(tmp_path_factory.mktemp("flows")))
    with databases.migrated() as url, house_on(url, flows) as built:
        yield built


@pytest.fixture
def house(_used_house: House) -> Iterator[House]:
    """The dashboard over an empty database, with the workflows and flows of the interfaces' tests."""
    with _used_house.database.transaction("empty") as connection:
        connection.execute(text(f"TRUNCATE {', '.join(connection.scalars(_TABLES))} RESTART IDENTITY"))
        connection.execute(text("UPDATE durable.clock SET shift = '0'"))
    for client in (_used_house.admin, _used_house.viewer, _used_house.anonymous):
        client.cookies.clear()
    worker = InlineWorker(_used_house.database, workflows=[*PROGRAMS, *_used_house.management.flows.workflows()])
    yield replace(_used_house, worker=worker)
    worker.close()


@pytest.fixture
def new_house(database_url: str, tmp_path: Path) -> Iterator[House]:
    """A house of which nobody has made use: for tests of what its process remembers."""
    with house_on(database_url, load(make_test_folder(tmp_path))) as built:
        yield built


@contextmanager
def house_on(
    url: str, flows: Flows, resources: Mapping[type, Any] | None = None, routes: Mapping[str, Router] | None = None
) -> Iterator[House]:
    """The dashboard over this database. `resources` and `routes` are the worker's."""
    with ExitStack() as stack:
        database = Database(url, pool_size=20)
        stack.callback(database.close)
        worker = InlineWorker(database, workflows=[*PROGRAMS, *flows.workflows()], resources=resources, routes=routes)
        stack.callback(worker.close)
        begun = {declared.name: declared for declared in (*PROGRAMS, *flows.workflows())}
        client = Client(database)
        management = Management(client, Operator(database), FlowRuns(database, flows), flows, begun)
        app = create_app(services_of(database, management))
        address = stack.enter_context(served(app))
        admin, viewer, anonymous = (stack.enter_context(client_of(address, token)) for token in (ADMIN, VIEWER, None))
        yield House(address, app, admin, viewer, anonymous, worker, management, database)


def services_of(database: Database, management: Management) -> Services:
    def now() -> datetime:
        with database.reading() as connection:
            return engine_time(connection)

    return Services(
        desk=DeliveryDesk(SECRET, Intake(database)),
        slack=lambda _body, _headers: SlackAnswer(200, {"content-type": "text/plain"}, ""),
        health=Health(management.client, lambda: current(database, MIGRATIONS), {}),
        metrics=Metrics(management.client),
        access=Access(ADMIN, viewer_token=VIEWER),
        management=management,
        dashboard=Dashboard(database, management, now),
    )
