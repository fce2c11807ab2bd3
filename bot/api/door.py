"""What every request to the management passes: who asks, what it brings, where its answer is waited for, and the audit."""

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

import anyio
from anyio.to_thread import run_sync
from fastapi import Request

from bot.access import Access, Role
from bot.api.json import MOST_BYTES, read_json
from bot.api.problems import DURABLE_FUNCTIONS, Problem
from bot.audit import Audit
from bot.reading import BodyReader, Unreadable

_AT_ONCE = 4  # threads, each with a connection to the database
_READING = ("GET", "HEAD", "OPTIONS")
_ACTS = {
    "create": "run",
    "start": "run",
    "start_named": "run",
    "raise_event": "signal",
    "purge_many": "purge",
}
"""What routes do, in the audit's words, where their names are others."""
_SUBJECTS = ("instance_id", "workflow_id", "function_name")

T = TypeVar("T")


class Door:
    """One for the process: the threads in which it waits are shared by all requests."""

    def __init__(self, access: Access, bodies: BodyReader, audit: Audit) -> None:
        self._access = access
        self._audit = audit
        self._bodies = bodies
        self._threads = anyio.CapacityLimiter(_AT_ONCE)

    async def admit(self, request: Request) -> AsyncIterator[None]:
        """Let a viewer look and an admin do, which is noted before and after. Raises `Problem`: 401 for nobody, 403 for who
        may not."""
        code = request.query_params.get("code") if request.url.path.startswith(DURABLE_FUNCTIONS) else None
        role = self._access.role(request, code=code)
        if role is Role.ANONYMOUS:
            raise Problem(401, "show the token of VIGIL_API_TOKEN, as bearer, as password or as code")
        if request.method in _READING:
            yield
            return
        if role is not Role.ADMIN:
            raise Problem(403, "this token may only look")
        if self._access.is_of_another_site(request):
            raise Problem(403, "a page of another site may not ask for this")
        number = await self.wait_for(lambda: self._begin(request, role))
        outcome = "done"
        try:
            yield
        except Problem as problem:
            outcome = f"refused: {problem.message}"
            raise
        except Exception as problem:
            outcome = f"failed: {type(problem).__name__}"
            raise
        finally:
            await self.wait_for(lambda: self._audit.end(number, outcome, getattr(request.state, "subject", None)))

    def name_subject(self, request: Request, subject: str) -> None:
        """Say for the audit what a request is about, where its path does not."""
        request.state.subject = subject

    def _begin(self, request: Request, role: Role) -> int:
        name = request.scope["route"].name
        given = request.path_params
        subject = next((given[known] for known in _SUBJECTS if known in given), request.url.path)
        query = urlencode([(key, value) for key, value in request.query_params.multi_items() if key != "code"])
        detail = f"{request.method} {request.url.path}{'?' if query else ''}{query}, {self._access.client_of(request)}"
        return self._audit.begin(f"http:{role.name.lower()}", _ACTS.get(name, name), subject, detail)

    def base_url(self, request: Request) -> str:
        """The address of this server as others know it."""
        return self._access.base_url(request)

    async def body(self, request: Request) -> bytes:
        """The body. Raises `Problem`: 413 when it is too large, 408, 429 and 400 when it does not arrive."""
        try:
            async with self._bodies.body(request, MOST_BYTES) as body:
                return body
        except Unreadable as problem:
            raise Problem(problem.status, problem.reason) from problem

    async def json(self, request: Request) -> Any:
        """The JSON in the body. Raises `Problem`."""
        body = await self.body(request)
        try:
            return await self.wait_for(lambda: read_json(body))
        except ValueError as problem:
            raise Problem(400, f"the body is not valid JSON: {problem}") from problem

    async def wait_for(self, ask: Callable[[], T]) -> T:
        """What `ask` answers, which may wait for the database."""
        return await run_sync(ask, limiter=self._threads)
