"""Reading a request's body within limits: of one body, of all bodies at once, and of time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from starlette.requests import ClientDisconnect, Request

LARGEST_DELIVERY = 25 * 1024 * 1024  # GitHub never sends more: "payloads are capped at 25 MB"
LARGEST_SLACK_REQUEST = 1024 * 1024
_ALL_AT_ONCE = 200 * 1024 * 1024  # unsigned senders must not fill the memory either
_SECONDS = 20.0


class Unreadable(Exception):
    """The body is not read to its end: the HTTP status to answer, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class BodyReader:
    """Reads bodies of one process. What is being read at the moment counts against one common limit."""

    def __init__(self, all_at_once: int = _ALL_AT_ONCE, seconds: float = _SECONDS) -> None:
        self._all_at_once = all_at_once
        self._seconds = seconds
        self._held = 0

    @asynccontextmanager
    async def body(self, request: Request, largest: int) -> AsyncIterator[bytes]:
        """The whole body; it counts against the common limit until the block ends. Raises `Unreadable` (413 too large,
        408 too slow, 429 too much at once, 400 broken off)."""
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > largest:
            raise Unreadable(413, f"the body is larger than {largest} bytes")
        body = bytearray()
        try:
            await self._fill(body, request, largest)
            yield bytes(body)
        finally:
            self._held -= len(body)

    async def _fill(self, body: bytearray, request: Request, largest: int) -> None:
        try:
            with anyio.fail_after(self._seconds):
                async for chunk in request.stream():
                    body += chunk
                    self._held += len(chunk)
                    if len(body) > largest:
                        raise Unreadable(413, f"the body is larger than {largest} bytes")
                    if self._held > self._all_at_once:
                        raise Unreadable(429, "too much is being sent at once; send it again later")
        except TimeoutError as problem:
            raise Unreadable(408, f"the body did not arrive within {self._seconds:g} s") from problem
        except ClientDisconnect as problem:
            raise Unreadable(400, "the connection ended before the body did") from problem
