"""One call, or all pages of one, to Slack's Web API through slack_sdk, within a time limit and without repeats."""

import logging
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from integrations.slack.api import SlackError, Uncertain, Unreachable
from integrations.slack.errors import failure, refusal

# slack_sdk logs what it raises, and its DEBUG lines hold whole messages: the caller's errors say it once.
_SILENT = logging.getLogger("integrations.slack.web_client")
_SILENT.setLevel(logging.CRITICAL)

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What Slack answered: `data` as documented for the method, `headers` with lower-case names."""

    data: Mapping[str, Any]
    headers: Mapping[str, str]


class Calls:
    """Calls in the name of one bot token. Thread-safe: each call has a WebClient of its own, since slack_sdk keeps the
    time limit in the client and not in the call (ADR 0020)."""

    def __init__(self, token: str, base_url: str, monotonic: Callable[[], float]) -> None:
        self._token = token
        self._base_url = base_url
        self.monotonic = monotonic
        # Loading the system's certificates takes 30 ms; without this every call would, over plain HTTP too.
        is_encrypted = base_url.startswith("https:")
        self._ssl = ssl.create_default_context() if is_encrypted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def ask(
        self,
        method: str,
        send: Callable[[WebClient], SlackResponse],
        read: Callable[[Answer], T],
        timeout: float,
    ) -> T:
        """Make one call and read its answer. An answer that `read` cannot make sense of is `Uncertain`."""
        if timeout <= 0:
            raise Unreachable(f"{method}: no time left to call; nothing was sent")
        try:
            response = send(self._web_client(timeout))
            headers = {name.lower(): value for name, value in response.headers.items()}
            return read(Answer(_object(response.data), headers))
        except SlackApiError as error:
            raise refusal(method, error) from error
        except SlackError:
            raise
        except Exception as error:  # api.Slack promises its own errors, whatever a library raises
            raise failure(method, error) from error

    def pages(
        self,
        method: str,
        send: Callable[[WebClient, str | None], SlackResponse],
        read: Callable[[Answer], T],
        timeout: float,
    ) -> Iterator[T]:
        """Each page in turn, to the last; `timeout` is for all of them together. `send` is given the cursor."""
        until = self.monotonic() + timeout
        cursor: str | None = None
        while True:
            left = until - self.monotonic()
            if left <= 0:
                raise Uncertain(f"{method}: more pages than could be read in {timeout:g} s", timed_out=True)
            page, cursor = self.ask(method, _at(cursor, send), lambda answer: (read(answer), _next(answer)), left)
            yield page
            if not cursor:
                return

    def _web_client(self, timeout: float) -> WebClient:
        web = WebClient(
            token=self._token,
            base_url=self._base_url,
            timeout=cast("int", timeout),  # urllib takes fractions of a second too; only the annotation says int
            ssl=self._ssl,
            retry_handlers=[],  # the default one repeats a post whose answer was lost
            logger=_SILENT,
        )
        # slack_sdk takes HTTPS_PROXY and never reads NO_PROXY; urllib underneath honours both.
        web.proxy = None
        return web


def nothing(_answer: Answer) -> None:
    """Read nothing from the answer: that it came is enough."""


def _object(data: object) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise TypeError(f"the answer should be an object and is {type(data).__name__}")
    return data


def _at(
    cursor: str | None, send: Callable[[WebClient, str | None], SlackResponse]
) -> Callable[[WebClient], SlackResponse]:
    return lambda web: send(web, cursor)


def _next(answer: Answer) -> str | None:
    cursor = (answer.data.get("response_metadata") or {}).get("next_cursor")
    return cursor if isinstance(cursor, str) and cursor else None
