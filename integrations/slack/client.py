"""Slack as Vigil sees it, over slack_sdk: every failure in our own words, no sleeping and no repeating.

Methods, arguments and answers: https://docs.slack.dev/reference/methods.
"""

import time
from collections.abc import Callable

from integrations.slack.channels import Channels
from integrations.slack.messages import Messages


class SlackClient(Channels, Messages):
    """The real `integrations.slack.api.Slack`. Any number of threads may use one."""

    def __init__(
        self,
        token: str,
        *,
        base_url: str = "https://slack.com/api/",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Speak with this bot token. `monotonic` (seconds) limits calls of many pages. Raises ValueError."""
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            # http.client would show the whole header in its error.
            raise ValueError("SLACK_BOT_TOKEN should be printable ASCII without spaces; copy it again")
        super().__init__(token, base_url, monotonic)
