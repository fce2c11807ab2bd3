"""Slack and GitHub limit, refuse, lose and garble: everything still happens once, or ends in a defined way."""

import time
from threading import Event

import httpx
import pytest

from bot.demo.bot_process import BotProcess
from bot.demo.waiting import eventually
from tests.support import faults
from tests.support.chaos import EVERY
from tests.support.lives import ended, lived_once, posted, reminded
from tests.support.served import PLAIN
from tests.support.world import World

IN_DOUBT = [
    *(faults.slack_error(code) for code in ("internal_error", "fatal_error", "service_unavailable", "request_timeout")),
    *(faults.slack_error(code, applied=True) for code in ("internal_error", "fatal_error")),
    faults.server_error(500),
    faults.server_error(503, applied=True),
    faults.broken_json(),
    faults.broken_json(applied=False),
    faults.cut_answer(),
    faults.lost_answer(),
    faults.lost_answer("reset"),
    faults.lost_call(),
]


def whole_life(world: World, *, reminders: int = 2, within: float = 30) -> None:
    """Open, remind, merge, archive; then: each thing once."""
    pull_request = world.github.open_pull_request("Once", reviewers=["ada"])
    channel = world.channel_of("acme/api", pull_request.number, within=within)
    reminded(world, channel, reminders, within=within)
    pull_request.merge()
    ended(world, pull_request)
    lived_once(world, pull_request)


@pytest.mark.chaos
@pytest.mark.parametrize("fault", IN_DOUBT[::EVERY], ids=lambda fault: f"{fault.name}{' applied' * fault.applied}")
def test_an_effect_in_doubt_is_looked_for_and_then_repeated_or_adopted(
    world: World, bot: BotProcess, fault: faults.Fault
) -> None:
    """Every kind of call meets the fault once, and each message again on its second try."""
    for method in (
        "conversations.create",
        "conversations.setTopic",
        "conversations.invite",
        "bookmarks.add",
        "chat.delete",
        "conversations.archive",
    ):
        world.slack_proxy.make(method, fault, times=1)
    world.slack_proxy.make("chat.postMessage", fault, share=0.5)
    whole_life(world)


def test_an_effect_in_doubt_is_settled_within_a_second_or_so(world: World, bot: BotProcess) -> None:
    world.slack_proxy.make("chat.postMessage", faults.slack_error("internal_error"), times=1)
    pull_request = world.github.open_pull_request()
    channel = world.channel_of("acme/api", pull_request.number)
    eventually(lambda: posted(world, channel))
    refused, repeated = world.slack_proxy.calls("chat.postMessage")
    assert (repeated.at - refused.at).total_seconds() < 2


def test_a_look_that_fails_never_falls_through_to_the_call(world: World, bot: BotProcess) -> None:
    world.slack_proxy.make("chat.postMessage", faults.lost_answer(), times=1)
    world.slack_proxy.make("conversations.history", faults.server_error(500), times=3)
    pull_request = world.github.open_pull_request()
    channel = world.channel_of("acme/api", pull_request.number)
    reminded(world, channel, 1)
    keys = [call.key for call in posted(world, channel)]
    assert len(keys) == len(set(keys))


@pytest.mark.timeout(300)
def test_with_half_of_all_calls_limited_everything_happens_once(world: World, bot: BotProcess) -> None:
    world.slack_proxy.make("*", faults.rate_limited(1), share=0.5)
    whole_life(world, reminders=1, within=120)


def test_limits_of_github_are_waited_for(world: World, bot: BotProcess) -> None:
    world.github_proxy.make("GET *", faults.github_secondary_limit(2), times=2)
    started = time.monotonic()
    whole_life(world)
    assert time.monotonic() - started > 2


@pytest.mark.parametrize(
    "fault",
    [faults.server_error(502), faults.lost_call(), faults.lost_answer(), faults.broken_json()],
    ids=lambda fault: str(fault.name),
)
def test_reads_of_github_that_fail_are_repeated(world: World, bot: BotProcess, fault: faults.Fault) -> None:
    world.github_proxy.make("GET *", fault, share=0.3)
    whole_life(world)


def test_a_revoked_slack_token_parks_everything_until_it_is_mended(world: World, bot: BotProcess) -> None:
    first = world.github.open_pull_request("Before")
    channel = world.channel_of("acme/api", first.number)
    reminded(world, channel, 1)
    world.slack_proxy.make("*", faults.slack_error("invalid_auth"))
    answer = eventually(lambda: is_unready(bot), within=15)
    assert "slack" in answer
    second = world.github.open_pull_request("While it was revoked")
    calls = len(world.slack_proxy.calls())
    assert nothing_spins(world, calls)
    world.slack_proxy.mend()
    world.channel_of("acme/api", second.number, within=40)
    for pull_request in (first, second):
        pull_request.merge()
        ended(world, pull_request)
        lived_once(world, pull_request)


def test_a_revoked_github_token_parks_everything_until_it_is_mended(world: World, bot: BotProcess) -> None:
    world.github_proxy.make("*", faults.github_unauthorized())
    pull_request = world.github.open_pull_request("While it was revoked")
    assert "github" in eventually(lambda: is_unready(bot), within=15)
    world.github_proxy.mend()
    world.channel_of("acme/api", pull_request.number, within=40)
    pull_request.merge()
    ended(world, pull_request)


def test_a_channel_archived_by_a_person_ends_the_watch(world: World, bot: BotProcess) -> None:
    pull_request = world.github.open_pull_request()
    channel = world.channel_of("acme/api", pull_request.number)
    reminded(world, channel, 1)
    world.slack.archive_as_admin(channel.id)
    world.slack_proxy.wait_for("chat.postMessage", count=len(world.slack_proxy.calls("chat.postMessage")) + 1)
    assert nothing_spins(world, len(world.slack_proxy.calls()))


def test_a_bot_removed_from_its_channel_ends_the_watch(world: World, bot: BotProcess) -> None:
    world.slack_proxy.make("chat.postMessage", faults.slack_error("not_in_channel"), skip=1)
    pull_request = world.github.open_pull_request()
    world.channel_of("acme/api", pull_request.number)
    world.slack_proxy.wait_for("chat.postMessage", count=2, reached=False)
    assert nothing_spins(world, len(world.slack_proxy.calls()))


def test_a_workspace_that_forbids_channels_is_asked_once(world: World, bot: BotProcess) -> None:
    world.slack_proxy.make("conversations.create", faults.slack_error("restricted_action"))
    world.github.open_pull_request()
    world.slack_proxy.wait_for("conversations.create", reached=False)
    assert nothing_spins(world, len(world.slack_proxy.calls()))
    assert len(world.slack_proxy.calls("conversations.create")) == 1


def test_a_name_somebody_else_has_leads_to_the_next_free_one(world: World, bot: BotProcess) -> None:
    world.slack.create_channel("pr-api-1-taken")
    pull_request = world.github.open_pull_request("Taken")
    channel = eventually(
        lambda: next((each for each in world.slack.channels() if each.name.startswith("pr-api-1-taken-")), None)
    )
    reminded(world, channel, 1)
    assert pull_request.number == 1


def test_a_pull_request_that_is_gone_ends_the_watch(world: World, bot: BotProcess) -> None:
    pull_request = world.github.open_pull_request()
    channel = world.channel_of("acme/api", pull_request.number)
    reminded(world, channel, 1)
    world.github_proxy.make("GET *", faults.github_not_found())
    eventually(lambda: world.channel_of("acme/api", pull_request.number).archived, within=20)


def is_unready(bot: BotProcess) -> str | None:
    """What `/readyz` says when it says no."""
    answer = httpx.get(f"{bot.url}/readyz", verify=PLAIN)
    return answer.text if answer.status_code != 200 else None


def nothing_spins(world: World, calls: int) -> bool:
    """Over two intervals the bot asks Slack next to nothing. That nothing happens can only be seen by looking on."""
    Event().wait(4)
    return len(world.slack_proxy.calls()) - calls <= 8
