"""Signing in by a token, and out."""

from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from bot.access import Access, Role, is_of_another_site
from bot.dashboard.pages import Pages
from bot.dashboard.visitors import Visitors


def add_sign_in(pages: Pages, visitors: Visitors, access: Access) -> None:
    """Add the routes."""

    @pages.router.get("/sign-in")
    async def sign_in_page() -> Response:
        """The form."""
        return pages.sign_in(200)

    @pages.router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        """Begin a session for whoever has a token."""
        if is_of_another_site(request):
            return pages.sign_in(403, told="Another site sent this; sign in here.")
        async with request.form(max_files=0, max_fields=5) as form:
            token, back_to = str(form.get("token", "")), place_of_ours(str(form.get("back_to", "/")))
        role = access.role_of(token.strip())
        if role is Role.ANONYMOUS:
            return pages.sign_in(401, told="No such token.", back_to=back_to)

        def begin() -> Response:
            response = RedirectResponse(back_to, 303)
            visitors.let_in(request, response, role.name.lower(), role, "token")
            return response

        return await pages.answered(begin)

    @pages.router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        """End the session."""
        if is_of_another_site(request):
            return pages.sign_in(403, told="Another site sent this.")

        def end() -> Response:
            response = RedirectResponse("/sign-in", 303)
            visitors.let_out(request, response)
            return response

        return await pages.answered(end)


def place_of_ours(address: str) -> str:
    """The address if it is a path on this site, else the board: nobody is sent on to another site."""
    parts = urlsplit(address)
    is_path = (
        address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    )
    return address if is_path and "\n" not in address and "\r" not in address else "/"
