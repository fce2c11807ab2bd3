"""The naive loop, killed at every commit and every outward call in turn: each message once, and the loop goes on."""

from datetime import timedelta
from functools import partial

import pytest

from docs.examples.naive_pull_request import World, nag_about
from durable.postgres import Database
from tests.support.chaos import EVERY
from tests.support.mortal import killed_everywhere, mortal

HOURS_OPEN = timedelta(hours=2, minutes=30)
TOLD = ["#7 waits for your review"] * 3 + ["#7 is closed, thank you"]


class Memory:
    """A pull request and a chat that remembers by key."""

    def __init__(self) -> None:
        self.open = {7}
        self.told: list[tuple[str, str]] = []

    def is_open(self, number: int) -> bool:
        return number in self.open

    def post(self, text: str, key: str) -> None:
        self.told.append((text, key))

    def was_posted(self, text: str, key: str) -> bool:
        return (text, key) in self.told


def lived(database: Database, nth: int) -> int:
    """One pull request, with a death at the n-th point; returns how many points were passed."""
    memory, workflow_id = Memory(), f"pr-{nth}"
    with mortal(database, nth, nag_about, resources={World: memory}) as life:
        life.worker.client.start(nag_about, 7, workflow_id=workflow_id)
        life.live_for(HOURS_OPEN)
        memory.open.clear()
        life.live_for(timedelta(hours=1))
        assert [text for text, _ in memory.told] == TOLD, nth
        assert life.worker.client.describe(workflow_id).result == "closed"
    return life.passed


@pytest.mark.chaos
def test_the_naive_loop_killed_at_every_step_says_everything_once(database: Database) -> None:
    assert killed_everywhere(partial(lived, database), every=EVERY) > 30
