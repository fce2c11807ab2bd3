"""Signing in with a Slack account, by OpenID Connect: https://docs.slack.dev/authentication/sign-in-with-slack.

Addresses and algorithms are those of https://slack.com/.well-known/openid-configuration. There is no PKCE: at Slack it makes
an app a public client, for good (https://docs.slack.dev/changelog/2026/03/30/pkce). The nonce ties code and browser together.
"""

from urllib.parse import urlsplit

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from integrations.slack.api import Account, Refused, Uncertain, Unreachable

_SCOPE = "openid profile"
_SECONDS = 8.0
_LEEWAY = 60  # seconds between Slack's clock and ours


class SlackSignIn:
    """Sends people to Slack and says who comes back. `redirect` is our address that Slack sends them to."""

    def __init__(self, client_id: str, client_secret: str, redirect: str, *, api_url: str) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect = redirect
        self._api_url = api_url.rstrip("/") + "/"
        parts = urlsplit(api_url)
        self._site = f"{parts.scheme}://{parts.netloc}"

    def address(self, state: str, nonce: str) -> str:
        """Where somebody says at Slack that we may know who they are."""
        with self._session() as session:
            authorize = f"{self._site}/openid/connect/authorize"
            address: str = session.create_authorization_url(authorize, state=state, nonce=nonce)[0]
            return address

    def account(self, code: str, nonce: str) -> Account:
        """Whose account it is. Raises `Refused` for a code that is used, expired or another's, `Unreachable`, and
        `Uncertain` for an answer that cannot be relied on."""
        try:
            with self._session() as session:
                token = session.fetch_token(f"{self._api_url}openid.connect.token", code=code, allow_redirects=False)
                claims = self._claims(session, token.get("id_token", ""), nonce)
                told = session.post(f"{self._api_url}openid.connect.userInfo", allow_redirects=False).json()
            if told.get("ok") is not True:
                raise Refused("openid.connect.userInfo", str(told.get("error", "")))
            if told["sub"] != claims["sub"]:
                raise Uncertain("openid.connect.userInfo is about somebody else")
            user_id, team_id = str(told["https://slack.com/user_id"]), str(told["https://slack.com/team_id"])
            return Account(user_id, team_id, str(told.get("name") or user_id))
        except OAuthError as problem:
            raise Refused("openid.connect.token", problem.error) from problem
        except requests.ConnectionError as problem:
            raise Unreachable("Slack cannot be reached") from problem
        except (requests.RequestException, JoseError, ValueError, KeyError, TypeError, AttributeError) as problem:
            raise Uncertain(f"Slack's answer to a sign-in cannot be used ({type(problem).__name__})") from problem

    def _claims(self, session: OAuth2Session, id_token: str, nonce: str) -> dict[str, object]:
        """What the ID token says, once signature, issuer, audience, age and nonce are as they should be."""
        keys = session.get(f"{self._site}/openid/connect/keys", withhold_token=True, allow_redirects=False)
        decoded = jwt.decode(id_token, KeySet.import_key_set(keys.json()), algorithms=["RS256"])
        registry = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY,
            iss={"essential": True, "value": self._site},
            aud={"essential": True, "value": self._client_id},
            nonce={"essential": True, "value": nonce},
            exp={"essential": True},
            sub={"essential": True},
        )
        registry.validate(decoded.claims)
        return decoded.claims

    def _session(self) -> OAuth2Session:
        return OAuth2Session(
            self._client_id,
            self._client_secret,
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - the name of a method
            scope=_SCOPE,
            redirect_uri=self._redirect,
            default_timeout=_SECONDS,
        )
