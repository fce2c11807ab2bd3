"""GitHub as Vigil sees it, over PyGithub: reads only, every failure in our own words, no sleeping and no repeating."""

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self
from urllib.parse import quote

import github as pygithub

from integrations.github import payload
from integrations.github.access import Access, AppAccess, Server, TokenAccess
from integrations.github.api import GitHubError, Identity, NotFound, PullRequest, PullRequestRef
from integrations.github.errors import translate

_PAGE = 100


class GitHubClient:
    """The real `integrations.github.api.GitHub`. Any number of threads may use one."""

    def __init__(self, access: Access, *, clock: Callable[[], float] = time.time) -> None:
        """Use `with_token` or `with_app`. `clock` gives seconds since 1970, against which GitHub's resets count."""
        self._access = access
        self._clock = clock
        # At DEBUG PyGithub logs whole answers, and the answer to a token request is a token.
        logging.getLogger("github.Requester").setLevel(logging.INFO)

    @classmethod
    def with_token(
        cls,
        token: str,
        *,
        base_url: str = "https://api.github.com",
        timeout: int = 10,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Read with a personal access token. `timeout` (seconds) is for each request. Raises ValueError."""
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            # `requests` would show the whole header in its error.
            raise ValueError("GITHUB_TOKEN should be printable ASCII without spaces; copy it again")
        return cls(TokenAccess(token, Server(base_url, timeout)), clock=clock)

    @classmethod
    def with_app(
        cls,
        app_id: str,
        private_key: str,
        *,
        base_url: str = "https://api.github.com",
        timeout: int = 10,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Read as a GitHub App, with the token of each repository's installation. `private_key` is PEM text.
        `timeout` (seconds) is for each request. Raises ValueError for a key that is none."""
        return cls(AppAccess(app_id, private_key, Server(base_url, timeout), clock), clock=clock)

    def read_pull_request(self, ref: PullRequestRef) -> PullRequest:
        """See `GitHub`. Two requests for up to 100 reviews; one more where the repository's name has changed hands.

        The answer's `ref` carries the names of today.
        """
        with self._asking(f"reading {ref}"), self._access.lend(ref.owner, ref.repo) as client:
            pull = _find(client, ref)
            reviews = tuple(payload.review(item.raw_data) for item in pull.get_reviews())
            return payload.pull_request(pull.raw_data, reviews)

    def open_pull_requests(self, owner: str, repo: str) -> tuple[PullRequest, ...]:
        """See `GitHub`. One request for each 100; PyGithub's own list would take one more for each of them."""
        path = f"/repos/{quote(owner, safe='')}/{quote(repo, safe='')}/pulls"
        found: list[PullRequest] = []
        with self._asking(f"listing {owner}/{repo}"), self._access.lend(owner, repo) as client:
            for page in itertools.count(1):
                asked = {"state": "open", "per_page": _PAGE, "page": page}
                _, listed = client.requester.requestJsonAndCheck("GET", path, parameters=asked)
                found += map(payload.pull_request, listed)
                if len(listed) < _PAGE:
                    break
        return tuple(found)

    def public_email(self, login: str) -> str | None:
        """See `GitHub`. Somebody who has no account any more shows no address."""
        try:
            with self._asking(f"looking up {login}"), self._access.lend_any() as client:
                return client.get_user(login).email or None
        except NotFound:
            return None

    def identity(self) -> Identity:
        """See `GitHub`."""
        with self._asking("asking who we are"):
            return self._access.identity()

    def close(self) -> None:
        """Close the idle connections; the client may still be used."""
        self._access.close()

    @contextmanager
    def _asking(self, doing: str) -> Iterator[None]:
        try:
            yield
        except GitHubError:
            raise
        except Exception as error:  # api.GitHub promises its own errors, whatever a library raises
            raise translate(doing, error, self._clock()) from error


def _find(client: pygithub.Github, ref: PullRequestRef) -> "pygithub.PullRequest.PullRequest":
    """The pull request by its repository's name, which GitHub redirects after a rename; by id when the name is gone or
    belongs to another repository by now."""
    by_name = f"{quote(ref.owner, safe='')}/{quote(ref.repo, safe='')}"
    try:
        pull = client.get_repo(by_name).get_pull(ref.number).complete()
        if ref.repository_id in (0, payload.pull_request(pull.raw_data).ref.repository_id):
            return pull
    except pygithub.GithubException as error:
        if error.status != 404 or ref.repository_id == 0:
            raise
    return client.get_repo(ref.repository_id).get_pull(ref.number).complete()
