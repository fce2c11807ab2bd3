"""A reverse proxy between the bot and a stand-in that records every call and makes chosen ones go wrong."""

import json
import random
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.support.faults import Fault

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "expect"}
_UPSTREAM_TIMEOUT = 30.0


@dataclass
class Call:
    """One call that came through. `method` is Slack's (`chat.postMessage`) or `GET /repos/…` for GitHub.

    `reached` says that the stand-in got it, `applied` that it also said yes; `status` is what the caller was told
    (None: nothing), `fault` the name of what went wrong on purpose.
    """

    number: int
    method: str
    arguments: dict[str, Any]
    at: datetime
    token: str = ""
    fault: str | None = None
    reached: bool = False
    applied: bool = False
    status: int | None = None
    answer: Any = None
    done: bool = False

    @property
    def key(self) -> str | None:
        """Vigil's key in the metadata of a posted message."""
        metadata = self.arguments.get("metadata")
        return metadata.get("event_payload", {}).get("key") if isinstance(metadata, dict) else None


@dataclass
class Rule:
    """Which calls a fault meets: a pattern of the method, after `skip` matches, `times` times, a share of them."""

    pattern: str
    fault: Fault
    times: int | None = None
    skip: int = 0
    share: float = 1.0
    when: Callable[[Call], bool] | None = None
    met: int = field(default=0, compare=False)

    def meets(self, call: Call, dice: random.Random) -> bool:
        """Whether this call is to go wrong; counts it if so."""
        if not fnmatchcase(call.method, self.pattern) or (self.when and not self.when(call)):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if (self.times is not None and self.met >= self.times) or dice.random() >= self.share:
            return False
        self.met += 1
        return True


class FaultProxy:
    """Listens on a free port of 127.0.0.1 and passes calls on to `target`. A context manager that stops itself."""

    def __init__(self, target: str = "", *, seed: int = 1) -> None:
        self.target = target
        self._dice = random.Random(seed)  # noqa: S311 - which calls fail must be the same in each run
        self._rules: list[Rule] = []
        self._calls: list[Call] = []
        self._changed = Condition()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="fault-proxy", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the bot is to send its calls."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def make(
        self,
        pattern: str,
        fault: Fault,
        *,
        times: int | None = None,
        skip: int = 0,
        share: float = 1.0,
        when: Callable[[Call], bool] | None = None,
    ) -> Rule:
        """From now on calls like `chat.*` meet this fault. The first rule that meets a call decides."""
        rule = Rule(pattern, fault, times, skip, share, when)
        with self._changed:
            self._rules.append(rule)
        return rule

    def mend(self) -> None:
        """Nothing goes wrong any more. What was recorded stays."""
        with self._changed:
            self._rules.clear()

    def reset(self, *, seed: int = 1) -> None:
        """As new: no rules, no calls."""
        with self._changed:
            self._rules.clear()
            self._calls.clear()
            self._dice = random.Random(seed)  # noqa: S311 - as above

    def calls(self, pattern: str = "*", *, applied: bool | None = None) -> list[Call]:
        """The recorded calls like `chat.*`, in their order."""
        with self._changed:
            return [
                call
                for call in self._calls
                if fnmatchcase(call.method, pattern) and (applied is None or call.applied == applied)
            ]

    def wait_for(self, pattern: str, *, count: int = 1, within: float = 10, reached: bool = True) -> list[Call]:
        """Wait until this many calls like `pattern` reached the stand-in (or arrived here), and return them."""

        def enough() -> list[Call] | None:
            found = [
                call for call in self._calls if fnmatchcase(call.method, pattern) and (call.reached or not reached)
            ]
            return found if len(found) >= count else None

        with self._changed:
            found = self._changed.wait_for(enough, within)
        if not found:
            seen = [(call.method, call.fault, call.status) for call in self._calls]
            raise AssertionError(f"fewer than {count} calls like {pattern} within {within:g} s; seen: {seen}")
        return found

    def stop(self) -> None:
        """Stop listening and break what is open."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def arrived(self, method: str, arguments: dict[str, Any], token: str) -> tuple[Call, Fault | None]:
        """Record a call and find out what is to happen to it (for the handler)."""
        with self._changed:
            call = Call(len(self._calls) + 1, method, arguments, datetime.now(UTC), token)
            self._calls.append(call)
            fault = next((rule.fault for rule in self._rules if rule.meets(call, self._dice)), None)
            call.fault = fault.name if fault else None
            self._changed.notify_all()
        return call, fault

    def note(self, call: Call, **facts: Any) -> None:
        """Write down what became of a call (for the handler)."""
        with self._changed:
            for name, value in facts.items():
                setattr(call, name, value)
            self._changed.notify_all()


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that was killed breaks its connection: that is what many tests are about, and no news."""


def _handler_for(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        owner = proxy

    return Handler


class _Handler(BaseHTTPRequestHandler):
    owner: FaultProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = self.headers.get("Authorization", "").rpartition(" ")[2]
        method = _method(self.command, self.path)
        call, fault = self.owner.arrived(
            method, _arguments(self.path, self.headers.get("Content-Type", ""), body), token
        )
        if fault and fault.first:
            fault.first()
        answer = self._ask(body, call) if fault is None or fault.applied else None
        if fault and fault.last:
            fault.last()
        if fault and fault.status is not None:
            answer = _Answer(fault.status, dict(fault.headers), fault.body)
        if answer is None or (fault and fault.breaks):
            self._break(hard=bool(fault and fault.breaks == "reset"))
            self.owner.note(call, done=True)
            return
        self._send(answer, cut=bool(fault and fault.cut_answer))
        self.owner.note(call, status=answer.status, done=True)

    def _ask(self, body: bytes, call: Call) -> _Answer | None:
        target = urlsplit(self.owner.target)
        connection = HTTPConnection(target.hostname or "", target.port, timeout=_UPSTREAM_TIMEOUT)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        try:
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()
        answer = _decoded(content)
        accepted = response.status < 400 and not (isinstance(answer, dict) and answer.get("ok") is False)
        self.owner.note(call, reached=True, applied=accepted, answer=answer)
        kept = {name: value for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP}
        return _Answer(response.status, kept, content)

    def _send(self, answer: _Answer, *, cut: bool) -> None:
        lines = [f"HTTP/1.1 {answer.status} -", *(f"{name}: {value}" for name, value in answer.headers.items())]
        lines.append(f"Content-Length: {len(answer.body)}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        self.wfile.write(head + (answer.body[: len(answer.body) // 2] if cut else answer.body))
        self.close_connection = self.close_connection or cut

    def _break(self, *, hard: bool) -> None:
        """End the connection without an answer: politely, or with a reset."""
        self.close_connection = True
        if hard:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Silent: tests read `calls()`."""


for _verb in ("GET", "POST", "PUT", "PATCH", "DELETE"):
    setattr(_Handler, f"do_{_verb}", _Handler._pass_on)


def _method(verb: str, path: str) -> str:
    plain = urlsplit(path).path
    return plain.removeprefix("/api/") if plain.startswith("/api/") else f"{verb} {plain}"


def _arguments(path: str, content_type: str, body: bytes) -> dict[str, Any]:
    """Query and body as one dictionary; JSON inside of form fields (Slack's blocks, metadata) is decoded."""
    arguments: dict[str, Any] = dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
    if content_type.startswith("application/json"):
        decoded = _decoded(body)
        return arguments | decoded if isinstance(decoded, dict) else arguments
    if content_type.startswith("application/x-www-form-urlencoded"):
        for name, value in parse_qsl(body.decode(), keep_blank_values=True):
            arguments[name] = _decoded(value.encode()) if value[:1] in ("{", "[") else value
    return arguments


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
