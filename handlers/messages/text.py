"""The grammar of Slack texts: escaping, cutting to limits, naming people, and the few blocks we build with.

Limits: docs.slack.dev/reference/block-kit/blocks. Escaping: docs.slack.dev/messaging/formatting-message-text.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from integrations.github.api import Person, PullRequest, PullRequestRef

Block = dict[str, Any]
People = Mapping[str, str | None]
"""GitHub login (lower case) to Slack user id, or None for somebody without a Slack account."""

LONGEST_SECTION = 3000
LONGEST_HEADER = 150
LONGEST_ALT = 250  # topic and purpose of a channel

MOST_NAMES = 30

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SLACK_USER = re.compile(r"[UW][A-Z0-9]{2,}")
_SPACE = re.compile(r"[\s\x00-\x1f]+")


def escaped(text: str, limit: int = LONGEST_SECTION) -> str:
    """`text` on one line, so that Slack shows it and obeys none of it, at most `limit` characters once escaped.
    What is too long ends in `…`; an entity is never cut in two."""
    sendable = text.encode("utf-8", "replace").decode("utf-8")
    pieces = [_ENTITIES.get(letter, letter) for letter in _SPACE.sub(" ", sendable).strip()]
    if sum(map(len, pieces)) <= limit:
        return "".join(pieces)
    kept: list[str] = []
    room = limit - 1
    for piece in pieces:
        if len(piece) > room:
            break
        kept.append(piece)
        room -= len(piece)
    return "".join(kept) + "…"


def code(text: str, limit: int = 200) -> str:
    """`text` in code style. A back-tick would end the style, so it becomes an apostrophe."""
    return f"`{escaped(text.replace('`', chr(39)), limit)}`"


def link(url: str, label: str) -> str:
    """A link whose text is escaped already. What would end the address is percent-encoded."""
    address = url.replace("|", "%7C").replace(" ", "%20").replace("<", "%3C").replace(">", "%3E").replace("&", "&amp;")
    return f"<{address}|{label}>"


def titled(pull_request: PullRequest, limit: int = 300) -> str:
    """The pull request's title, escaped; one that shows nothing gives way to `acme/api#42`."""
    return escaped(pull_request.title, limit) or escaped(str(pull_request.ref), limit)


def link_to(pull_request: PullRequest) -> str:
    """The pull request's title as a link to it."""
    return link(pull_request.url, titled(pull_request))


def reference(ref: PullRequestRef) -> str:
    """`acme/api#42`, escaped."""
    return escaped(str(ref), 300)


def name(person: Person | None, people: People) -> str:
    """A mention for somebody with a Slack account, which pings them; the bold login for others, which pings nobody."""
    if person is None:
        return "a deleted account"
    user = people.get(person.login.lower())
    if user is not None and _SLACK_USER.fullmatch(user):
        return f"<@{user}>"
    return f"*{escaped(person.login, 45)}*"


def names(persons: Iterable[Person], teams: Iterable[str], people: People) -> str:
    """People and teams in one sentence: `<@U1>, *octocat* and *@acme/core*`; empty when there is nobody. GitHub lets
    at most 15 review and 10 be assigned; should that grow, the rest is counted, so that the message is not refused."""
    parts = [name(person, people) for person in persons] + [f"*@{escaped(team, 60)}*" for team in teams]
    if len(parts) > MOST_NAMES:
        parts = [*parts[:MOST_NAMES], f"{len(parts) - MOST_NAMES} more"]
    if len(parts) <= 1:
        return "".join(parts)
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def mrkdwn(text: str) -> Block:
    """A text with Slack's formatting. `verbatim`: what looks like a name or an address in it links to nothing."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def section(text: str) -> Block:
    """A paragraph."""
    return {"type": "section", "text": mrkdwn(text)}


def context(text: str) -> Block:
    """Small print."""
    return {"type": "context", "elements": [mrkdwn(text)]}


def header(text: str) -> Block:
    """A heading of at most 150 characters, escaped already; no formatting works in it."""
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}


def facts(pairs: Mapping[str, str]) -> Block:
    """Facts side by side, at most ten; the values are escaped already."""
    return {"type": "section", "fields": [mrkdwn(f"*{label}*\n{value}") for label, value in pairs.items()]}


def link_button(label: str, url: str) -> Block:
    """A button that opens an address. `action_id` is its name in the interactions Slack sends, which need no answer."""
    text = {"type": "plain_text", "text": label, "emoji": False}
    return {"type": "actions", "elements": [{"type": "button", "action_id": "open_link", "text": text, "url": url}]}


def packed(lines: Sequence[str], budget: int) -> list[str]:
    """Lines joined into as few paragraphs as Slack takes, at most `budget` characters in all; what does not fit is
    counted. Slack refuses blocks of more than some 13,200 characters together (slackapi/bolt-js#2509)."""
    kept: list[str] = []
    for place, line in enumerate(lines):
        budget -= len(line) + 1
        if budget < 0:
            kept.append(f"… and {len(lines) - place} more")
            break
        kept.append(line)
    texts: list[str] = []
    for line in kept:
        if texts and len(texts[-1]) + 1 + len(line) <= LONGEST_SECTION:
            texts[-1] += "\n" + line
        else:
            texts.append(line)
    return texts
