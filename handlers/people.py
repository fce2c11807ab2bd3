"""Who somebody on GitHub is in Slack: by the policy file, then by their public e-mail address."""

from config.policy import Policy
from durable import info, resource
from handlers.outside import github, outward, slack
from integrations.github.api import Forbidden, NotFound


@outward()
def slack_user_of(login: str) -> str | None:
    """The Slack user id behind a GitHub login, or None: then they are named and not pinged."""
    noted = resource(Policy).person(login)
    address = noted if noted is not None else _public_email(login)
    if address is None or "@" not in address:
        return address
    return slack().user_by_email(address, timeout=info().timeout)


def _public_email(login: str) -> str | None:
    try:
        return github().public_email(login)
    except (NotFound, Forbidden):
        return None
