"""Ask a person; when no answer comes within a day, ask the next one. Each is asked once, wherever a crash falls.

    python -m bot workflow run approval '{"what": "Pay 300 EUR?", "ask": ["URL of Ada", "URL of Grace"]}' --id bill:7
    python -m bot workflow signal bill:7 approve '"Ada"' --key click-1

A person's address takes messages as `{"text": …, "key": …}` and lists those of a key that it has for `GET ?key=`.
"""

from datetime import timedelta
from typing import TypedDict

import requests

from durable import Found, activity, info, receive, workflow

TIME_TO_ANSWER = timedelta(days=1)


class Request(TypedDict):
    """What is to be decided, and the addresses of those to `ask`, one after the other."""

    what: str
    ask: list[str]


def find_message(address: str, text: str) -> Found[None] | None:
    """Look for a message that may have been sent. Its key is the same on every attempt and no other message's."""
    del text
    found = requests.get(address, params={"key": info().key}, timeout=info().timeout)
    found.raise_for_status()
    return Found(None) if found.json() else None


@activity(verify=find_message)
def tell(address: str, text: str) -> None:
    """A message that nobody wants twice."""
    requests.post(address, json={"text": text, "key": info().key}, timeout=info().timeout).raise_for_status()


@workflow
def approval(request: Request) -> str:
    """The first answer, whoever gives it. Answer or time-out is decided once, also when both come at one moment."""
    for address in request["ask"]:
        tell(address, f"{request['what']} Please approve or reject.")
        if decision := receive("approve", "reject", timeout=TIME_TO_ANSWER):
            return f"{decision.name} by {decision.payload}"
    return "nobody answered"
