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
    to a loopback name, which are an admin's."""

    def __init__(self, token: str | None, *, viewer_token: str | None = None, demo: bool = False) -> None:
        self._tokens = [(Role.ADMIN, _bytes(token)), (Role.VIEWER, _bytes(viewer_token))]
        self._demo = demo

    def role(self, request: Request, *, code: str | None = None) -> Role:
        """Whose token the request carries: as bearer, as the password of any user, or as `code`, a token from elsewhere
        in the request. Each is compared in a time that tells nothing about it."""
        if self._demo and _is_local(request):
            return Role.ADMIN
        return self._best([_shown(request.headers.get("authorization", "")), None if code is None else _bytes(code)])

    def role_of(self, token: str) -> Role:
        """Whose token this is."""
        return self._best([_bytes(token)])

    def _best(self, given: Sequence[bytes | None]) -> Role:
        matches = [
            role
            for role, token in self._tokens
            for shown in given
            if shown is not None and token and hmac.compare_digest(shown, token)
        ]
        return max(matches, default=Role.ANONYMOUS)


def is_of_another_site(request: Request) -> bool:
    """Whether a browser sent this for a page of another site: it adds the password that its user gave to ours."""
    fetched_from = request.headers.get("sec-fetch-site")
    if fetched_from is not None:
        return fetched_from not in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()


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
