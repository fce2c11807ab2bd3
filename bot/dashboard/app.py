"""Puts the dashboard into the application."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from bot.access import Access
from bot.accounts import Account
from bot.api.management import Management
from bot.api.problems import is_managing
from bot.dashboard import audit, board, definitions, insights, pull, run_page, schedules, workers, workflows
from bot.dashboard.account_sign_in import add_account_sign_in
from bot.dashboard.pages import Pages
from bot.dashboard.rendering import Rendering, static_files
from bot.dashboard.sign_in import add_sign_in
from bot.dashboard.values import Values
from bot.dashboard.visitors import Visitors
from bot.redaction import Redactor
from durable.postgres import Database
from durable.scheduler import Schedules

_Handler = Callable[[Request, Exception], Awaitable[Response]]
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Dashboard:
    """What the dashboard is given. `now` is the engine's time; when the process `is_ending`, open pages are let go;
    `accounts` are what people may sign in with beside a token,
    `redactor` knows the secrets that no page may show."""

    database: Database
    management: Management
    now: Callable[[], datetime]
    is_ending: Callable[[], bool] = lambda: False
    accounts: Mapping[str, Account] = field(default_factory=dict)
    redactor: Redactor = field(default_factory=Redactor)


def add_dashboard(app: FastAPI, dashboard: Dashboard, access: Access) -> None:
    """Add the pages and their files."""
    files = static_files()
    accounts = dashboard.accounts
    visitors = Visitors(access, dashboard.database, [account.seal for account in accounts.values()])
    pages = Pages(Rendering(), visitors, dashboard.database, dashboard.now, dashboard.is_ending)
    add_sign_in(pages, visitors)
    add_account_sign_in(pages, visitors, accounts)
    board.add(pages, dashboard.database, dashboard.management.client)
    pull.add(pages, dashboard.database, dashboard.management.client)
    insights.add(pages, dashboard.database, dashboard.management.client)
    values = Values(dashboard.redactor)
    definitions.add(pages, dashboard.database, dashboard.management)
    schedules.add(pages, Schedules(dashboard.database))
    workers.add(pages, dashboard.database, dashboard.management, values)
    workflows.add(pages, dashboard.management, values)
    run_page.add(pages, dashboard.management, dashboard.database, values)
    audit.add(pages, dashboard.database, values)

    @pages.router.get("/docs")
    async def docs() -> Response:
        """The reference of the HTTP interfaces, for everybody."""
        return pages.reference()

    @pages.router.get("/static/{name:path}")
    async def static(name: str) -> Response:
        """A file of the pages; it is named with its version, and kept by the browser."""
        file = files.get(name)
        if file is None:
            return Response(status_code=404)
        return Response(file.content, media_type=file.media_type, headers={"Cache-Control": _FOR_EVER})

    app.include_router(pages.router)
    _answer_people(app, pages)


def _answer_people(app: FastAPI, pages: Pages) -> None:
    """Show a page where there is none, to browsers; programs are answered as before."""
    answer_programs = cast(_Handler, app.exception_handlers[HTTPException])

    async def not_there(request: Request, problem: Exception) -> Response:
        asks_for_page = "text/html" in request.headers.get("accept", "") and not is_managing(request.url.path)
        if isinstance(problem, HTTPException) and problem.status_code == 404 and asks_for_page:
            return pages.problem(404, "Not here", "There is no such page.")
        return await answer_programs(request, problem)

    app.add_exception_handler(HTTPException, not_there)
