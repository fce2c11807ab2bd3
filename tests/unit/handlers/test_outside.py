"""What each error of Slack or GitHub means to the engine, and which outcome it leads to."""

from datetime import timedelta

import pytest

from config.policy import Channels, Policy, Reminders
from durable import ActivityFailed, InDoubt, Park, RetryAfter
from handlers.effects_github import rules_for
from handlers.outside import FOR_GOOD, steering
from handlers.steps import why
from handlers.watch_state import Rules
from integrations.github import api as github
from integrations.slack import api as slack
from tests.unit.handlers.sample import OPEN, after


@pytest.mark.parametrize(
    "limited", [slack.RateLimited("chat.postMessage", 30.0), github.RateLimited("secondary limit", 30.0)]
)
def test_a_rate_limit_is_waited_for(limited: Exception) -> None:
    with pytest.raises(RetryAfter) as raised, steering():
        raise limited
    assert raised.value.seconds == 30.0


@pytest.mark.parametrize(("timed_out", "settle"), [(False, 0.0), (True, 2.0)])
def test_an_uncertain_call_is_in_doubt_and_one_that_timed_out_may_still_settle(timed_out: bool, settle: float) -> None:
    with pytest.raises(InDoubt) as raised, steering():
        raise slack.Uncertain("internal_error", timed_out=timed_out)
    assert raised.value.settle == settle


@pytest.mark.parametrize(
    ("refused", "gate"), [(slack.Unauthorized("invalid_auth"), "slack"), (github.Unauthorized("401"), "github")]
)
def test_a_dead_token_parks_at_the_gate_of_its_service(refused: Exception, gate: str) -> None:
    with pytest.raises(Park) as raised, steering():
        raise refused
    assert raised.value.gate == gate


@pytest.mark.parametrize(
    ("error", "for_good"),
    [
        (slack.Refused("chat.postMessage", "no_text"), True),
        (slack.ChannelGone("chat.postMessage", "is_archived"), True),
        (slack.NameTaken("conversations.create", "name_taken"), True),
        (github.NotFound("404"), True),
        (github.Forbidden("403"), True),
        (slack.Unreachable("refused"), False),
        (github.Unavailable("502"), False),
        (ValueError("our own bug"), False),
    ],
)
def test_everything_else_goes_up_and_is_final_or_tried_again(error: Exception, for_good: bool) -> None:
    with pytest.raises(type(error)), steering():
        raise error
    assert isinstance(error, FOR_GOOD) is for_good


@pytest.mark.parametrize(
    ("error", "message", "outcome"),
    [
        ("ChannelGone", "chat.postMessage: is_archived", "channel lost: is_archived"),
        ("Refused", "conversations.create: restricted_action", "refused: restricted_action"),
        ("NotFound", "404: /repos/acme/api", "gone"),
        ("Forbidden", "403", "forbidden"),
        ("ValueError", "our own bug", "failed: look: ValueError"),
    ],
)
def test_a_failure_for_good_leads_to_a_defined_outcome(error: str, message: str, outcome: str) -> None:
    assert why(ActivityFailed("look", error, message)) == outcome


@pytest.mark.parametrize(
    ("policy", "of_private", "of_public"),
    [("auto", True, False), ("always", True, True), ("never", False, False)],
)
def test_the_policy_says_which_channels_are_private(policy: str, of_private: bool, of_public: bool) -> None:
    channels = Channels(private=policy)  # type: ignore[arg-type] # one of the three words above
    assert rules_for(after(0, private=True), Policy(channels=channels)).private_channel is of_private
    assert rules_for(OPEN, Policy(channels=channels)).private_channel is of_public


def test_the_rules_are_the_policys() -> None:
    policy = Policy(
        reminders=Reminders(every=timedelta(minutes=5)), channels=Channels(drafts="open", archive_after=timedelta(0))
    )
    assert rules_for(OPEN, policy) == Rules(timedelta(minutes=5), timedelta(0), wait_for_drafts=False)
