"""What Slack sends us: checked, answered in time, and acknowledged when nobody needs it."""

import json
import logging
import threading
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from slack_sdk.signature import SignatureVerifier

from integrations.slack.api import Reply, SlashCommand
from integrations.slack.listeners import HttpAnswer, Listeners

SECRET = "signing-secret"
NOW = 1_700_000_000
LATE = Reply("Vigil's database does not answer; nothing was done. Try again in a minute.")
FORM = {
    "command": "/vigil",
    "text": " status acme/api#1 ",
    "user_id": "U1",
    "channel_id": "C1",
    "channel_name": "general",
    "team_id": "T1",
    "trigger_id": "1.2",
    "response_url": "https://hooks.slack.example/commands/secret",
    "token": "old-verification-token",
}


def listeners(on_command: Callable[[SlashCommand], Reply], answer_within: float = 2.5) -> Listeners:
    return Listeners(
        signing_secret=SECRET,
        on_command=on_command,
        unavailable=LATE,
        answer_within=answer_within,
        clock=lambda: float(NOW),
    )


def signed(body: bytes, timestamp: int = NOW, kind: str = "application/x-www-form-urlencoded") -> dict[str, str]:
    signature = SignatureVerifier(SECRET).generate_signature(timestamp=str(timestamp), body=body)
    assert signature
    return {"Content-Type": kind, "X-Slack-Request-Timestamp": str(timestamp), "X-Slack-Signature": signature}


def command(app: Listeners, **changes: str) -> HttpAnswer:
    body = urlencode(FORM | changes).encode()
    return app.dispatch(body, signed(body))


def event(app: Listeners, payload: object) -> HttpAnswer:
    body = json.dumps(payload).encode()
    return app.dispatch(body, signed(body, kind="application/json; charset=utf-8"))


def never(_command: SlashCommand) -> Reply:
    raise AssertionError("this must not be asked")


def test_a_command_reaches_the_handler_and_its_reply_slack() -> None:
    asked: list[SlashCommand] = []

    def answer(given: SlashCommand) -> Reply:
        asked.append(given)
        return Reply("All quiet.", blocks=({"type": "divider"},))

    told = command(listeners(answer))
    assert told.status == 200
    assert json.loads(told.body) == {
        "text": "All quiet.",
        "response_type": "ephemeral",
        "blocks": [{"type": "divider"}],
    }
    assert told.headers["content-type"].startswith("application/json")
    assert asked == [
        SlashCommand(
            text="status acme/api#1",
            user_id="U1",
            channel_id="C1",
            channel_name="general",
            team_id="T1",
            trigger_id="1.2",
            response_url=FORM["response_url"],
        )
    ]


def test_a_reply_may_be_for_the_whole_channel() -> None:
    told = command(listeners(lambda _: Reply("Snoozed.", in_channel=True)))
    assert json.loads(told.body) == {"text": "Snoozed.", "response_type": "in_channel"}


def test_a_command_in_which_the_word_payload_occurs_is_understood() -> None:
    told = command(
        listeners(lambda given: Reply(given.text)), text="status acme/payload#1", channel_name="pr-payload-1"
    )
    assert json.loads(told.body)["text"] == "status acme/payload#1"


def test_a_handler_that_hangs_is_answered_for_in_time() -> None:
    gate = threading.Event()

    def hang(_command: SlashCommand) -> Reply:
        gate.wait(30)
        return Reply("too late")

    try:
        assert json.loads(command(listeners(hang, answer_within=0.05)).body)["text"] == LATE.text
    finally:
        gate.set()


def test_commands_that_hang_do_not_pile_up_without_end() -> None:
    gate = threading.Event()
    started = threading.Semaphore(0)

    def hang(_command: SlashCommand) -> Reply:
        started.release()
        gate.wait(30)
        return Reply("too late")

    app = listeners(hang, answer_within=0.01)
    try:
        for _ in range(16):
            command(app)
        assert json.loads(command(app).body)["text"] == LATE.text
        assert sum(started.acquire(timeout=0.2) for _ in range(17)) == 16
    finally:
        gate.set()


def test_a_handler_that_fails_is_answered_for(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_command: SlashCommand) -> Reply:
        raise RuntimeError("no database")

    assert json.loads(command(listeners(fail)).body)["text"] == LATE.text
    assert "no database" in caplog.text
    assert "hooks.slack.example" not in caplog.text


def test_the_address_is_verified_as_slack_wants_it() -> None:
    told = event(listeners(never), {"type": "url_verification", "challenge": "abc"})
    assert (told.status, json.loads(told.body)) == (200, {"challenge": "abc"})


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "event_callback", "event": {"type": "message", "text": "hi", "user": "U1"}, "team_id": "T1"},
        {"type": "event_callback", "event": {"type": "app_uninstalled"}, "team_id": "T1"},
        {"type": "event_callback"},
        {"type": "app_rate_limited"},
        {},
    ],
)
def test_an_event_nobody_needs_is_acknowledged(payload: object) -> None:
    assert event(listeners(never), payload).status == 200


@pytest.mark.parametrize("kind", ["block_actions", "view_submission", "shortcut", "something_new"])
def test_an_interaction_nobody_needs_is_acknowledged(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    payload = {
        "type": kind,
        "actions": [{"action_id": "snooze", "block_id": "b"}],
        "view": {"type": "modal"},
        "user": {"id": "U1"},
        "response_url": FORM["response_url"],
    }
    body = urlencode({"payload": json.dumps(payload)}).encode()
    assert listeners(never).dispatch(body, signed(body)).status == 200
    assert "hooks.slack.example" not in caplog.text


def test_another_command_is_acknowledged_and_not_handled() -> None:
    assert command(listeners(never), command="/other").status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": "é"},
        {"X-Slack-Signature": ""},
        {"X-Slack-Request-Timestamp": "soon"},
        {"X-Slack-Request-Timestamp": ""},
        {"X-Slack-Request-Timestamp": "9" * 5000},
        {"X-Slack-Request-Timestamp": str(NOW + 1)},
    ],
)
def test_a_request_that_is_not_signed_rightly_is_refused(
    changes: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = urlencode(FORM).encode()
    assert listeners(never).dispatch(body, signed(body) | changes).status == 401
    assert "hooks.slack.example" not in caplog.text


def test_a_request_without_signature_is_refused_before_it_is_parsed() -> None:
    app = listeners(never)
    for body in (b"", b"{broken", b"\xff\xfe", b"payload=[", urlencode(FORM).encode(), b"ssl_check=1"):
        assert app.dispatch(body, {"Content-Type": "application/json"}).status == 401


def test_a_signature_of_six_minutes_ago_is_refused() -> None:
    body = urlencode(FORM).encode()
    assert listeners(never).dispatch(body, signed(body, NOW - 360)).status == 401


def test_bytes_that_are_no_text_are_refused() -> None:
    body = urlencode(FORM).encode()
    assert listeners(never).dispatch(body + b"\xff", signed(body)).status == 401


@pytest.mark.parametrize("body", [b"{broken", b"[]", b"7", b"[" * 100_000])
def test_a_signed_request_that_makes_no_sense_is_a_bad_request(body: bytes) -> None:
    app = listeners(never)
    assert app.dispatch(body, signed(body, kind="application/json")).status == 400
    form = urlencode({"payload": body.decode()}).encode()
    assert app.dispatch(form, signed(form)).status == 400


def test_the_environment_does_not_change_what_bolt_does(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"):
        monkeypatch.setenv(name, "of-another-app")
    told = command(listeners(lambda _: Reply("fine")))
    assert json.loads(told.body)["text"] == "fine"
