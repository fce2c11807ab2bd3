"""What people do on GitHub, as sentences over the stand-in's own REST interface."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from bot.demo import rest

Verdict = Literal["APPROVE", "REQUEST_CHANGES", "COMMENT"]

ADMIN = "acme-admin"
_branches = itertools.count(1)


class GitHubWorld:
    """The GitHub stand-in at `url`. People are logins of `standins/seed.json`; the default repository is `acme/api`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def open_pull_request(
        self,
        title: str = "Add a thing",
        *,
        repository: str = "acme/api",
        author: str = "octocat",
        draft: bool = False,
        reviewers: Sequence[str] = (),
        body: str | None = None,
        from_fork: bool = False,
    ) -> "PullRequest":
        """Open a pull request from a new branch (or from the author's fork) and request its reviewers."""
        branch = f"branch-{next(_branches)}"
        head = branch
        if from_fork:
            self.fork(repository, author)
            head = f"{author}:{branch}"
        opened = self.call(
            "POST",
            f"/repos/{repository}/pulls",
            {"title": title, "head": head, "base": "main", "draft": draft, "body": body},
            person=author,
        )
        pull_request = PullRequest(self, repository, opened["number"])
        for reviewer in reviewers:
            pull_request.request_review(reviewer)
        return pull_request

    def fork(self, repository: str, person: str) -> None:
        """Fork the repository for this person, unless there is a fork."""
        try:
            self.call("POST", f"/repos/{repository}/forks", {}, person=person)
        except rest.RestError as error:
            if error.status != 422:
                raise

    def create_repository(self, name: str, *, private: bool = False) -> str:
        """Create `acme/<name>` and return its full name. It has no hook yet: see `add_hook`."""
        made = self.call("POST", "/orgs/acme/repos", {"name": name, "private": private, "auto_init": True})
        full_name: str = made["full_name"]
        return full_name

    def add_hook(self, repository: str, url: str, secret: str) -> None:
        """Send the repository's deliveries to this address."""
        config = {"url": url, "secret": secret, "content_type": "json"}
        self.call("POST", f"/repos/{repository}/hooks", {"events": ["*"], "config": config})

    @contextmanager
    def deliveries_lost(self, repository: str = "acme/api") -> Iterator[None]:
        """Within this block the repository sends nothing, as if each delivery were lost on its way."""
        self._switch_hooks(repository, active=False)
        try:
            yield
        finally:
            self._switch_hooks(repository, active=True)

    def call(self, method: str, path: str, payload: Any = None, *, person: str = ADMIN) -> Any:
        """Any request of GitHub's REST interface, as this person."""
        return rest.call(method, f"{self.url}{path}", payload, headers={"Authorization": f"token token-of-{person}"})

    def _switch_hooks(self, repository: str, *, active: bool) -> None:
        for hook in self.call("GET", f"/repos/{repository}/hooks"):
            self.call("PATCH", f"/repos/{repository}/hooks/{hook['id']}", {"active": active})


class PullRequest:
    """One pull request of the stand-in, and what people do to it."""

    def __init__(self, world: GitHubWorld, repository: str, number: int) -> None:
        self._world = world
        self.repository = repository
        self.number = number

    def __str__(self) -> str:
        """As people write it: `acme/api#1`."""
        return f"{self.repository}#{self.number}"

    @property
    def state(self) -> dict[str, Any]:
        """All that GitHub's REST interface says of it now."""
        answer: dict[str, Any] = self._call("GET", "")
        return answer

    @property
    def url(self) -> str:
        """Its address for people."""
        address: str = self.state["html_url"]
        return address

    def repository_state(self) -> dict[str, Any]:
        """All that GitHub's REST interface says of its repository."""
        answer: dict[str, Any] = self._world.call("GET", f"/repos/{self.repository}")
        return answer

    def merge(self) -> None:
        """Merge it."""
        self._call("PUT", "/merge", {})

    def close(self) -> None:
        """Close it unmerged."""
        self._call("PATCH", "", {"state": "closed"})

    def reopen(self) -> None:
        """Open it again."""
        self._call("PATCH", "", {"state": "open"})

    def rename(self, title: str) -> None:
        """Give it another title."""
        self._call("PATCH", "", {"title": title})

    def set_draft(self, *, draft: bool) -> None:
        """Turn it into a draft or back. The stand-in sends no delivery for this: forge one."""
        self._call("PATCH", "", {"draft": draft})

    def request_review(self, reviewer: str) -> None:
        """Ask this person for a review."""
        self._call("POST", "/requested_reviewers", {"reviewers": [reviewer]})

    def withdraw_review_request(self, reviewer: str) -> None:
        """Ask no longer. The stand-in sends no delivery for this: forge one."""
        self._call("DELETE", "/requested_reviewers", {"reviewers": [reviewer]})

    def review(self, reviewer: str, verdict: Verdict, body: str = "Reviewed.") -> None:
        """Submit a review. As on GitHub, whoever reviewed is no longer asked to."""
        self.withdraw_review_request(reviewer)
        self._call("POST", "/reviews", {"event": verdict, "body": body}, person=reviewer)

    def _call(self, method: str, path: str, payload: Any = None, *, person: str = ADMIN) -> Any:
        return self._world.call(method, f"/repos/{self.repository}/pulls/{self.number}{path}", payload, person=person)
