"""One JSON request over HTTP, for talking to the stand-ins: no client library of GitHub or Slack between us and them."""

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit


class RestError(Exception):
    """A stand-in answered with an error. `status` is its HTTP status, `body` what it said."""

    def __init__(self, method: str, url: str, status: int, body: str) -> None:
        super().__init__(f"{method} {url} answered {status}: {body[:500]}")
        self.status = status
        self.body = body


def call(
    method: str, url: str, payload: Any = None, *, headers: dict[str, str] | None = None, timeout: float = 15
) -> Any:
    """Send one request (`payload` as JSON) and return the answer: decoded if it is JSON, None if it is empty.

    Raises `RestError` from status 400 up, `OSError` when nobody answers within `timeout` seconds.
    """
    parts = urlsplit(url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        body = None if payload is None else json.dumps(payload).encode()
        typed = {} if payload is None else {"Content-Type": "application/json; charset=utf-8"}
        connection.request(method, path, body, {**typed, **(headers or {})})
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status >= 400:
        raise RestError(method, url, answer.status, text)
    if not text:
        return None
    return json.loads(text) if "json" in (answer.getheader("Content-Type") or "") else text
