"""The paths of Durable Functions are the same in any case, and with a slash at their end."""

from starlette.types import ASGIApp, Receive, Scope, Send

from bot.api.problems import DURABLE_FUNCTIONS

_FIRST = {"orchestrators": "orchestrators", "instances": "instances"}
_VERBS = {
    verb.lower(): verb for verb in ("raiseEvent", "terminate", "suspend", "resume", "rewind", "restart")
}  # fmt: skip
_VERB_AT = 2


def canonical(path: str) -> str:
    """The path as the routes have it; names and ids in it are left as they are, and so is any other path."""
    if path[: len(DURABLE_FUNCTIONS) + 1].lower() != f"{DURABLE_FUNCTIONS}/":
        return path
    first, *rest = path[len(DURABLE_FUNCTIONS) + 1 :].split("/")
    parts = [_FIRST.get(first.lower(), first), *rest]
    if parts[-1] == "" and len(parts) > 1:
        parts.pop()
    if parts[0] == "instances" and len(parts) > _VERB_AT:
        parts[_VERB_AT] = _VERBS.get(parts[_VERB_AT].lower(), parts[_VERB_AT])
    return "/".join((DURABLE_FUNCTIONS, *parts))


class CanonicalPaths:
    """ASGI middleware that hands requests on under the path the routes have."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            scope = {**scope, "path": canonical(scope["path"])}
        await self._app(scope, receive, send)
