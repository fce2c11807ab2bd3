"""What each delivery leads to."""

import pytest

from config.policy import Policy
from durable.intake import Ignore, SendSignal, SignalWithStart
from handlers.records.pull_requests import Watched
from handlers.router import instruction_for
from handlers.watch_state import Watch
from integrations.github.api import GitHubEvent, UnusedEvent
from tests.unit.handlers.sample import NOON, OPEN, REF, after, delivery, review

ALL = Policy()
CLOSED = after(5, state="closed")


def known(outcome: str | None = None, workflow_id: str = "pr:github.com:old:name:42") -> Watched:
    return Watched(workflow_id, REF, "Add a cache", OPEN.url, outcome, NOON)


@pytest.mark.parametrize(
    "action", ["opened", "reopened", "ready_for_review", "labeled", "synchronize", "fine_new_word"]
)
def test_any_delivery_of_an_open_pull_request_nobody_watches_begins_a_watch(action: str) -> None:
    event = delivery(action, OPEN)
    instruction = instruction_for(event, None, ALL)
    assert isinstance(instruction, SignalWithStart)
    assert instruction.workflow_id == "pr:github.com:acme:api:42"
    assert instruction.args == (Watch("pr:github.com:acme:api:42", OPEN, action),)
    assert (instruction.signal, instruction.payload) == ("github", event)


def test_a_review_of_an_open_pull_request_begins_a_watch_too() -> None:
    assert isinstance(instruction_for(review(OPEN), None, ALL), SignalWithStart)


def test_after_a_rename_the_watch_under_the_former_name_is_told() -> None:
    instruction = instruction_for(delivery("edited", OPEN), known(), ALL)
    assert isinstance(instruction, SignalWithStart)
    assert instruction.workflow_id == "pr:github.com:old:name:42"
    assert instruction.args[0].workflow_id == "pr:github.com:old:name:42"


@pytest.mark.parametrize("event", [delivery("labeled", CLOSED), review(CLOSED)])
def test_what_happens_to_a_closed_pull_request_nobody_watches_begins_nothing(event: GitHubEvent) -> None:
    assert isinstance(instruction_for(event, None, ALL), SendSignal)


def test_closed_reaches_a_watch_that_the_records_do_not_know_yet() -> None:
    assert isinstance(instruction_for(delivery("closed", CLOSED), None, ALL), SignalWithStart)


def test_closed_reaches_the_watch() -> None:
    assert isinstance(instruction_for(delivery("closed", CLOSED), known(), ALL), SignalWithStart)


@pytest.mark.parametrize("outcome", ["channel lost: is_archived", "refused: restricted_action"])
def test_after_trouble_only_an_opening_begins_again(outcome: str) -> None:
    begins = {
        action: isinstance(instruction_for(delivery(action, OPEN), known(outcome), ALL), SignalWithStart)
        for action in ("opened", "reopened", "ready_for_review", "labeled", "synchronize", "edited")
    }
    assert begins == {
        "opened": True,
        "reopened": True,
        "ready_for_review": True,
        "labeled": False,
        "synchronize": False,
        "edited": False,
    }


@pytest.mark.parametrize("outcome", ["merged", "closed", "gone"])
def test_after_an_ordinary_end_a_delivery_that_shows_it_open_begins_again(outcome: str) -> None:
    assert isinstance(instruction_for(delivery("synchronize", OPEN), known(outcome), ALL), SignalWithStart)
    assert isinstance(instruction_for(delivery("labeled", CLOSED), known(outcome), ALL), SendSignal)
    assert isinstance(instruction_for(delivery("closed", CLOSED), known(outcome), ALL), SendSignal)


def test_repositories_the_policy_leaves_out_are_ignored_with_the_reason() -> None:
    instruction = instruction_for(delivery("opened", OPEN), None, Policy(repositories=("other/*",)))
    assert instruction == Ignore("the policy does not watch Acme/api")


def test_the_policys_patterns_take_any_case() -> None:
    assert isinstance(
        instruction_for(delivery("opened", OPEN), None, Policy(repositories=("ACME/*",))), SignalWithStart
    )


def test_a_delivery_of_no_use_is_ignored_with_its_reason() -> None:
    assert instruction_for(UnusedEvent("d", "star", "created", "of no use"), None, ALL) == Ignore("of no use")
