"""Signing in by a token, and out."""

from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from bot.access import Role
from bot.dashboard.pages import Pages
from bot.dashboard.visitors import Entry, GuessedTooOften, Visitors
from bot.reading import Unreadable

_LONGEST_ADDRESS = 2000


def add_sign_in(pages: Pages, visitors: Visitors) -> None:
    """Add the routes."""
    _add_in(pages, visitors)
    _add_out(pages, visitors)


def _add_in(pages: Pages, visitors: Visitors) -> None:
    access = visitors.access

    @pages.router.get("/sign-in")
    async def sign_in_page(request: Request) -> Response:
        """The form."""
        return pages.sign_in(200, back_to=place_of_ours(request.query_params.get("back_to", "/")))

    @pages.router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        """Begin a session for whoever has a token."""
        if access.is_of_another_site(request):
            return pages.sign_in(403, told="Another site sent this; sign in here.")
        try:
            form = await pages.form(request)
        except Unreadable as problem:
            return pages.sign_in(problem.status, told=f"Nothing was read: {problem.reason}.")
        token, back_to = str(form.get("token", "")), place_of_ours(str(form.get("back_to", "/")))
        try:
            visitors.hear(request)
        except GuessedTooOften as problem:
            return pages.too_often(problem, back_to)
        role = access.role_of(token.strip())
        if role is Role.ANONYMOUS:
            if token.strip():
                visitors.note_guess(request, "token")
            return pages.sign_in(401, told="No such token.", back_to=back_to)

        def begin() -> Response:
            response = RedirectResponse(back_to, 303)
            visitors.let_in(request, response, Entry(role.name.lower(), role, "token", access.seal_of(role)))
            return response

        return await pages.answered(begin)


def _add_out(pages: Pages, visitors: Visitors) -> None:
    @pages.router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        """End the session."""
        if visitors.access.is_of_another_site(request):
            return pages.sign_in(403, told="Another site sent this.")
        try:
            csrf = str((await pages.form(request)).get("csrf", ""))
        except Unreadable as problem:
            return pages.sign_in(problem.status, told=f"Nothing was read: {problem.reason}.")

        def end() -> Response:
            visitor = visitors.of(request)
            if visitor.secret and not visitor.sent(csrf):
                return pages.too_old()
            response = RedirectResponse("/sign-in", 303)
            visitors.let_out(request, response, visitor)
            return response

        return await pages.answered(end)


def place_of_ours(address: str) -> str:
    """The address if it is a path on this site, else the board: nobody is sent on to another site. Browsers read a
    backslash as a slash, and leave out control characters."""
    if not address.startswith("/") or len(address) > _LONGEST_ADDRESS or "\\" in address or not address.isprintable():
        return "/"
    try:
        parts = urlsplit(address)
    except ValueError:
        return "/"
    return "/" if address.startswith("//") or parts.scheme or parts.netloc else address
