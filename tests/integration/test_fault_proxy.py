"""The proxy of the acceptance tests: what it claims to have happened did happen."""

from threading import Event, Thread
from typing import Any

import httpx
import pytest

from bot.demo.waiting import eventually
from tests.support import faults
from tests.support.served import PLAIN
from tests.support.world import World

TOKEN = {"Authorization": "Bearer xoxb-stand-in-vigil"}
METADATA = '{"event_type": "vigil", "event_payload": {"key": "k/1/1"}}'


def post(world: World, text: str = "hello") -> httpx.Response:
    form = {"channel": "C000000001", "text": text, "metadata": METADATA}
    return httpx.post(f"{world.slack_proxy.url}/api/chat.postMessage", data=form, headers=TOKEN, verify=PLAIN)


def texts(world: World) -> list[str]:
    return [message.text for message in world.slack.messages("C000000001")]


def test_a_call_passes_and_is_recorded_with_its_key_and_outcome(world: World) -> None:
    answer = post(world)
    assert answer.json()["ok"]
    # The proxy notes what it told the caller after it has told it.
    [call] = eventually(lambda: [call for call in world.slack_proxy.calls("chat.*") if call.status is not None])
    assert (call.method, call.key, call.applied, call.status) == ("chat.postMessage", "k/1/1", True, 200)
    assert call.token == "xoxb-stand-in-vigil"
    assert texts(world) == ["hello"]


def test_addresses_in_answers_are_those_of_the_proxy(world: World) -> None:
    pull_request = world.github.open_pull_request()
    assert pull_request.url.startswith(world.github_proxy.url)
    assert pull_request.state["url"].startswith(world.github_proxy.url)


def test_a_rate_limited_call_has_no_effect(world: World) -> None:
    world.slack_proxy.make("chat.postMessage", faults.rate_limited(7), times=1)
    answer = post(world)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert texts(world) == []
    assert post(world).json()["ok"]


@pytest.mark.parametrize("fault", [faults.lost_answer(), faults.lost_answer("reset"), faults.cut_answer()])
def test_a_lost_answer_leaves_the_effect(world: World, fault: faults.Fault) -> None:
    world.slack_proxy.make("chat.postMessage", fault)
    with pytest.raises(httpx.TransportError):
        post(world)
    assert texts(world) == ["hello"]
    [call] = world.slack_proxy.calls(applied=True)
    assert call.fault == fault.name


def test_a_lost_call_has_no_effect(world: World) -> None:
    world.slack_proxy.make("*", faults.lost_call())
    with pytest.raises(httpx.TransportError):
        post(world)
    assert texts(world) == []


@pytest.mark.parametrize(("applied", "expected"), [(True, ["hello"]), (False, [])])
def test_a_server_error_comes_before_or_after_the_effect(world: World, applied: bool, expected: list[str]) -> None:
    world.slack_proxy.make("*", faults.server_error(503, applied=applied))
    assert post(world).status_code == 503
    assert texts(world) == expected


def test_a_held_answer_arrives_when_the_gate_opens(world: World) -> None:
    gate = Event()
    world.slack_proxy.make("chat.postMessage", faults.held(gate))
    answers: list[Any] = []
    caller = Thread(target=lambda: answers.append(post(world).json()))
    caller.start()
    world.slack_proxy.wait_for("chat.postMessage")
    assert texts(world) == ["hello"]
    assert not answers
    gate.set()
    caller.join(5)
    assert answers[0]["ok"]


def test_half_of_all_calls_means_about_half_and_the_same_half_each_time(world: World) -> None:
    world.slack_proxy.make("*", faults.slack_error("internal_error"), share=0.5)
    first = [post(world).json()["ok"] for _ in range(40)]
    world.slack_proxy.reset()
    world.slack_proxy.make("*", faults.slack_error("internal_error"), share=0.5)
    assert first == [post(world).json()["ok"] for _ in range(40)]
    assert 10 < sum(first) < 30


def test_a_rule_may_wait_for_the_third_call(world: World) -> None:
    world.slack_proxy.make("*", faults.slack_error("fatal_error"), skip=2, times=1)
    assert [post(world).json()["ok"] for _ in range(4)] == [True, True, False, True]
