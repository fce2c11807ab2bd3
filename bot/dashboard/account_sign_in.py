"""Signing in by an account elsewhere: to the other side, and back with a code."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote, unquote

import anyio
import structlog
from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from bot.access import Role
from bot.accounts import Account, Attempt
from bot.dashboard.pages import NotThere, Pages
from bot.dashboard.sign_in import place_of_ours
from bot.dashboard.visitors import Entry, Visitors
from handlers.entry import NotLetIn
from integrations.github.api import GitHubError
from integrations.github.api import Unauthorized as CodeRefusedByGitHub
from integrations.slack.api import Refused as CodeRefusedBySlack
from integrations.slack.api import SlackError

ATTEMPT = "vigil_attempt"
_LASTING = timedelta(minutes=10)  # as long as GitHub's codes
_AT_ONCE = 4  # each waits for Slack or GitHub, and keeps no page from being shown
_log = structlog.get_logger(__name__)


def add_account_sign_in(pages: Pages, visitors: Visitors, accounts: Mapping[str, Account]) -> None:
    """Add the routes, and the buttons to the page of signing in."""
    threads = anyio.CapacityLimiter(_AT_ONCE)
    for name, account in accounts.items():
        pages.offer(name, account.title)

    @pages.router.get("/sign-in/{name}")
    async def leave(request: Request, name: str) -> Response:
        """Send somebody to where their account is. The browser keeps what nobody else may know."""

        def begin() -> Response:
            account = _known(accounts, name)
            secret = secrets.token_urlsafe(32)
            back_to = place_of_ours(request.query_params.get("back_to", "/"))
            response = RedirectResponse(account.address(Attempt(secret)), 303)
            visitors.set_cookie(request, response, ATTEMPT, f"{name}.{secret}.{quote(back_to, safe='')}", _LASTING)
            return response

        return await pages.answered(begin)

    @pages.router.get("/sign-in/{name}/done")
    async def arrive(request: Request, name: str) -> Response:
        """Let in whoever comes back, if they may."""

        def enter() -> Response:
            response = _entered(pages, visitors, request, name, _known(accounts, name))
            response.delete_cookie(ATTEMPT)
            return response

        return await pages.answered(enter, threads)


def _entered(pages: Pages, visitors: Visitors, request: Request, name: str, account: Account) -> Response:
    attempt, back_to = _attempt(request, name)

    def refuse(status: int, told: str, reason: str) -> Response:
        _log.warning("sign_in.failed", by=name, reason=reason)
        return pages.sign_in(status, told=told, back_to=back_to)

    if attempt is None or not attempt.is_answered_by(request.query_params.get("state", "")):
        told = (
            "This answer does not belong to a sign-in that was begun in this browser within ten minutes. Begin again."
        )
        return refuse(400, told, "state")
    code = request.query_params.get("code", "")
    if "error" in request.query_params or not code:
        return refuse(403, f"{account.title} was not allowed to tell who you are. Nothing has happened.", "denied")
    visitors.hear(request)
    try:
        admitted = account.admit(attempt, code)
    except NotLetIn as problem:
        visitors.note_guess(request, name)
        return refuse(403, str(problem), "not let in")
    except (CodeRefusedBySlack, CodeRefusedByGitHub) as problem:
        visitors.note_guess(request, name)
        return refuse(400, f"{account.title} does not accept this sign-in any more. Begin again.", str(problem))
    except (SlackError, GitHubError) as problem:
        told = f"{account.title} gives no usable answer at the moment. Try again, or sign in by a token."
        return refuse(503, told, str(problem))
    response = RedirectResponse(back_to, 303)
    role = Role.ADMIN if admitted.is_admin else Role.VIEWER
    visitors.let_in(request, response, Entry(admitted.name, role, name, account.seal))
    return response


def _known(accounts: Mapping[str, Account], name: str) -> Account:
    if name not in accounts:
        raise NotThere("Nobody signs in here by such an account.")
    return accounts[name]


def _attempt(request: Request, name: str) -> tuple[Attempt | None, str]:
    """The attempt that this browser has begun by this kind of account, and where it wanted to be."""
    kind, _, rest = request.cookies.get(ATTEMPT, "").partition(".")
    secret, _, back_to = rest.partition(".")
    attempt = Attempt(secret) if kind == name and secret else None
    return attempt, place_of_ours(unquote(back_to) or "/")
