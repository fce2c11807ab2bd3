"""Who we are towards GitHub, a token or an App, and the PyGithub clients that speak in that name.

A PyGithub client keeps the request in hand in its connection object (`Requester.py`, `HTTPRequestsConnectionClass`),
so two threads on one client can read each other's answer: clients are lent to one thread at a time (ADR 0021).
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import github as pygithub
from urllib3.util import Retry

from integrations.github.api import Identity, Unavailable

# GitHub's installation tokens live an hour; a new one is fetched a minute early.
_TOKEN_MARGIN = 60.0
_FORGET_INSTALLATION = (401, 404)


@dataclass(frozen=True)
class Server:
    """Where GitHub's REST interface is, and how many seconds one request may take to connect or go silent."""

    base_url: str
    timeout: int

    def options(self) -> dict[str, Any]:
        """PyGithub's settings without its hidden sleeps and repeats (ADR 0021)."""
        return {
            "base_url": self.base_url.rstrip("/"),
            "timeout": self.timeout,
            "per_page": 100,
            "lazy": True,
            "seconds_between_requests": None,
            "seconds_between_writes": None,
            # PyGithub itself sleeps and repeats a GET answered 202; here such an answer is an error at once.
            "retry": Retry(total=0, read=False, status_forcelist=[202], respect_retry_after_header=False),
        }


class Access(Protocol):
    """A way to be somebody on GitHub. Everything here may raise what PyGithub raises."""

    def lend(self, owner: str, repo: str) -> AbstractContextManager[pygithub.Github]:
        """A client that may read this repository, for this thread alone while the context lasts."""
        ...

    def lend_any(self) -> AbstractContextManager[pygithub.Github]:
        """A client for what is public anyway."""
        ...

    def identity(self) -> Identity:
        """Who we are, in one request."""
        ...

    def close(self) -> None:
        """Close the idle connections."""
        ...


class _Pool:
    def __init__(self, build: Callable[[], pygithub.Github]) -> None:
        self._build = build
        self._idle: deque[pygithub.Github] = deque()

    @contextmanager
    def lend(self) -> Iterator[pygithub.Github]:
        try:
            client = self._idle.pop()
        except IndexError:
            client = self._build()
        try:
            yield client
        finally:
            self._idle.append(client)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


class TokenAccess:
    """One token for everything."""

    def __init__(self, token: str, server: Server) -> None:
        auth = pygithub.Auth.Token(token)
        self._pool = _Pool(lambda: pygithub.Github(auth=auth, **server.options()))

    def lend(self, owner: str, repo: str) -> AbstractContextManager[pygithub.Github]:
        """See `Access`."""
        del owner, repo  # a token is the same for every repository
        return self._pool.lend()

    def lend_any(self) -> AbstractContextManager[pygithub.Github]:
        """See `Access`."""
        return self._pool.lend()

    def identity(self) -> Identity:
        """See `Access`. Fine-grained tokens come without the header that names scopes."""
        with self._pool.lend() as client:
            login = client.get_user().login
            return Identity(login, tuple(scope for scope in client.oauth_scopes or () if scope))

    def close(self) -> None:
        """See `Access`."""
        self._pool.close()


class _InstallationToken(pygithub.Auth.Auth):
    """The token of one installation, renewed when it is about to expire; shared by all clients of its pool."""

    token_type = "token"  # noqa: S105 (a word of the Authorization header)

    def __init__(self, fetch: Callable[[], tuple[str, float]], clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._expires_at = 0.0

    @property
    def token(self) -> str:
        with self._lock:
            if self._clock() > self._expires_at - _TOKEN_MARGIN:
                self._token, self._expires_at = self._fetch()
            return self._token


class AppAccess:
    """A GitHub App: each repository is read with the token of the installation that holds it."""

    def __init__(self, app_id: str, private_key: str, server: Server, clock: Callable[[], float]) -> None:
        self._auth = pygithub.Auth.AppAuth(app_id, private_key)
        try:
            self._auth.create_jwt()
        except Exception as error:  # noqa: BLE001 (PyJWT and cryptography raise a family of errors; none may show the key)
            raise ValueError(f"GITHUB_APP_PRIVATE_KEY is no PEM private key ({type(error).__name__})") from None
        self._server = server
        self._clock = clock
        self._lock = threading.Lock()
        self._installations: dict[str, int] = {}
        self._pools: dict[int, _Pool] = {}

    @contextmanager
    def lend(self, owner: str, repo: str) -> Iterator[pygithub.Github]:
        """See `Access`. Costs one more request the first time a repository is seen."""
        name = f"{owner}/{repo}".lower()
        installation = self._installations.get(name)
        if installation is None:
            with self._integration() as integration:
                installation = integration.get_repo_installation(owner, repo).id
            self._installations[name] = installation
        with self._lend_installation(installation) as client:
            yield client

    @contextmanager
    def lend_any(self) -> Iterator[pygithub.Github]:
        """See `Access`."""
        known = next(iter(list(self._pools)), None)
        if known is None:
            with self._integration() as integration:
                known = next((found.id for found in integration.get_installations()), None)
        if known is None:
            raise Unavailable("the GitHub App is installed nowhere yet; install it on a repository")
        with self._lend_installation(known) as client:
            yield client

    def identity(self) -> Identity:
        """See `Access`. An App acts as `slug[bot]`."""
        with self._integration() as integration:
            return Identity(f"{integration.get_app().slug}[bot]")

    def close(self) -> None:
        """See `Access`."""
        for pool in list(self._pools.values()):
            pool.close()

    @contextmanager
    def _lend_installation(self, installation: int) -> Iterator[pygithub.Github]:
        with self._lock:
            pool = self._pools.get(installation) or self._pools.setdefault(installation, self._open(installation))
        try:
            with pool.lend() as client:
                yield client
        except pygithub.GithubException as error:
            if error.status not in _FORGET_INSTALLATION:
                raise
            self._forget(installation)
            if error.status == 404:
                raise
            # One installation was removed; whether the App itself is dead shows when the next token is fetched.
            raise Unavailable(f"GitHub refused the token of installation {installation}; a new one is due") from error

    def _open(self, installation: int) -> _Pool:
        def fetch() -> tuple[str, float]:
            with self._integration() as integration:
                granted = integration.get_access_token(installation)
                return granted.token, granted.expires_at.timestamp()

        auth = _InstallationToken(fetch, self._clock)
        return _Pool(lambda: pygithub.Github(auth=auth, **self._server.options()))

    def _forget(self, installation: int) -> None:
        with self._lock:
            for name in [name for name, held in self._installations.items() if held == installation]:
                del self._installations[name]
            pool = self._pools.pop(installation, None)
        if pool is not None:
            pool.close()

    def _integration(self) -> pygithub.GithubIntegration:
        return pygithub.GithubIntegration(auth=self._auth, **self._server.options())
