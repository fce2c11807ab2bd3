"""The bot's own memory on a real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from handlers.records import pull_requests as records
from handlers.records.pull_requests import Registration
from integrations.github.api import PullRequest
from tests.integration.watch.conftest import Scene
from tests.unit.handlers.sample import OPEN, REF

MINE = REF.workflow_id
RENAMED = replace(OPEN, ref=replace(REF, owner="Newer", repo="Name"))
REBORN = replace(OPEN, ref=replace(REF, repository_id=8))


@pytest.fixture
def connection(scene: Scene) -> Iterator[Connection]:
    with scene.database.engine.begin() as connection:
        yield connection


def register(connection: Connection, workflow_id: str, pull_request: PullRequest = OPEN) -> Registration:
    return records.register_pull_request.function(connection, workflow_id, pull_request)


def test_a_pull_request_is_registered_once_and_remembered(connection: Connection) -> None:
    assert register(connection, MINE) == Registration(MINE, is_new=True, outcome=None)
    assert register(connection, MINE) == Registration(MINE, is_new=False, outcome=None)
    records.note_outcome.function(connection, MINE, "merged")
    assert register(connection, MINE) == Registration(MINE, is_new=False, outcome="merged")
    records.note_outcome.function(connection, MINE, None)
    assert register(connection, MINE) == Registration(MINE, is_new=False, outcome=None)


def test_after_a_rename_the_first_workflow_keeps_it_and_it_is_found_by_its_new_name(connection: Connection) -> None:
    register(connection, MINE)
    assert register(connection, RENAMED.ref.workflow_id, RENAMED).workflow_id == MINE
    assert records.workflow_id_for(connection, RENAMED.ref) == MINE
    register(connection, MINE, RENAMED)
    found = records.find(connection, "NEWER", "name", 42)
    assert found
    assert (found.workflow_id, str(found.ref)) == (MINE, "Newer/Name#42")
    assert records.find(connection, "acme", "api", 42) is None


def test_a_repository_born_again_under_the_same_name_begins_a_new_account(connection: Connection) -> None:
    register(connection, MINE)
    records.note_outcome.function(connection, MINE, "merged")
    assert register(connection, MINE, REBORN) == Registration(MINE, is_new=True, outcome=None)
    assert records.workflow_id_for(connection, REF) is None
    assert records.workflow_id_for(connection, REBORN.ref) == MINE


def test_a_channel_is_held_by_one_workflow_for_ever(connection: Connection) -> None:
    register(connection, MINE)
    register(connection, "pr:other", REBORN)
    assert records.hold_channel.function(connection, MINE, "C1", "pr-api-42")
    assert records.hold_channel.function(connection, MINE, "C1", "pr-api-42")
    assert not records.hold_channel.function(connection, "pr:other", "C1", "pr-api-42")
    found = records.find_by_channel(connection, "C1")
    assert found
    assert found.workflow_id == MINE
    assert records.find_by_channel(connection, "C2") is None


def test_what_is_watched_and_what_ended_early_are_listed_apart(connection: Connection) -> None:
    for number, outcome in enumerate([None, "merged", "closed", "channel lost: is_archived"], start=1):
        workflow_id = f"pr:{number}"
        register(connection, workflow_id, replace(OPEN, ref=replace(REF, number=number)))
        records.note_outcome.function(connection, workflow_id, outcome)
    assert [watch.workflow_id for watch in records.list_open(connection)] == ["pr:1"]
    assert [watch.outcome for watch in records.list_ended_early(connection)] == ["channel lost: is_archived"]


def test_titles_that_postgresql_cannot_hold_are_held_without_what_it_cannot(connection: Connection) -> None:
    register(connection, MINE, replace(OPEN, title="a\x00b\ud800c"))
    found = records.find(connection, "acme", "api", 42)
    assert found
    assert found.title == "ab?c"


def test_a_number_larger_than_any_is_found_nowhere(connection: Connection) -> None:
    assert records.find(connection, "acme", "api", 10**30) is None
