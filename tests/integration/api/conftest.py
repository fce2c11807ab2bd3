"""The application on one database of a module, asked as each role, and a worker that runs when it is told to."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from bot.access import Access
from bot.api import Management
from bot.dashboard.app import Dashboard
from bot.health import Health
from bot.metrics import Metrics
from bot.web import Services, create_app
from bot.webhook import DeliveryDesk
from durable.client import Client
from durable.flows import FlowRuns, load
from durable.intake import Intake
from durable.operator import Operator
from durable.postgres import Database
from durable.postgres.migrate import ENGINE, current
from durable.testing import InlineWorker
from tests.integration.api.programs import WORKFLOWS
from tests.integration.test_web import SECRET, SlackAnswer
from tests.support.database import Databases
from tests.support.director import make_test_folder
from tests.support.served import PLAIN, served

BASE = "/runtime/webhooks/durabletask"
ADMIN, VIEWER = "token-of-the-admin", "token-of-the-viewer"


@dataclass(frozen=True)
class Stage:
    """Who asks, and the worker that does what they asked for."""

    app: FastAPI
    admin: httpx.Client
    viewer: httpx.Client
    anonymous: httpx.Client
    worker: InlineWorker
    management: Management
    services: Services

    def begin(self, name: str, instance_id: str, value: Any = None) -> str:
        """Begin an instance and do all that is due; returns its path."""
        answer = self.admin.post(f"{BASE}/orchestrators/{name}/{instance_id}", json=value)
        assert answer.status_code == 202, answer.text
        self.worker.run_until_idle()
        return f"{BASE}/instances/{instance_id}"


def client_of(url: str, token: str | None) -> httpx.Client:
    """Whoever has this token."""
    headers = {"Host": "bot"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
    return httpx.Client(base_url=url, headers=headers, timeout=30, verify=PLAIN)


@pytest.fixture(scope="module")
def stage(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ExitStack() as stack:
        database = Database(stack.enter_context(databases.migrated()), pool_size=20)
        stack.callback(database.close)
        flows = load(make_test_folder(tmp_path_factory.mktemp("director")))
        worker = InlineWorker(database, workflows=[*WORKFLOWS, *flows.workflows()])
        stack.callback(worker.close)
        client = Client(database)
        management = Management(
            client,
            Operator(database),
            FlowRuns(database, flows),
            flows,
            {declared.name: declared for declared in WORKFLOWS},
        )
        services = Services(
            desk=DeliveryDesk(SECRET, Intake(database)),
            slack=lambda _body, _headers: SlackAnswer(200, {"content-type": "text/plain"}, ""),
            health=Health(client, lambda: current(database), {ENGINE.schema: ENGINE.head()}),
            metrics=Metrics(client),
            access=Access(ADMIN, viewer_token=VIEWER),
            management=management,
            dashboard=Dashboard(database, management, lambda: datetime.now(UTC)),
        )
        app = create_app(services)
        url = stack.enter_context(served(app))
        admin, viewer, anonymous = (stack.enter_context(client_of(url, token)) for token in (ADMIN, VIEWER, None))
        yield Stage(app, admin, viewer, anonymous, worker, management, services)
