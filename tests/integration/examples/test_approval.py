"""The approval: people are asked one after the other, each once, wherever the worker dies."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from urllib.parse import parse_qs, urlsplit

import pytest

from docs.examples.approval import Request as Wanted
from docs.examples.approval import approval
from durable.client import Client
from durable.postgres import Database
from durable.testing import InlineWorker
from tests.support.chaos import EVERY
from tests.support.mortal import killed_everywhere, mortal
from tests.support.scripted_server import Answer, Request, ScriptedServer

ASKED = "Pay 300 EUR? Please approve or reject."


class People:
    """Takes messages for each address, and finds them by their key."""

    def __init__(self) -> None:
        self.messages: defaultdict[str, list[dict[str, str]]] = defaultdict(list)

    def __call__(self, request: Request) -> Answer:
        address = urlsplit(request.path)
        mine = self.messages[address.path]
        if request.method == "POST":
            mine.append(json.loads(request.body))
            return Answer()
        [key] = parse_qs(address.query)["key"]
        return Answer([message for message in mine if message["key"] == key])

    def told(self, path: str) -> list[str]:
        return [message["text"] for message in self.messages[path]]


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def wanted(people: People) -> Iterator[Wanted]:
    with ScriptedServer(people) as server:
        yield {"what": "Pay 300 EUR?", "ask": [f"{server.url}/ada", f"{server.url}/grace"]}


def test_the_first_person_answers_and_nobody_else_is_asked(
    inline: Callable[..., InlineWorker], people: People, wanted: Wanted
) -> None:
    worker = inline(approval)
    worker.client.start(approval, wanted, workflow_id="bill:7")
    worker.run_for(timedelta(hours=23))
    worker.client.signal("bill:7", "approve", "Ada", key="click-1")
    worker.run_for(timedelta(days=3))
    assert worker.client.describe("bill:7").result == "approve by Ada"
    assert (people.told("/ada"), people.told("/grace")) == ([ASKED], [])


def test_without_an_answer_within_a_day_the_next_person_is_asked(
    inline: Callable[..., InlineWorker], people: People, wanted: Wanted
) -> None:
    worker = inline(approval)
    worker.client.start(approval, wanted, workflow_id="bill:7")
    worker.run_for(timedelta(days=1, minutes=1))
    assert (people.told("/ada"), people.told("/grace")) == ([ASKED], [ASKED])
    worker.client.signal("bill:7", "reject", "Grace", key="click-2")
    worker.run_until_idle()
    assert worker.client.describe("bill:7").result == "reject by Grace"


def test_when_nobody_answers_the_approval_says_so(inline: Callable[..., InlineWorker], wanted: Wanted) -> None:
    worker = inline(approval)
    worker.client.start(approval, wanted, workflow_id="bill:7")
    worker.run_for(timedelta(days=2, minutes=1))
    assert worker.client.describe("bill:7").result == "nobody answered"


def test_a_second_click_on_the_same_button_changes_nothing(
    inline: Callable[..., InlineWorker], database: Database, wanted: Wanted
) -> None:
    worker = inline(approval)
    client = Client(database)
    client.start(approval, wanted, workflow_id="bill:7")
    clicks = [client.signal("bill:7", "approve", "Ada", key="click-1") for _ in range(2)]
    worker.run_until_idle()
    assert (clicks, client.describe("bill:7").result) == ([True, False], "approve by Ada")


def lived(database: Database, people: People, wanted: Wanted, nth: int) -> int:
    """Ada does not answer and Grace does, with a death at the n-th point; returns how many points were passed."""
    people.messages.clear()
    workflow_id = f"bill-{nth}"
    with mortal(database, nth, approval) as life:
        life.worker.client.start(approval, wanted, workflow_id=workflow_id)
        life.live_for(timedelta(days=1, minutes=5))
        life.worker.client.signal(workflow_id, "approve", "Grace", key="click")
        life.live_for(timedelta(minutes=5))
        assert life.worker.client.describe(workflow_id).result == "approve by Grace", nth
    assert (people.told("/ada"), people.told("/grace")) == ([ASKED], [ASKED]), nth
    return life.passed


@pytest.mark.chaos
def test_an_approval_killed_anywhere_asks_each_person_once(database: Database, people: People, wanted: Wanted) -> None:
    assert killed_everywhere(partial(lived, database, people, wanted), every=EVERY) > 10
