"""Who the bot is in Slack, and who people are."""

from integrations.slack.api import Identity, Refused
from integrations.slack.calls import Answer, Calls


class People(Calls):
    """The part of `integrations.slack.api.Slack` that is about accounts."""

    def identity(self, *, timeout: float = 10) -> Identity:
        """See `Slack`. Asked once, and again after any call found the token dead."""
        known = self.known_identity
        if known is None:
            known = self.ask("auth.test", lambda web: web.auth_test(), _identity, timeout)
            self.known_identity = known
        return known

    def user_by_email(self, email: str, *, timeout: float = 10) -> str | None:
        """See `Slack`."""
        address = email.strip().lower()
        try:
            return self.ask(
                "users.lookupByEmail",
                lambda web: web.users_lookupByEmail(email=address),
                lambda answer: str(answer.data["user"]["id"]),
                timeout,
            )
        except Refused as refused:
            if refused.code == "users_not_found":
                return None
            raise

    def is_workspace_admin(self, user_id: str, *, timeout: float = 10) -> bool:
        """See `Slack`. Somebody who is not there administers nothing."""
        try:
            return self.ask("users.info", lambda web: web.users_info(user=user_id), _is_admin, timeout)
        except Refused as refused:
            if refused.code in ("user_not_found", "user_not_visible"):
                return False
            raise


def _is_admin(answer: Answer) -> bool:
    user = answer.data["user"]
    return user.get("deleted") is not True and (user.get("is_admin") is True or user.get("is_owner") is True)


def _identity(answer: Answer) -> Identity:
    scopes = answer.headers.get("x-oauth-scopes", "")
    return Identity(
        user_id=str(answer.data["user_id"]),
        bot_id=str(answer.data.get("bot_id") or ""),
        team=str(answer.data.get("team") or ""),
        team_id=str(answer.data["team_id"]),
        url=str(answer.data.get("url") or ""),
        scopes=tuple(scope.strip() for scope in scopes.split(",") if scope.strip()),
    )
