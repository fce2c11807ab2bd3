"""How a page is asked for, shown and kept live, and how a form is taken."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import anyio
import structlog
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import FormData, QueryParams

from bot.access import Access, Role
from bot.dashboard.forms import read_form
from bot.dashboard.rendering import Rendering
from bot.dashboard.streams import Lost, Streams
from bot.dashboard.visitors import GuessedTooOften, Visitor, Visitors
from bot.reading import BodyReader, Unreadable
from durable.errors import DurableError
from durable.postgres import Database
from handlers.records import acts

TOLD = "vigil_told"
_AT_ONCE = 8
_log = structlog.get_logger(__name__)


class NotThere(Exception):
    """There is no such page, or what it would show. Its text says so to the visitor."""


class Refused(Exception):
    """What was asked for is not done. Its text says why, and what to do about it."""


class Mistyped(Refused):
    """What was sent is not done; it is shown again by `view`, as it was typed, for the visitor to mend."""

    def __init__(self, told: str, view: "View") -> None:
        super().__init__(told)
        self.view = view


@dataclass(frozen=True)
class Asked:
    """A request to a page: the parameters of its path and query, a form's fields, who asks, and the engine's time."""

    path: str
    parameters: Mapping[str, str]
    query: QueryParams
    visitor: Visitor
    now: datetime
    form: FormData = field(default_factory=FormData)

    def text(self, name: str) -> str:
        """A field of the form, empty when it is not there."""
        value = self.form.get(name, "")
        return value.strip() if isinstance(value, str) else ""


@dataclass(frozen=True)
class View:
    """What a page shows: its template and what that is given."""

    template: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Done:
    """What a form has done, in a sentence for the visitor, and where to go on; by default back to where it came from."""

    told: str
    location: str | None = None


@dataclass(frozen=True)
class Act:
    """What a form does. `name` and the path parameter called `subject`, or what `subject` says of the request, are for
    the audit, so are the form's `details`."""

    name: str
    do: Callable[[Asked], Done]
    subject: str | Callable[[Asked], str]
    details: tuple[str, ...] = ()


class Pages:
    """The routes of the dashboard. Views and acts wait for the database, in threads."""

    def __init__(
        self,
        rendering: Rendering,
        visitors: Visitors,
        database: Database,
        now: Callable[[], datetime],
        is_ending: Callable[[], bool],
    ) -> None:
        self.router = APIRouter(include_in_schema=False)
        self._rendering = rendering
        self._visitors = visitors
        self._database = database
        self._now = now
        self._bodies = BodyReader()
        self._accounts: dict[str, str] = {}
        self._threads = anyio.CapacityLimiter(_AT_ONCE)
        self._streams = Streams(self._threads, is_ending)

    def view(self, path: str, view: Callable[[Asked], View]) -> None:
        """Show this at `path` to whoever may look, and keep it live for those who ask for events."""

        async def show(request: Request) -> Response:
            if "text/event-stream" in request.headers.get("accept", ""):
                return await self._stream(request, view)
            return await self._guarded(request, lambda asked: self._page(request, asked, view(asked)))

        self.router.add_api_route(path, show, methods=["GET"], name=f"page {path}")

    def act(self, path: str, act: Act) -> None:
        """Do this when a form is sent to `path` by whoever may act, and note it in the audit."""

        async def take(request: Request) -> Response:
            if self._visitors.access.is_of_another_site(request):
                return self.problem(
                    403, "Another site sent this", "Nothing was done: a page of ours has to ask for it."
                )
            try:
                form = await self.form(request)
            except Unreadable as problem:
                return self.problem(problem.status, "This form cannot be read", f"Nothing was done: {problem.reason}.")
            return await self._guarded(request, lambda asked: self._take(request, asked, act), form, Role.ADMIN)

        self.router.add_api_route(path, take, methods=["POST"], name=f"act {path}")

    async def answered(self, ask: Callable[[], Response], threads: anyio.CapacityLimiter | None = None) -> Response:
        """An answer that waits for the database, in a thread; a page that says so where there is none. What waits for
        others brings `threads` of its own."""

        def answer() -> Response:
            try:
                return ask()
            except GuessedTooOften as problem:
                return self.too_often(problem)
            except NotThere as problem:
                return self.problem(404, "Not here", str(problem))
            except SQLAlchemyError:
                return self.problem(503, "The database is away", "Nothing is lost. Try again in a moment.")
            except Exception:  # noqa: BLE001 - the outermost boundary: what went wrong is in the log and nowhere else
                _log.exception("page.failed")
                return self.problem(500, "Something went wrong here", "It stands in the log. Trying again may help.")

        return await run_sync(answer, limiter=threads or self._threads)

    async def form(self, request: Request) -> FormData:
        """The fields of a form. Raises `Unreadable`."""
        return await read_form(request, self._bodies)

    def offer(self, account: str, title: str) -> None:
        """Offer sign-in by this kind of account, at `/sign-in/{account}`."""
        self._accounts[account] = title

    def reference(self) -> Response:
        """The page of the HTTP interfaces."""
        return HTMLResponse(self._rendering.page("docs.html", {}))

    def sign_in(self, status: int, *, told: str = "", back_to: str = "/") -> Response:
        """The page on which to sign in."""
        facts = {"told": told, "back_to": back_to, "accounts": self._accounts}
        return HTMLResponse(self._rendering.page("sign_in.html", facts), status)

    def too_often(self, problem: GuessedTooOften, back_to: str = "/") -> Response:
        """The page for whoever has guessed too often."""
        seconds = math.ceil(problem.seconds)
        told = f"Too many wrong tokens from your address; wait {seconds} s."
        response = self.sign_in(429, told=told, back_to=back_to)
        response.headers["Retry-After"] = str(seconds)
        return response

    def too_old(self) -> Response:
        """The page for a form that does not carry its session's value."""
        text = "Nothing was done. Go back, load the page again, and repeat."
        return self.problem(403, "The form is too old", text)

    def problem(self, status: int, title: str, text: str) -> Response:
        """The page that says what is wrong."""
        return HTMLResponse(self._rendering.page("problem.html", {"title": title, "text": text}), status)

    async def _guarded(
        self,
        request: Request,
        answer: Callable[[Asked], Response],
        form: FormData | None = None,
        least: Role = Role.VIEWER,
    ) -> Response:
        def look_and_answer() -> Response:
            visitor = self._visitors.of(request)
            if visitor.role is Role.ANONYMOUS:
                return self.sign_in(401, back_to=_here(request) if request.method == "GET" else self._back(request))
            if visitor.role < least:
                return self.problem(403, "You may only look", "An admin may do this; you are signed in as a viewer.")
            return answer(self._asked(request, visitor, form))

        return await self.answered(look_and_answer)

    def _back(self, request: Request) -> str:
        return _back(request, self._visitors.access)

    def _asked(self, request: Request, visitor: Visitor, form: FormData | None = None) -> Asked:
        return Asked(
            request.url.path, request.path_params, request.query_params, visitor, self._now(), form or FormData()
        )

    def _page(self, request: Request, asked: Asked, view: View) -> Response:
        response = HTMLResponse(self._rendering.page(view.template, self._facts(asked, view, _told(request))))
        response.delete_cookie(TOLD)
        return response

    def _facts(self, asked: Asked, view: View, told: Mapping[str, str] | None = None) -> dict[str, Any]:
        return {"path": asked.path, "visitor": asked.visitor, "now": asked.now, "told": told, **view.facts}

    def _take(self, request: Request, asked: Asked, act: Act) -> Response:
        visitor = asked.visitor
        if visitor.secret and not visitor.sent(asked.text("csrf")):
            return self.too_old()
        named = act.subject
        subject = asked.parameters.get(named, named) if isinstance(named, str) else named(asked)
        detail = ", ".join(f"{name}: {asked.text(name)}" for name in act.details if asked.text(name))
        with self._database.transaction("act") as connection:
            number = acts.note(connection, visitor.name, act.name, subject, detail)
        location, again = self._back(request), None
        try:
            done = act.do(asked)
            kind, told, location = "done", done.told, done.location or location
        except (Refused, DurableError) as problem:
            kind, told = "refused", str(problem)
            again = problem.view if isinstance(problem, Mistyped) else None
        with self._database.transaction("act") as connection:
            acts.note_outcome(connection, number, "done" if kind == "done" else f"refused: {told}")
        if again is not None:
            facts = self._facts(asked, again, {"kind": kind, "text": told})
            return HTMLResponse(self._rendering.page(again.template, facts), 422)
        response = RedirectResponse(location, 303)
        said = quote(json.dumps({"kind": kind, "text": told[:1000]}))
        self._visitors.set_cookie(request, response, TOLD, said, timedelta(minutes=1))
        return response

    async def _stream(self, request: Request, view: Callable[[Asked], View]) -> Response:
        def draw() -> str | Lost:
            try:
                visitor = self._visitors.of(request)
                if visitor.role is Role.ANONYMOUS:
                    return Lost.OUT
                asked = self._asked(request, visitor)
                shown = view(asked)
                return self._rendering.live(shown.template, self._facts(asked, shown))
            except (SQLAlchemyError, NotThere, GuessedTooOften):
                return Lost.AWAY
            except Exception:  # noqa: BLE001 - as for the page itself
                _log.exception("page.failed", path=request.url.path)
                return Lost.AWAY

        admitted = await self._guarded(request, lambda _: Response(status_code=204))
        if admitted.status_code != 204:
            return admitted  # no stream: the browser asks no more
        opened = self._streams.open(request, draw)
        if opened is None:
            return self.problem(503, "Too many pages are open", "This one shows how things were when it was loaded.")
        return opened


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _back(request: Request, access: Access) -> str:
    """The page of ours that the form was on."""
    referer = request.headers.get("referer", "")
    if not access.is_ours(request, referer) or not urlsplit(referer).path.startswith("/"):
        return "/"
    came_from = urlsplit(referer)
    return came_from.path + (f"?{came_from.query}" if came_from.query else "")


def _told(request: Request) -> Mapping[str, str] | None:
    """What the last form has done, if this page is the one after it."""
    try:
        told = json.loads(unquote(request.cookies.get(TOLD, "")))
        return {"kind": str(told["kind"]), "text": str(told["text"])}
    except (ValueError, KeyError, TypeError):
        return None
