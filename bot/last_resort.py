"""What is answered when something of ours has gone wrong and nobody has seen to it."""

import structlog
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = structlog.get_logger(__name__)


class LastResort:
    """ASGI middleware: 500 without details, which stand in the log. What was begun to be answered is broken off."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def watching(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, watching)
        except Exception:
            if has_begun:
                raise
            _log.exception("request.failed", method=scope["method"], path=scope["path"])
            answer = JSONResponse({"error": "something went wrong here; it stands in the log"}, 500)
            await answer(scope, receive, send)
