"""Who may do what: the operator's tokens say so, and in the demo whoever sits at this machine."""

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Sequence
from enum import IntEnum
from urllib.parse import urlsplit

from starlette.requests import Request

CHALLENGE = 'Basic realm="Vigil", charset="UTF-8"'


class Role(IntEnum):
    """What a request may do; each role may do what those before it may."""

    ANONYMOUS = 0
    """Nothing of the operators'."""
    VIEWER = 1
    """See everything."""
    ADMIN = 2
    """Change everything."""


class Access:
    """`token` makes an admin, `viewer_token` a viewer; None lets nobody in, except, in the demo, requests from loopback
    to a loopback name, which are an admin's. `public_url` is the address the bot is known by, where it differs from what
    requests name."""

    def __init__(
        self,
        token: str | None,
        *,
        viewer_token: str | None = None,
        demo: bool = False,
        public_url: str | None = None,
    ) -> None:
        self._tokens = [(Role.ADMIN, _bytes(token)), (Role.VIEWER, _bytes(viewer_token))]
        self._demo = demo
        self.public_url = public_url

    def role(self, request: Request, *, code: str | None = None) -> Role:
        """Whose token the request carries: as bearer, as the password of any user, or as `code`, a token from elsewhere
        in the request. Each is compared in a time that tells nothing about it."""
        if self._demo and _is_local(request):
            return Role.ADMIN
        return self._best([_shown(request.headers.get("authorization", "")), None if code is None else _bytes(code)])

    def role_of(self, token: str) -> Role:
        """Whose token this is."""
        return self._best([_bytes(token)])

    def seals(self) -> list[str]:
        """One for each token there is, made of the role and the token: a session stands and falls with it."""
        return [f"token:{role.name}:{token!r}" for role, token in self._tokens if token]

    def seal_of(self, role: Role) -> str:
        """That of this role's token."""
        return next(f"token:{role.name}:{token!r}" for known, token in self._tokens if known is role)

    def base_url(self, request: Request) -> str:
        """The address of this server as others know it, without a slash at its end."""
        return self.public_url or str(request.base_url).rstrip("/")

    def is_https(self, request: Request) -> bool:
        """Whether the browser speaks TLS, perhaps with a proxy before us. Who claims it falsely hurts only themselves."""
        if self.public_url and urlsplit(self.public_url).netloc.lower() == request.headers.get("host", "").lower():
            return self.public_url.startswith("https:")
        return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", "").partition(",")[0].strip())

    def is_of_another_site(self, request: Request) -> bool:
        """Whether a browser sent this for a page of another site: it adds the password that its user gave to ours."""
        fetched_from = request.headers.get("sec-fetch-site")
        if fetched_from is not None:
            return fetched_from not in ("same-origin", "none")
        origin = request.headers.get("origin")
        return origin is not None and not self.is_ours(request, origin)

    def is_ours(self, request: Request, address: str) -> bool:
        """Whether an address is of the host that the request was sent to, or of the one we are known by."""
        try:
            host = urlsplit(address).netloc.lower()
        except ValueError:
            return False
        ours = (request.headers.get("host", ""), urlsplit(self.public_url or "").netloc)
        return bool(host) and host in (known.lower() for known in ours)

    def client_of(self, request: Request) -> str:
        """The address that asks. Behind a proxy, which a public address tells of, the one that the proxy names last: those
        before it are what the client says itself. Good for telling clients apart, and for nothing else."""
        direct = request.client.host if request.client else ""
        named = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        return named if self.public_url and _is_address(named) and not _is_public(direct) else direct

    def _best(self, given: Sequence[bytes | None]) -> Role:
        matches = [
            role
            for role, token in self._tokens
            for shown in given
            if shown is not None and token and hmac.compare_digest(shown, token)
        ]
        return max(matches, default=Role.ANONYMOUS)


def _bytes(token: str | None) -> bytes:
    return (token or "").encode("utf-8", "surrogateescape")


def _shown(authorization: str) -> bytes | None:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip().encode("latin-1", "replace")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return None
    return None


def _is_local(request: Request) -> bool:
    """From loopback, and addressed to it: a page of another site that resolves its name to 127.0.0.1 is not."""
    named = request.url.hostname or ""
    return request.client is not None and _is_loopback(request.client.host) and _is_loopback(named)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
