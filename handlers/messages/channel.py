"""What is said in a pull request's channel, from the summary to the closing message."""

from collections.abc import Mapping
from datetime import timedelta

from handlers.messages.text import (
    LONGEST_ALT,
    LONGEST_HEADER,
    Block,
    People,
    code,
    context,
    escaped,
    facts,
    header,
    link_button,
    link_to,
    name,
    names,
    reference,
    section,
    titled,
)
from handlers.reminders import humane, ordinal
from handlers.turns import Reason, Turn
from integrations.github.api import Person, PullRequest
from integrations.slack.api import Message

_ASKED: Mapping[Reason, str] = {
    "closed": "Nothing is left to do.",
    "draft": "Finish the draft and mark it ready for review.",
    "changes_requested": "Changes were requested: push them, or ask for another review.",
    "review_requested": "A review is requested.",
    "pushed": "There was a push since you asked for changes: please look again.",
    "approved": "It is approved and nobody is pending: merge it.",
    "commented": "It was reviewed without a verdict: answer, or ask for a review.",
    "nobody_asked": "Nobody was asked for a review: ask somebody.",
}

NOBODY = "Nobody can be asked: there is no author or assignee with an account."


def channel_topic(pull_request: PullRequest) -> str:
    """The channel's topic: which pull request, and its title; at most 250 characters."""
    return escaped(f"{pull_request.ref}: {pull_request.title}", LONGEST_ALT)


def channel_purpose(pull_request: PullRequest) -> str:
    """The channel's purpose. It holds the pull request's address as a word of its own: a channel that was created in
    the moment of a crash is recognised by it."""
    return escaped(f"Vigil watches {pull_request.url} here.", LONGEST_ALT)


def names_pull_request(purpose: str, url: str) -> bool:
    """Whether a channel's purpose is `channel_purpose` of the pull request at `url` (and not of number 420 for 42)."""
    return escaped(url, LONGEST_ALT) in (word.strip("<>") for word in purpose.split())


def bookmark_title(pull_request: PullRequest) -> str:
    """What the bookmark is called."""
    return f"Pull request {reference(pull_request.ref)}"


def summary(pull_request: PullRequest, turn: Turn, people: People) -> Message:
    """The first message: what this is about and whose move it is."""
    blocks = [
        header(titled(pull_request, LONGEST_HEADER)),
        facts(
            {
                "Pull request": reference(pull_request.ref) + (" (draft)" if pull_request.draft else ""),
                "Author": name(pull_request.author, people),
                "Branches": f"{code(pull_request.head_ref)} into {code(pull_request.base_ref)}",
                "Size": _size(pull_request),
                "Reviewers": names(pull_request.reviewers, pull_request.teams, people) or "nobody was asked yet",
                "Assignees": names(pull_request.assignees, (), people) or "nobody",
            }
        ),
        section(_whose_move(turn, people)),
        link_button("Open on GitHub", pull_request.url),
    ]
    return Message(f"{reference(pull_request.ref)}: {titled(pull_request)}", tuple(blocks))


def reminder(pull_request: PullRequest, turn: Turn, people: People, number: int, waiting: timedelta) -> Message:
    """The `number`-th reminder to whoever's move it has been for `waiting`."""
    count = f"{ordinal(number)} reminder, waiting {humane(waiting)}"
    blocks: list[Block] = [
        section(f"*{count}*: {link_to(pull_request)}"),
        section(_whose_move(turn, people)),
        context(f"This is reminder {number} about {reference(pull_request.ref)}."),
    ]
    who = names(turn.who, turn.teams, people)
    plain = f"{count}: {titled(pull_request)}" + (f": {who}" if who else "") + f" (reminder {number})"
    return Message(plain, tuple(blocks))


def closed(pull_request: PullRequest, by: Person | None, people: People) -> Message:
    """The last message: merged or closed, and by whom where GitHub said so."""
    what = "merged" if pull_request.merged else "closed without merging"
    text = f"{link_to(pull_request)} was *{what}*" + (f" by {name(by, people)}" if by else "") + "."
    return Message(
        f"{reference(pull_request.ref)} was {what}",
        (section(text), context("This channel will be archived. Thank you.")),
    )


def gone(pull_request: PullRequest) -> Message:
    """The last message when GitHub shows the pull request to us no longer (404, or access was withdrawn)."""
    text = f"GitHub no longer shows {link_to(pull_request)} to Vigil: it was deleted, or access was withdrawn."
    return Message(
        f"{reference(pull_request.ref)} is no longer watched",
        (section(text), context("It is no longer watched, and this channel will be archived.")),
    )


def reopened(pull_request: PullRequest, turn: Turn, people: People) -> Message:
    """Said when a pull request is reopened before its channel was archived."""
    return _news(pull_request, "was *reopened*. Reminders start afresh.", "was reopened", turn, people)


def resumed(pull_request: PullRequest, turn: Turn, people: People) -> Message:
    """Said when a draft becomes ready for review again."""
    return _news(pull_request, "is *ready for review*. Reminders start afresh.", "is ready for review", turn, people)


def paused(pull_request: PullRequest) -> Message:
    """Said when a pull request is turned back into a draft."""
    text = f"{link_to(pull_request)} is a *draft* again. Nobody is reminded until it is ready for review."
    return Message(f"{reference(pull_request.ref)} is a draft again", (section(text),))


def _news(pull_request: PullRequest, news: str, plain: str, turn: Turn, people: People) -> Message:
    blocks = (section(f"{link_to(pull_request)} {news}"), section(_whose_move(turn, people)))
    return Message(f"{reference(pull_request.ref)} {plain}", blocks)


def _whose_move(turn: Turn, people: People) -> str:
    who = names(turn.who, turn.teams, people)
    if who:
        return f"It is the move of {who}. {_ASKED[turn.reason]}"
    return _ASKED["closed"] if turn.reason == "closed" else NOBODY


def _size(pull_request: PullRequest) -> str:
    if pull_request.additions is None or pull_request.deletions is None:
        return "unknown"
    size = f"+{pull_request.additions} -{pull_request.deletions}"
    if pull_request.changed_files is None:
        return size
    return size + f" in {pull_request.changed_files} " + ("file" if pull_request.changed_files == 1 else "files")
