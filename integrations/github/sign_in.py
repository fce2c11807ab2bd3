"""Signing in with a GitHub account, by OAuth with PKCE:
https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#web-application-flow.

No scope is asked for: the token may read what is public of its account, is used once for that, and forgotten.
"""

from urllib.parse import urlsplit

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from integrations.github.api import Account, Unauthorized, Unavailable

_SECONDS = 8.0


class GitHubSignIn:
    """Sends people to GitHub and says who comes back. `redirect` is our address that GitHub sends them to."""

    def __init__(self, client_id: str, client_secret: str, redirect: str, *, api_url: str) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect = redirect
        self._api_url = api_url.rstrip("/")
        self._site = site_of(api_url)

    def address(self, state: str, verifier: str) -> str:
        """Where somebody says at GitHub that we may know who they are."""
        with self._session() as session:
            authorize = f"{self._site}/login/oauth/authorize"
            address: str = session.create_authorization_url(authorize, state=state, code_verifier=verifier)[0]
            return address

    def account(self, code: str, verifier: str) -> Account:
        """Whose account it is. Raises `Unauthorized` for a code that is used, expired or another's, and `Unavailable`."""
        exchange = f"{self._site}/login/oauth/access_token"
        try:
            with self._session() as session:
                session.fetch_token(exchange, code=code, code_verifier=verifier, allow_redirects=False)
                answer = session.get(f"{self._api_url}/user", allow_redirects=False)
                answer.raise_for_status()
                told = answer.json()
            return Account(login=str(told["login"]), name=str(told.get("name") or ""))
        except OAuthError as problem:
            raise Unauthorized(f"GitHub refuses the code: {problem.error}") from problem
        except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError) as problem:
            raise Unavailable(f"no usable answer to a sign-in from GitHub ({type(problem).__name__})") from problem

    def _session(self) -> OAuth2Session:
        return OAuth2Session(
            self._client_id,
            self._client_secret,
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - the name of a method
            scope="",
            redirect_uri=self._redirect,
            code_challenge_method="S256",
            default_timeout=_SECONDS,
        )


def site_of(api_url: str) -> str:
    """Where people sign in, for GitHub itself, for `api.SUBDOMAIN.ghe.com`, and for a server with `/api/v3`."""
    parts = urlsplit(api_url)
    return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"
