"""Who the bot is in Slack, and who people are."""

from integrations.slack.api import Identity, Refused
from integrations.slack.calls import Answer, Calls

_NOBODY = frozenset({"users_not_found", "user_not_found", "user_not_visible", "invalid_arguments"})


class People(Calls):
    """The part of `integrations.slack.api.Slack` that is about accounts."""

    _remembered: Identity | None = None

    def identity(self, *, timeout: float = 10) -> Identity:
        """See `Slack`. Asked each time, so that it tells whether a dead token was mended."""
        self._remembered = self.ask("auth.test", lambda web: web.auth_test(), _identity, timeout)
        return self._remembered

    def own_identity(self, timeout: float) -> Identity:
        """Who we are, asked once: one token is one bot for as long as the process lives."""
        return self._remembered or self.identity(timeout=timeout)

    def user_by_email(self, email: str, *, timeout: float = 10) -> str | None:
        """See `Slack`. What is no address belongs to nobody."""
        address = email.strip().lower()
        if not address:
            return None
        try:
            return self.ask(
                "users.lookupByEmail",
                lambda web: web.users_lookupByEmail(email=address),
                lambda answer: str(answer.data["user"]["id"]),
                timeout,
            )
        except Refused as refused:
            if refused.code in _NOBODY:
                return None
            raise

    def is_workspace_admin(self, user_id: str, *, timeout: float = 10) -> bool:
        """See `Slack`. Somebody who is not there administers nothing."""
        try:
            return self.ask("users.info", lambda web: web.users_info(user=user_id), _is_admin, timeout)
        except Refused as refused:
            if refused.code in _NOBODY:
                return False
            raise

    def is_full_member(self, user_id: str, *, timeout: float = 10) -> bool:
        """See `Slack`. Somebody who is not there is no member."""
        try:
            return self.ask("users.info", lambda web: web.users_info(user=user_id), _is_full_member, timeout)
        except Refused as refused:
            if refused.code in _NOBODY:
                return False
            raise


def _is_full_member(answer: Answer) -> bool:
    """Guests are restricted, strangers come by a shared channel: https://docs.slack.dev/reference/objects/user-object."""
    user = answer.data["user"]
    not_one = ("deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger")
    return not any(user.get(mark) is True for mark in not_one)


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
