"""Our Slack client when things go wrong: one request each, and the truth about whether it may have taken effect."""

import logging
import time
import traceback
from collections.abc import Callable
from threading import Barrier, Event, Thread

import pytest

from bot.demo.ports import free_port
from bot.demo.standins import SLACK_BOT_TOKEN
from integrations.slack.api import (
    Channel,
    ChannelGone,
    Message,
    RateLimited,
    Refused,
    Slack,
    SlackError,
    Unauthorized,
    Uncertain,
    Unreachable,
)
from integrations.slack.client import SlackClient
from tests.support import faults
from tests.support.faults import Fault
from tests.support.world import World

HELLO = Message("Hello")


@pytest.fixture
def slack(world: World) -> Slack:
    return SlackClient(SLACK_BOT_TOKEN, base_url=f"{world.slack_proxy.url}/api/")


@pytest.fixture
def channel(slack: Slack) -> Channel:
    return slack.create_channel("pr-api-1", private=False)


def posted(world: World, slack: Slack, channel: Channel, fault: Fault) -> SlackError:
    """What comes of a post that meets this fault, tried by the client exactly once."""
    world.slack_proxy.make("chat.postMessage", fault)
    with pytest.raises(SlackError) as caught:
        slack.post(channel.id, HELLO, key="k", timeout=5)
    assert len(world.slack_proxy.calls("chat.postMessage")) == 1
    assert SLACK_BOT_TOKEN not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_a_rate_limit_says_when_to_come_back(world: World, slack: Slack, channel: Channel) -> None:
    error = posted(world, slack, channel, faults.rate_limited(7.5))
    assert isinstance(error, RateLimited)
    assert error.retry_after == 7.5
    assert world.slack.posts(channel.id) == []


@pytest.mark.parametrize(
    "fault",
    [faults.slack_error("ratelimited"), Fault("bare", applied=False, status=429), faults.rate_limited(float("nan"))],
)
def test_a_rate_limit_without_a_time_is_half_a_minute(
    world: World, slack: Slack, channel: Channel, fault: Fault
) -> None:
    error = posted(world, slack, channel, fault)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 30


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        lambda applied: faults.server_error(500, applied=applied),
        lambda applied: faults.server_error(503, applied=applied),
        lambda applied: faults.slack_error("internal_error", applied=applied),
        lambda applied: faults.slack_error("fatal_error", applied=applied),
        lambda applied: faults.slack_error("service_unavailable", applied=applied),
        lambda applied: faults.slack_error("request_timeout", applied=applied),
        lambda applied: faults.broken_json(applied=applied),
        lambda applied: faults.lost_answer() if applied else faults.lost_call(),
        lambda applied: faults.lost_answer("reset") if applied else faults.lost_call(),
        lambda applied: Fault("a page", applied, 200, b"<html>sign in</html>", {"Content-Type": "text/html"}),
        lambda applied: Fault("a proxy's page", applied, 403, b"<html>no</html>", {"Content-Type": "text/html"}),
        lambda applied: Fault("nothing", applied, 200),
        lambda applied: Fault("a list", applied, 200, b"[1]", {"Content-Type": "application/json"}),
        lambda applied: Fault("no ts", applied, 200, b'{"ok": true}', {"Content-Type": "application/json"}),
    ],
)
def test_an_answer_that_says_nothing_leaves_it_uncertain(
    world: World, slack: Slack, channel: Channel, applied: bool, make: Callable[[bool], Fault]
) -> None:
    error = posted(world, slack, channel, make(applied))
    assert isinstance(error, Uncertain)
    assert not error.timed_out
    assert len(world.slack.posts(channel.id)) == applied
    # What the bot does next: look, in the same breath.
    assert bool(slack.find_message(channel.id, "k", since=None)) == applied


def test_an_answer_that_breaks_off_leaves_it_uncertain(world: World, slack: Slack, channel: Channel) -> None:
    assert isinstance(posted(world, slack, channel, faults.cut_answer()), Uncertain)
    assert len(world.slack.posts(channel.id)) == 1


def test_a_late_answer_says_that_the_effect_may_be_under_way(world: World, slack: Slack, channel: Channel) -> None:
    gate = Event()
    world.slack_proxy.make("chat.postMessage", faults.held_before(gate))
    started = time.monotonic()
    try:
        with pytest.raises(Uncertain) as caught:
            slack.post(channel.id, HELLO, key="k", timeout=0.3)
        assert caught.value.timed_out
        assert 0.2 < time.monotonic() - started < 2
    finally:
        gate.set()


def test_each_call_has_its_own_time_limit_also_side_by_side(world: World, slack: Slack, channel: Channel) -> None:
    gate = Event()
    world.slack_proxy.make("chat.postMessage", faults.held(gate))
    together = Barrier(5)
    took: dict[float, float] = {}

    def post(timeout: float) -> None:
        together.wait()
        started = time.monotonic()
        with pytest.raises(Uncertain):
            slack.post(channel.id, HELLO, key="k", timeout=timeout)
        took[timeout] = time.monotonic() - started

    threads = [Thread(target=post, args=(timeout,)) for timeout in (0.2, 0.6, 1.0, 1.4, 1.8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate.set()
    assert len(took) == 5
    assert all(timeout <= seconds < timeout + 0.35 for timeout, seconds in took.items()), took


def test_a_search_of_many_pages_keeps_its_time_limit(
    world: World, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.slack.messages._MOST_MESSAGES", 1)
    moments = iter(range(1000))
    slack = SlackClient(
        SLACK_BOT_TOKEN, base_url=f"{world.slack_proxy.url}/api/", monotonic=lambda: float(next(moments))
    )
    for number in range(9):
        slack.post(channel.id, HELLO, key=str(number))
    with pytest.raises(Uncertain, match="more pages than could be read") as caught:
        slack.find_message(channel.id, "nowhere", since=None, timeout=5)
    assert caught.value.timed_out
    assert 1 <= len(world.slack_proxy.calls("conversations.history")) <= 5


def test_nothing_is_sent_when_nobody_listens() -> None:
    slack = SlackClient(SLACK_BOT_TOKEN, base_url=f"http://127.0.0.1:{free_port()}/api/")
    with pytest.raises(Unreachable, match="nothing was sent"):
        slack.post("C1", HELLO, key="k")


def test_nothing_is_sent_when_the_name_is_unknown() -> None:
    slack = SlackClient(SLACK_BOT_TOKEN, base_url="http://slack.invalid/api/")
    with pytest.raises(Unreachable, match="nothing was sent"):
        slack.identity()


def test_nothing_is_sent_when_no_time_is_left(world: World, slack: Slack) -> None:
    with pytest.raises(Unreachable, match="no time left"):
        slack.identity(timeout=0)
    assert world.slack_proxy.calls() == []


@pytest.mark.parametrize(
    "code",
    ["invalid_auth", "token_revoked", "token_expired", "account_inactive", "not_authed", "not_allowed_token_type"],
)
def test_a_dead_token_is_told_from_a_refusal(world: World, slack: Slack, channel: Channel, code: str) -> None:
    error = posted(world, slack, channel, faults.slack_error(code))
    assert isinstance(error, Unauthorized)
    assert "SLACK_BOT_TOKEN" in str(error)


def test_asking_who_we_are_tells_whether_the_token_was_mended(world: World, slack: Slack) -> None:
    slack.identity()
    world.slack_proxy.make("auth.test", faults.slack_error("token_revoked"), times=1)
    with pytest.raises(Unauthorized):
        slack.identity()
    assert slack.identity().team == "Acme"


@pytest.mark.parametrize("code", ["is_archived", "channel_not_found", "not_in_channel"])
def test_a_channel_that_went_away_is_told_from_a_refusal(
    world: World, slack: Slack, channel: Channel, code: str
) -> None:
    assert isinstance(posted(world, slack, channel, faults.slack_error(code)), ChannelGone)


def test_any_other_refusal_keeps_slacks_word(world: World, slack: Slack, channel: Channel) -> None:
    error = posted(world, slack, channel, faults.slack_error("restricted_action"))
    assert type(error) is Refused
    assert (error.method, error.code) == ("chat.postMessage", "restricted_action")


def test_a_missing_scope_is_named(world: World, slack: Slack, channel: Channel) -> None:
    body = b'{"ok": false, "error": "missing_scope", "needed": "chat:write", "provided": "users:read"}'
    fault = Fault("scope", applied=False, status=200, body=body, headers={"Content-Type": "application/json"})
    error = posted(world, slack, channel, fault)
    assert isinstance(error, Refused)
    assert error.code == "missing_scope"
    assert "chat:write" in str(error)


def test_a_channel_whose_making_was_lost_is_found(world: World, slack: Slack) -> None:
    world.slack_proxy.make("conversations.create", faults.lost_answer("reset"), times=1)
    with pytest.raises(Uncertain):
        slack.create_channel("pr-api-2", private=False)
    found = slack.find_channel("pr-api-2")
    assert found
    assert found.creator == slack.identity().user_id


def test_every_method_tells_of_a_rate_limit(world: World, slack: Slack) -> None:
    world.slack_proxy.make("*", faults.rate_limited(3))
    methods: list[Callable[[], object]] = [
        slack.identity,
        lambda: slack.create_channel("x", private=False),
        lambda: slack.find_channel("x"),
        lambda: slack.channel("C1"),
        lambda: slack.members("C1"),
        lambda: slack.invite("C1", "U1"),
        lambda: slack.set_topic("C1", "x"),
        lambda: slack.set_purpose("C1", "x"),
        lambda: slack.add_bookmark("C1", "x", "https://example.com"),
        lambda: slack.post("C1", HELLO, key="k"),
        lambda: slack.find_message("C1", "k", since=None),
        lambda: slack.update("C1", "1.0", HELLO, key="k"),
        lambda: slack.delete("C1", "1.0"),
        lambda: slack.archive("C1"),
        lambda: slack.user_by_email("a@example.com"),
        lambda: slack.is_workspace_admin("U1"),
    ]
    for call in methods:
        with pytest.raises(RateLimited):
            call()
    assert len(world.slack_proxy.calls()) == len(methods)


@pytest.mark.parametrize("token", ["", "xoxb-1\n", "xoxb 1", "xöxb-1"])
def test_a_token_no_header_can_carry_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(ValueError, match="SLACK_BOT_TOKEN") as caught:
        SlackClient(token)
    assert "1" not in str(caught.value)


def test_the_token_stays_out_of_every_log(
    world: World, slack: Slack, channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    posted(world, slack, channel, faults.lost_answer())
    slack.identity()
    assert SLACK_BOT_TOKEN not in caplog.text
