"""Who may see the dashboard: whoever shows the API token, and in the demo whoever sits at this machine."""

import base64
import binascii
import hmac
import ipaddress

from starlette.requests import Request

CHALLENGE = 'Basic realm="Vigil", charset="UTF-8"'


class Access:
    """`token` None lets nobody in, except, in the demo, requests from loopback to a loopback name."""

    def __init__(self, token: str | None, *, demo: bool = False) -> None:
        self._token = token
        self._demo = demo

    def allows(self, request: Request) -> bool:
        """Whether the request carries the token: as bearer, or as the password of any user."""
        if self._demo and _is_local(request):
            return True
        shown = _shown(request.headers.get("authorization", ""))
        if not self._token or shown is None:
            return False
        return hmac.compare_digest(shown, self._token.encode("utf-8", "surrogateescape"))


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
