"""The accounts people may sign in with: Slack's and GitHub's, where the settings name the apps for it."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from config.policy import Policy
from config.settings import Settings
from handlers.entry import Admitted, Doorkeeper
from integrations.github.sign_in import GitHubSignIn
from integrations.slack.api import Slack
from integrations.slack.sign_in import SlackSignIn


@dataclass(frozen=True)
class Attempt:
    """One way to an account and back, by somebody's browser, which alone holds the `secret`."""

    secret: str

    @property
    def state(self) -> str:
        """Comes back with the code, so that nobody can put theirs in another's hands."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """Comes back inside the ID token."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """Shown with the code; its hash was sent before (PKCE)."""
        return self._derived("verifier")

    def is_answered_by(self, state: str) -> bool:
        """Whether this state is that of the attempt."""
        return hmac.compare_digest(self.state.encode(), state.encode("utf-8", "replace"))

    def _derived(self, purpose: str) -> str:
        return hmac.new(self.secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Account:
    """One kind of account. `address` is where an attempt begins; `admit` says by the code who came back, and waits for the
    other side; `seal` changes with everything that decided who may come in."""

    title: str
    seal: str
    address: Callable[[Attempt], str]
    admit: Callable[[Attempt, str], Admitted]

    @classmethod
    def slack(cls, sign_in: SlackSignIn, seal: str, doorkeeper: Doorkeeper) -> Self:
        """Accounts of the Slack workspace."""
        return cls(
            "Slack",
            f"slack:{seal}",
            lambda attempt: sign_in.address(attempt.state, attempt.nonce),
            lambda attempt, code: doorkeeper.by_slack(sign_in.account(code, attempt.nonce)),
        )

    @classmethod
    def github(cls, sign_in: GitHubSignIn, seal: str, doorkeeper: Doorkeeper) -> Self:
        """Accounts of GitHub."""
        return cls(
            "GitHub",
            f"github:{seal}",
            lambda attempt: sign_in.address(attempt.state, attempt.verifier),
            lambda attempt, code: doorkeeper.by_github(sign_in.account(code, attempt.verifier)),
        )


def accounts_of(
    settings: Settings, policy: Policy, slack: Slack, is_admin: Callable[[str], bool]
) -> Mapping[str, Account]:
    """Those that the settings allow, by their part of the address. `is_admin` is the rule of `/vigil admin`."""
    found: dict[str, Account] = {}
    doorkeeper = Doorkeeper(slack, policy, is_admin)
    rules = f"{sorted(policy.people.items())!r}:{sorted(policy.admins)!r}"
    if app := settings.slack_sign_in:
        redirect = f"{settings.public_url}/sign-in/slack/done"
        by_slack = SlackSignIn(app.client_id, app.client_secret, redirect, api_url=settings.slack_api_url)
        found["slack"] = Account.slack(by_slack, f"{app.client_secret}:{rules}", doorkeeper)
    if app := settings.github_sign_in:
        redirect = f"{settings.public_url}/sign-in/github/done"
        by_github = GitHubSignIn(app.client_id, app.client_secret, redirect, api_url=settings.github_api_url)
        found["github"] = Account.github(by_github, f"{app.client_secret}:{rules}", doorkeeper)
    return found
