"""What is not GitHub's word is refused with a 4xx and leaves no trace."""

import json
from collections.abc import Callable
from urllib.parse import urlencode

import httpx
import psycopg2
import pytest

from bot.demo.bot_process import BotProcess
from tests.support.deliveries import Delivery, pull_request_delivery, signature
from tests.support.served import PLAIN
from tests.support.world import World

MIB = 1024 * 1024


@pytest.fixture
def stored(database_url: str) -> Callable[[], int]:
    """How many deliveries the bot has stored."""

    def count() -> int:
        connection = psycopg2.connect(database_url)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM durable.deliveries")
                [(number,)] = cursor.fetchall()
                return int(number)
        finally:
            connection.close()

    return count


@pytest.fixture
def delivery(world: World) -> Delivery:
    """A delivery that would be taken if nothing were wrong with it; GitHub itself sends none in these tests."""
    with world.github.deliveries_lost():
        return pull_request_delivery(world.github.open_pull_request(), "opened")


def send(bot: BotProcess, body: bytes, headers: dict[str, str]) -> int:
    return httpx.post(bot.webhook_url, content=body, headers=headers, timeout=30, verify=PLAIN).status_code


def signed(delivery: Delivery, body: bytes) -> dict[str, str]:
    return delivery.headers() | {"X-Hub-Signature-256": signature(body)}


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {each: value for each, value in headers.items() if each != name}


def test_nobody_may_deliver_without_our_secret(bot: BotProcess, delivery: Delivery, stored: Callable[[], int]) -> None:
    headers = delivery.headers()
    unsigned = without(headers, "X-Hub-Signature-256")
    assert send(bot, delivery.body, unsigned) == 401
    assert send(bot, delivery.body, unsigned | {"X-Hub-Signature": "sha1=" + "0" * 40}) == 401
    assert send(bot, delivery.body, delivery.headers("another secret")) == 401
    assert send(bot, delivery.body, headers | {"X-Hub-Signature-256": ""}) == 401
    assert send(bot, delivery.body, headers | {"X-Hub-Signature-256": "sha256="}) == 401
    assert send(bot, delivery.body, headers | {"X-Hub-Signature-256": "sha256=" + "g" * 64}) == 401
    assert send(bot, delivery.body[:-10], headers) == 401
    assert stored() == 0


def test_what_is_not_a_json_object_is_refused_though_it_is_signed(
    bot: BotProcess, delivery: Delivery, stored: Callable[[], int]
) -> None:
    nested = b'{"a":' * 100_000
    for body in (b"", b"hello", b"[1]", b"null", b'{"a": ', b"\xff\xfe{}", delivery.body[:-10], nested):
        assert send(bot, body, signed(delivery, body)) == 400, body[:20]
    assert stored() == 0


def test_what_is_larger_than_github_ever_sends_is_refused(
    bot: BotProcess, delivery: Delivery, stored: Callable[[], int]
) -> None:
    large = json.dumps({"action": "opened", "filler": "x" * (26 * MIB)}).encode()
    assert send(bot, large, signed(delivery, large)) == 413
    assert stored() == 0


def test_a_delivery_needs_its_two_headers(bot: BotProcess, delivery: Delivery, stored: Callable[[], int]) -> None:
    for name in ("X-GitHub-Event", "X-GitHub-Delivery"):
        assert send(bot, delivery.body, without(delivery.headers(), name)) == 400
        assert send(bot, delivery.body, delivery.headers() | {name: ""}) == 400
        assert send(bot, delivery.body, delivery.headers() | {name: "x" * 1000}) == 400
    assert stored() == 0


def test_a_form_encoded_delivery_is_understood(
    world: World, bot: BotProcess, delivery: Delivery, stored: Callable[[], int]
) -> None:
    form = urlencode({"payload": delivery.body.decode()}).encode()
    headers = signed(delivery, form) | {"Content-Type": "application/x-www-form-urlencoded"}
    assert 200 <= send(bot, form, headers) < 300
    assert stored() == 1
    world.channel_of("acme/api", delivery.payload["number"])


def test_a_form_without_a_payload_is_refused(bot: BotProcess, delivery: Delivery, stored: Callable[[], int]) -> None:
    for form in (b"", b"a=b", b"payload=", b"payload=hello"):
        headers = signed(delivery, form) | {"Content-Type": "application/x-www-form-urlencoded"}
        assert send(bot, form, headers) == 400, form
    assert stored() == 0


def test_an_event_or_action_of_no_use_is_acknowledged(world: World, bot: BotProcess, delivery: Delivery) -> None:
    assert 200 <= world.send(Delivery("star", {"action": "created"})).status_code < 300
    assert 200 <= world.send(Delivery("pull_request_of_tomorrow", {})).status_code < 300
    unheard = Delivery("pull_request", delivery.payload | {"action": "teleported"})
    assert 200 <= world.send(unheard).status_code < 300


def test_only_post_is_taken(bot: BotProcess) -> None:
    for method in ("GET", "PUT", "DELETE"):
        assert httpx.request(method, bot.webhook_url, verify=PLAIN).status_code == 405


def test_nothing_in_a_title_breaks_the_bot(world: World, bot: BotProcess) -> None:
    with world.github.deliveries_lost():
        odd = world.github.open_pull_request("odd")
    for title in ("\u0000", "a\u0000b", "\ud83d", "\u202e", "x" * 70_000, ""):
        assert world.send(pull_request_delivery(odd, "edited", changes={"title": title})).status_code < 300
    plain = world.github.open_pull_request("plain")
    world.channel_of("acme/api", plain.number)
