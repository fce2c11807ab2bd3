"""How often one client may ask: a bucket of tokens for each, filled at a steady rate."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.api.problems import Problem, answer, is_managing

PER_SECOND = 100.0
BURST = 500
_MOST_CLIENTS = 10_000


class Buckets:
    """`burst` requests at once, `per_second` for ever. The clients that asked last are remembered."""

    def __init__(
        self,
        per_second: float = PER_SECOND,
        burst: int = BURST,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Take a token: 0, or the seconds until there is one."""
        with self._lock:
            now = self._monotonic()
            left, at = self._left.pop(client, (float(self._burst), now))
            left = min(self._burst, left + (now - at) * self._per_second)
            wait = 0.0 if left >= 1 else (1 - left) / self._per_second
            self._left[client] = (left if wait else left - 1, now)
            if len(self._left) > _MOST_CLIENTS:
                self._left.popitem(last=False)
            return wait

    def wait(self, client: str) -> float:
        """The seconds until there is a token, 0 if there is one. Takes none."""
        with self._lock:
            left, at = self._left.get(client, (float(self._burst), 0.0))
            left += max(0.0, self._monotonic() - at) * self._per_second
            return 0.0 if left >= 1 else (1 - left) / self._per_second


class RateLimit:
    """ASGI middleware: 429 with `Retry-After` for the client, by its address, that asks the management too often."""

    def __init__(self, app: ASGIApp, buckets: Buckets) -> None:
        self._app = app
        self._buckets = buckets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and is_managing(scope["path"]):
            client = scope.get("client")
            wait = self._buckets.take(client[0] if client else "")
            if wait:
                problem = Problem(429, "too many requests from this address", retry_after=math.ceil(wait))
                await answer(Request(scope), problem)(scope, receive, send)
                return
        await self._app(scope, receive, send)
