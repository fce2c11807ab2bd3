"""Who looks at a page: by the token in the request, or by the session that its cookie names."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from bot.access import Access, Role
from bot.api.limits import Buckets
from durable.postgres import Database
from handlers.records import acts, sessions

COOKIE = "vigil_session"
LASTING = timedelta(hours=12)
GUESSES_A_SECOND, GUESSES_AT_ONCE = 0.2, 5
_ROLES = {"viewer": Role.VIEWER, "admin": Role.ADMIN}
_log = structlog.get_logger(__name__)


class GuessedTooOften(Exception):
    """This client has shown wrong tokens too often: nothing it shows is looked at for `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"wait for {seconds:.0f} s")
        self.seconds = seconds


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


@dataclass(frozen=True)
class Entry:
    """Somebody who is let in: as whom, with which powers, by what (`token`, `slack`, `github`). The session ends when its
    `seal` is none of those that hold any more."""

    name: str
    role: Role
    origin: str
    seal: str


class Visitors:
    """Knows the visitors, and lets them in and out. Waits for the database. `seals` are those of accounts; those of the
    tokens are known to `access`."""

    def __init__(
        self, access: Access, database: Database, seals: Sequence[str] = (), guesses: Buckets | None = None
    ) -> None:
        self.access = access
        self._database = database
        self._seals = (*access.seals(), *seals)
        self._guesses = guesses or Buckets(GUESSES_A_SECOND, GUESSES_AT_ONCE)

    def of(self, request: Request) -> Visitor:
        """Who asks. Raises `GuessedTooOften`."""
        secret = request.cookies.get(COOKIE)
        if secret:
            with self._database.reading() as connection:
                session = sessions.find(connection, secret, self._seals)
            if session is not None:
                return Visitor(session.name, _ROLES[session.role], secret)
        if "authorization" in request.headers:
            self.hear(request)
        role = self.access.role(request)
        if role is Role.ANONYMOUS:
            if "authorization" in request.headers:
                self.note_guess(request, "header")
            return NOBODY
        return Visitor(f"token ({role.name.lower()})", role)

    def hear(self, request: Request) -> None:
        """Raises `GuessedTooOften` for a client that has guessed too often to be listened to."""
        seconds = self._guesses.wait(self.access.client_of(request))
        if seconds:
            raise GuessedTooOften(seconds)

    def note_guess(self, request: Request, by: str) -> None:
        """Count a wrong token, or a sign-in that came to nothing, against its client."""
        client = self.access.client_of(request)
        self._guesses.take(client)
        _log.warning("sign_in.refused", by=by, client=client)

    def let_in(self, request: Request, response: Response, entry: Entry) -> None:
        """Begin a session of a new secret, name it in the answer, and note it in the audit."""
        secret = secrets.token_urlsafe(32)
        role = entry.role.name.lower()
        with self._database.transaction("session") as connection:
            self._forget(connection, request)
            sessions.begin(connection, secret, entry.name, role, entry.origin, LASTING, seal=entry.seal)
            acts.note_outcome(connection, acts.note(connection, entry.name, "sign in", role, entry.origin), "done")
        self.set_cookie(request, response, COOKIE, secret, LASTING)

    def let_out(self, request: Request, response: Response, visitor: Visitor) -> None:
        """End the visitor's session, if there is one, and note it in the audit."""
        with self._database.transaction("session") as connection:
            self._forget(connection, request)
            if visitor.secret:
                noted = acts.note(connection, visitor.name, "sign out", visitor.role.name.lower())
                acts.note_outcome(connection, noted, "done")
        response.delete_cookie(COOKIE)

    def set_cookie(self, request: Request, response: Response, name: str, value: str, lasting: timedelta) -> None:
        """A cookie that no script reads and that no other site's form brings along."""
        seconds, secure = int(lasting.total_seconds()), self.access.is_https(request)
        response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="lax", secure=secure)

    def _forget(self, connection: Connection, request: Request) -> None:
        secret = request.cookies.get(COOKIE)
        if secret:
            sessions.end(connection, secret, self._seals)
