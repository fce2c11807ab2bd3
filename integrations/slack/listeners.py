"""What Slack sends us, through Bolt: signatures checked, the slash command handed to one function, all else acknowledged.

Bolt dispatches synchronously: call `Listeners.dispatch` from a thread, never from an event loop.
"""

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from slack_bolt import Ack, App, BoltRequest, BoltResponse
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_sdk.signature import Clock, SignatureVerifier

from integrations.slack.api import Reply, SlashCommand

OnCommand = Callable[[SlashCommand], Reply]

# Slack gives up after 3 seconds; the rest is for the way there and back.
_ANSWER_WITHIN = 2.5
_MOST_AT_ONCE = 16

_log = logging.getLogger(__name__)

# Below ERROR Bolt logs signatures and whole payloads, response_url included.
_BOLT_LOG = logging.getLogger("integrations.slack.bolt")
_BOLT_LOG.setLevel(logging.ERROR)


@dataclass(frozen=True)
class HttpAnswer:
    """What to answer Slack over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: str


class Listeners:
    """Everything Slack may send to `POST /slack/events`. Needs no network to start or to answer."""

    def __init__(
        self,
        *,
        signing_secret: str,
        on_command: OnCommand,
        unavailable: Reply,
        command: str = "/vigil",
        answer_within: float = _ANSWER_WITHIN,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`on_command` answers the slash command; when it raises or takes longer than `answer_within` seconds, the
        answer is `unavailable`, and what it returns later is dropped. `clock` (seconds since 1970) dates signatures."""
        self._on_command = on_command
        self._unavailable = unavailable
        self._answer_within = answer_within
        self._running = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._verifier = SignatureVerifier(signing_secret, _VerifierClock(clock))
        self._app = App(
            name="vigil",
            logger=_BOLT_LOG,
            signing_secret=signing_secret,
            # Given a token instead, Bolt would ask Slack who we are before it answers the first command.
            authorize=_nobody_in_particular,
            process_before_response=True,
            raise_error_for_unhandled_request=True,
        )
        self._app.command(command)(self._answer_command)
        self._app.error(_acknowledge_unhandled)

    def dispatch(self, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """Answer one HTTP request: 401 without Slack's signature of the last five minutes, 400 for a body that is
        neither a form nor JSON, 200 for whatever Vigil does not use."""
        named = {name.lower(): value for name, value in headers.items()}
        if not self._is_signed(body, named):
            return _refusal(401, "the signature of X-Slack-Signature does not fit, or is older than five minutes")
        try:
            payload = _parse(body, named.get("content-type", ""))
        except ValueError:
            return _refusal(400, "the body is neither a form nor a JSON object")
        # As in Socket Mode: checked and parsed already. Bolt itself parses before it checks, and takes every form in
        # which the word "payload" occurs, a channel's name included, for one with a field of that name (ADR 0022).
        response = self._app.dispatch(BoltRequest(body=payload, headers=dict(named), mode="socket_mode"))
        return HttpAnswer(response.status, response.first_headers(), response.body)

    def _is_signed(self, body: bytes, headers: Mapping[str, str]) -> bool:
        timestamp, signature = headers.get("x-slack-request-timestamp"), headers.get("x-slack-signature")
        try:
            return self._verifier.is_valid(body, timestamp, signature)
        except (ValueError, TypeError):
            # The verifier calls int() on the timestamp, decodes the body and compares the signature as ASCII.
            return False

    def _answer_command(self, body: dict[str, Any], ack: Ack) -> None:
        reply = self._reply(_slash_command(body))
        ack(
            text=reply.text,
            blocks=list(reply.blocks) or None,
            response_type="in_channel" if reply.in_channel else "ephemeral",
        )

    def _reply(self, command: SlashCommand) -> Reply:
        if not self._running.acquire(blocking=False):
            _log.error("%s commands are still running; this one was not taken", _MOST_AT_ONCE)
            return self._unavailable
        replies: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        # A daemon, because a command that hangs must not keep the process from ending.
        threading.Thread(target=self._run, args=(command, replies), name="slash-command", daemon=True).start()
        try:
            return replies.get(timeout=self._answer_within)
        except queue.Empty:
            _log.error("a slash command took longer than %s s; told so", self._answer_within)
            return self._unavailable

    def _run(self, command: SlashCommand, replies: "queue.SimpleQueue[Reply]") -> None:
        try:
            replies.put(self._on_command(command))
        except Exception:  # noqa: BLE001 (whoever typed the command must get an answer; it is logged)
            _log.exception("a slash command failed; told so")
            replies.put(self._unavailable)
        finally:
            self._running.release()


def _slash_command(body: Mapping[str, Any]) -> SlashCommand:
    def field(name: str) -> str:
        return str(body.get(name) or "")

    return SlashCommand(
        text=field("text").strip(),
        user_id=field("user_id"),
        channel_id=field("channel_id"),
        channel_name=field("channel_name"),
        team_id=field("team_id"),
        trigger_id=field("trigger_id"),
        response_url=field("response_url"),
    )


class _VerifierClock(Clock):
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock()


def _parse(body: bytes, content_type: str) -> dict[str, Any]:
    """The request as Bolt wants it: JSON (events), a form (commands) or JSON in a form's `payload` (interactivity)."""
    text = body.decode()
    if content_type.partition(";")[0].strip().lower() != "application/json":
        fields = dict(parse_qsl(text, keep_blank_values=True))
        if "payload" not in fields:
            return dict(fields)
        text = fields["payload"]
    try:
        parsed = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(parsed, dict):
        raise ValueError("not an object")  # noqa: TRY004 (a wrong value from outside, not a wrong argument)
    return parsed


def _refusal(status: int, reason: str) -> HttpAnswer:
    return HttpAnswer(status, {"content-type": "application/json"}, json.dumps({"error": reason}))


def _nobody_in_particular() -> AuthorizeResult:
    return AuthorizeResult(enterprise_id=None, team_id=None)


def _acknowledge_unhandled(error: Exception) -> BoltResponse:
    if isinstance(error, BoltUnhandledRequestError):
        return BoltResponse(status=200, body="")
    _log.error("Bolt could not answer Slack", exc_info=error)
    return BoltResponse(status=500, body="")
