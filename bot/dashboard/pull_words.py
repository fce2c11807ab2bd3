"""The story of a watch in sentences, from its log. Pure; what comes from outside is text, and escaped where it is shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.dashboard.board_words import people_said, why_said
from handlers.watch_log import Happening

_SLACK = "slack:"
_DONE = {
    "opened": "opened it",
    "reopened": "reopened it",
    "closed": "closed it",
    "edited": "edited its title or text",
    "synchronize": "pushed to it",
    "ready_for_review": "marked it ready for review",
    "converted_to_draft": "turned it back into a draft",
    "assigned": "assigned somebody",
    "unassigned": "took somebody off",
    "labeled": "put a label on it",
    "unlabeled": "took a label off",
    "review_requested": "asked for a review",
    "review_request_removed": "withdrew a request for review",
    "submitted": "reviewed it",
    "dismissed": "dismissed a review",
}
_VERDICTS = {"approved": "approved", "changes_requested": "asks for changes", "commented": "no verdict"}
_POSTED = {
    "summary": "The summary was posted",
    "paused": "It was said that this is a draft again",
    "resumed": "It was said that this is ready for review",
    "reopened": "It was said that this was reopened",
    "closed": "The closing message was posted",
    "gone": "It was said that GitHub no longer shows this",
}


@dataclass(frozen=True)
class Said:
    """One happening as people read it. `moment` is a time it speaks of, shown after `text`; `tone` is "" or a class."""

    at: datetime
    kind: str
    text: str
    detail: str = ""
    moment: datetime | None = None
    tone: str = ""


def said(happening: Happening, logins: Mapping[str, str]) -> Said:
    """A happening in words. `logins` are GitHub's names of people by their Slack user ids."""
    text, detail, moment = _SENTENCES[happening.kind](happening.facts, logins)
    tone = {"note": "warn", "reminded": "on", "asked": "on", "ended": "on"}.get(happening.kind, "")
    return Said(happening.at, happening.kind, text, detail, moment, tone)


Sentence = tuple[str, str, datetime | None]
Facts = Mapping[str, Any]


def _begun(facts: Facts, _: Mapping[str, str]) -> Sentence:
    return "The watch began", f"GitHub told of it: {str(facts.get('action', '')).replace('_', ' ')}", None


def _heard(facts: Facts, _: Mapping[str, str]) -> Sentence:
    action = str(facts.get("action", ""))
    did = _DONE.get(action, f"did something GitHub calls {action.replace('_', ' ')}")
    if facts.get("about"):
        did += f": {facts['about']}"
    if facts.get("review"):
        did += f": {_VERDICTS.get(facts['review'], str(facts['review']))}"
    return f"{facts.get('by') or 'Somebody'} {did}", f"delivery {facts.get('id', '')}", None


def _turn(facts: Facts, _: Mapping[str, str]) -> Sentence:
    people = (*facts.get("who", ()), *(f"@{team}" for team in facts.get("teams", ())))
    why = why_said(str(facts.get("reason", "")))
    return (f"It became the turn of {people_said(people)}" if people else "It became nobody's turn"), why, None


def _channel(facts: Facts, _: Mapping[str, str]) -> Sentence:
    return f"The channel {facts.get('name', '')} was opened", "", None


def _invited(facts: Facts, _: Mapping[str, str]) -> Sentence:
    people = facts.get("who", ())
    return f"{', '.join(people)} {'was' if len(people) == 1 else 'were'} invited", "", None


def _posted(facts: Facts, _: Mapping[str, str]) -> Sentence:
    return _POSTED.get(str(facts.get("what")), "A message was posted"), "", None


def _reminded(facts: Facts, _: Mapping[str, str]) -> Sentence:
    first, last = facts.get("first"), facts.get("last")
    if first == last:
        return f"Reminder {last} was posted", "", None
    return f"Reminders {first} to {last} were posted, from", "", facts.get("since")


def _timer(facts: Facts, _: Mapping[str, str]) -> Sentence:
    what = "The next look at GitHub" if facts.get("what") == "look" else "The next reminder"
    return f"{what} was set for", "", facts.get("until")


def _asked(facts: Facts, logins: Mapping[str, str]) -> Sentence:
    who = asker(str(facts.get("by", "")), logins)
    match facts.get("what"):
        case "snooze":
            return f"{who} asked for quiet until", "", facts.get("until")
        case "wake":
            return f"{who} ended the quiet", "", None
        case _:
            return f"{who} asked for a reminder now", "", None


def _note(facts: Facts, _: Mapping[str, str]) -> Sentence:
    return "Something had to be done without", str(facts.get("text", "")), None


def _archived(_: Facts, __: Mapping[str, str]) -> Sentence:
    return "The channel was archived", "", None


def _ended(facts: Facts, _: Mapping[str, str]) -> Sentence:
    return f"The watch ended: {facts.get('outcome', '')}", "", None


def asker(by: str, logins: Mapping[str, str]) -> str:
    """Who asked: a name of the dashboard's, or somebody in Slack by their login where it is known."""
    if not by.startswith(_SLACK):
        return by or "Somebody"
    user = by.removeprefix(_SLACK)
    return f"{logins.get(user, user)} (in Slack)"


_SENTENCES: Mapping[str, Callable[[Facts, Mapping[str, str]], Sentence]] = {
    "begun": _begun,
    "heard": _heard,
    "turn": _turn,
    "channel": _channel,
    "invited": _invited,
    "posted": _posted,
    "reminded": _reminded,
    "timer": _timer,
    "asked": _asked,
    "note": _note,
    "archived": _archived,
    "ended": _ended,
}
