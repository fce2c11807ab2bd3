"""Who looks at a page: by the token in the request, or by the session that its cookie names."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from bot.access import Access, Role
from durable.postgres import Database
from handlers.records import sessions

COOKIE = "vigil_session"
LASTING = timedelta(hours=12)
_ROLES = {"viewer": Role.VIEWER, "admin": Role.ADMIN}


@dataclass(frozen=True)
class Visitor:
    """Somebody at a page. `secret` is that of the session's cookie, None without a session."""

    name: str
    role: Role
    secret: str | None = None

    @property
    def may_act(self) -> bool:
        """Whether the buttons are for this visitor."""
        return self.role >= Role.ADMIN

    @property
    def csrf(self) -> str:
        """What a form of this session's pages carries, and no other site can know."""
        return hashlib.sha256(f"csrf:{self.secret}".encode()).hexdigest() if self.secret else ""

    def sent(self, csrf: str) -> bool:
        """Whether a form with this value is of our pages."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode("utf-8", "replace"))


NOBODY = Visitor("nobody", Role.ANONYMOUS)


class Visitors:
    """Knows the visitors, and lets them in and out. Waits for the database."""

    def __init__(self, access: Access, database: Database) -> None:
        self._access = access
        self._database = database

    def of(self, request: Request) -> Visitor:
        """Who asks."""
        secret = request.cookies.get(COOKIE)
        if secret:
            with self._database.reading() as connection:
                session = sessions.find(connection, secret)
            if session is not None:
                return Visitor(session.name, _ROLES[session.role], secret)
        role = self._access.role(request)
        return Visitor(f"token ({role.name.lower()})", role) if role > Role.ANONYMOUS else NOBODY

    def let_in(self, request: Request, response: Response, name: str, role: Role, origin: str) -> None:
        """Begin a session, and name it in the answer."""
        secret = secrets.token_urlsafe(32)
        with self._database.transaction("session") as connection:
            sessions.begin(connection, secret, name, role.name.lower(), origin, LASTING)
        set_cookie(request, response, COOKIE, secret, LASTING)

    def let_out(self, request: Request, response: Response) -> None:
        """End the session, if there is one."""
        secret = request.cookies.get(COOKIE)
        if secret:
            with self._database.transaction("session") as connection:
                sessions.end(connection, secret)
        response.delete_cookie(COOKIE)


def set_cookie(request: Request, response: Response, name: str, value: str, lasting: timedelta) -> None:
    """A cookie that no script reads and that no other site's form brings along."""
    is_https = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
    response.set_cookie(
        name, value, max_age=int(lasting.total_seconds()), httponly=True, samesite="lax", secure=is_https
    )
