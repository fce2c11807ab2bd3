"""Who asks too often, and a database that is away."""

from dataclasses import replace

import pytest

from bot.api.limits import Buckets
from bot.web import create_app
from durable.client import Client
from durable.flows import FlowRuns
from durable.operator import Operator
from durable.postgres import Database
from tests.integration.api.conftest import ADMIN, BASE, Stage, client_of
from tests.support.served import served


def test_whoever_asks_too_often_is_told_when_to_ask_again(stage: Stage) -> None:
    app = create_app(stage.services, Buckets(0.1, 2, monotonic=lambda: 0.0))
    with served(app) as url, client_of(url, None) as guessing, client_of(url, ADMIN) as admin:
        assert [guessing.get("/api/workflows").status_code for _ in range(2)] == [401, 401]
        for path in ("/api/ping", f"{BASE}/instances", f"{BASE.upper()}/INSTANCES"):
            refused = admin.get(path)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
            assert refused.headers["x-frame-options"] == "DENY"
        assert admin.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", [f"{BASE}/instances", f"{BASE}/instances/x", "/api/workflows", "/api/workflows/x"])
def test_while_the_database_is_away_every_question_is_to_be_asked_again(stage: Stage, path: str) -> None:
    away = Database("postgresql+psycopg2://nobody@127.0.0.1:1/nowhere")
    management = replace(
        stage.management,
        client=Client(away),
        operator=Operator(away),
        runs=FlowRuns(away, stage.management.flows),
    )
    with served(create_app(replace(stage.services, management=management))) as url, client_of(url, ADMIN) as admin:
        answer = admin.get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    away.close()
