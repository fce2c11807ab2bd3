"""Keeping open pages true: events while there is something new, until somebody goes or may look no more."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import Enum

import anyio
from anyio.to_thread import run_sync
from fastapi import Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from bot.dashboard.live import WHOLE, Shown, changes, taken_apart

MOST = 200  # at once, in one process
_EVERY = 1.0  # seconds between two looks of a page that is open
_LONGEST = 600.0  # seconds; then the browser connects anew and shows again who it is
_SLICE = 0.2


class Lost(Enum):
    """Why a page cannot be drawn again: what it shows is `away` for now, or its visitor is `out`."""

    AWAY = "away"
    OUT = "out"


class Streams:
    """The open pages of this process, which are let go when it `is_ending`. To draw them waits in `threads`."""

    def __init__(self, threads: anyio.CapacityLimiter, is_ending: Callable[[], bool]) -> None:
        self._threads = threads
        self._is_ending = is_ending
        self._open = 0

    def open(self, request: Request, draw: Callable[[], str | Lost]) -> Response | None:
        """Events for a page that `draw` draws, or None when too many are open."""
        if self._open >= MOST:
            return None
        self._open += 1
        return _Open(self._events(request, draw), self._leave)

    def _leave(self) -> None:
        self._open -= 1

    async def _events(self, request: Request, draw: Callable[[], str | Lost]) -> AsyncIterator[str]:
        """What has changed on the page, every second in which something has."""
        shown: Shown | None = None

        def look() -> tuple[Shown, str] | Lost:
            """In a thread, for a large page takes its time to be compared."""
            html = draw()
            if isinstance(html, Lost):
                return html
            now = taken_apart(html)
            changed = changes(shown, now) if shown else {WHOLE: html}
            return now, f"data: {json.dumps(changed)}\n\n" if changed else ""

        ends_at = anyio.current_time() + _LONGEST
        while anyio.current_time() < ends_at:
            found = await run_sync(look, limiter=self._threads)
            if isinstance(found, Lost):
                yield f"event: {found.value}\ndata: {{}}\n\n"
                if found is Lost.OUT:
                    return
            else:
                shown, event = found
                if event:
                    yield event
            if await self._pause(request.is_disconnected):
                return

    async def _pause(self, is_gone: Callable[[], Awaitable[bool]]) -> bool:
        """Wait for the next look; whether there is to be none."""
        until = anyio.current_time() + _EVERY
        while anyio.current_time() < until:
            if self._is_ending() or await is_gone():
                return True
            await anyio.sleep(_SLICE)
        return False


class _Open(StreamingResponse):
    """The answer to somebody who keeps a page open. `leave` is called when it is over, however it ends."""

    def __init__(self, events: AsyncIterator[str], leave: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()
