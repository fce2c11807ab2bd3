"""Closed gates open by themselves once what refused us answers again."""

from collections.abc import Iterator

import pytest

from bot.clock import Clock
from bot.demo.waiting import eventually
from bot.gatekeeper import Gatekeeper
from durable.client import Client
from durable.postgres import Database, gates
from integrations.slack.api import Unauthorized, Unreachable


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


class Door:
    """A dependency that refuses until it is mended."""

    def __init__(self) -> None:
        self.problem: Exception | None = Unauthorized("auth.test: invalid_auth")
        self.tried = 0

    def __call__(self) -> str:
        self.tried += 1
        if self.problem is not None:
            raise self.problem
        return "U1"


def close(database: Database, name: str) -> None:
    with database.transaction("test") as connection:
        gates.close(connection, name, "invalid_auth")


def test_a_gate_stays_closed_while_its_dependency_refuses_and_opens_when_it_is_mended(database: Database) -> None:
    door, client = Door(), Client(database)
    close(database, "slack")
    close(database, "nobody-knows")
    gatekeeper = Gatekeeper(client, {"slack": door})

    assert gatekeeper.check() == []
    door.problem = Unreachable("no connection")
    assert gatekeeper.check() == []
    door.problem = None
    assert gatekeeper.check() == ["slack"]
    assert [gate.name for gate in client.gates()] == ["nobody-knows"]


def test_with_every_gate_open_nobody_is_asked(database: Database) -> None:
    door = Door()

    assert Gatekeeper(Client(database), {"slack": door}).check() == []
    assert door.tried == 0


def test_a_duty_that_fails_is_tried_again_at_the_next_tick() -> None:
    door = Door()
    clock = Clock({"door": door}, every=0.02)
    clock.start()
    eventually(lambda: door.tried >= 3)
    clock.stop()
