"""Who may come in to the dashboard by an account of theirs, and as what."""

from collections.abc import Callable
from dataclasses import dataclass

from config.policy import Policy
from handlers.commands import AdminUnknown
from integrations.github.api import Account as GitHubAccount
from integrations.slack.api import Account as SlackAccount
from integrations.slack.api import Slack


class NotLetIn(Exception):
    """This account opens nothing. Its text says why, and what to do about it."""


@dataclass(frozen=True)
class Admitted:
    """Somebody who is let in, and whether they may change things. `name` tells them apart from everybody else."""

    name: str
    is_admin: bool


class Doorkeeper:
    """Decides by the policy and by Slack. `is_admin` says whether a Slack user id may use `/vigil admin`."""

    def __init__(self, slack: Slack, policy: Policy, is_admin: Callable[[str], bool]) -> None:
        self._slack = slack
        self._policy = policy
        self._is_admin = is_admin

    def by_slack(self, account: SlackAccount) -> Admitted:
        """Members of our own workspace come in. Raises `NotLetIn` for everybody else, and `SlackError`."""
        ours = self._slack.identity()
        if account.team_id != ours.team_id:
            raise NotLetIn(
                f"This account belongs to another Slack workspace. Sign in with one of {ours.team or 'ours'}; "
                "Slack lets you choose the workspace."
            )
        if not self._slack.is_full_member(account.user_id):
            raise NotLetIn("Guests of the Slack workspace are not let in. Ask whoever runs Vigil for a viewer's token.")
        try:
            is_admin = self._is_admin(account.user_id)
        except AdminUnknown as problem:
            raise NotLetIn("Slack does not say whether you are an admin. Try again in a moment.") from problem
        return Admitted(f"{account.name} ({account.user_id} at Slack)", is_admin)

    def by_github(self, account: GitHubAccount) -> Admitted:
        """Who is in the policy's `people` comes in. Raises `NotLetIn` for everybody else, and `SlackError`."""
        slack = self._policy.person(account.login)
        if slack is None:
            raise NotLetIn(
                f"Nobody called {account.login} is known here. Ask whoever runs Vigil to add you to `people` in its "
                "policy file, and sign in again after its next start."
            )
        return Admitted(f"{account.login} at GitHub", self._is_listed(slack))

    def _is_listed(self, slack: str) -> bool:
        """Whether the policy's list of admins has this person, who is noted by Slack user id or by e-mail address."""
        if not self._policy.admins:
            return False
        user_id = self._slack.user_by_email(slack) if "@" in slack else slack
        return user_id in self._policy.admins
