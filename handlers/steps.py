"""Pieces of the watch that several phases share. They call activities, so they run inside the workflow alone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from durable import ActivityFailed, now
from handlers.effects_slack import delete_message, invite, post_message
from handlers.messages import channel as words
from handlers.people import slack_user_of
from handlers.records.samples import note_reminder
from handlers.watch_state import Guest, Watch
from integrations.github.api import Person
from integrations.slack.api import Message

GUESTS_A_WAKE = 8
"""Each costs two entries of history, and no wake may need fifty."""


def say(state: Watch, what: str, message: Message) -> Watch:
    """Post in the channel what the log calls `what`."""
    return _posted(state, message).telling(now(), "posted", what=what)


def _posted(state: Watch, message: Message) -> Watch:
    return replace(state, last_message=post_message(state.channel, message, state.last_message))


def remind(state: Watch, due_at: datetime) -> Watch:
    """Post the next reminder as a new message, so that it notifies, and take the one before it away. The record comes
    last: a run that an earlier release began has no step for it."""
    number = state.reminders_sent + 1
    waiting = now() - (state.waiting_since or now())
    message = words.reminder(state.pull_request, state.whose, state.accounts, number, waiting)
    state = _posted(state, message)
    at, posted = now(), state.last_message or ""
    state = state.telling(at, "reminded", first=number, last=number, since=at)
    reminded = replace(remove_reminder(state), reminder=posted, reminders_sent=number)
    note_reminder(state.workflow_id, posted, number, due_at, at)
    return reminded


def remove_reminder(state: Watch) -> Watch:
    """Delete the one live reminder, if there is one."""
    reminder = state.reminder
    if reminder is None:
        return state
    return replace(attempt(state, "delete", lambda: delete_message(state.channel, reminder)), reminder=None)


def greet(state: Watch) -> Watch:
    """Invite those who take part and were not asked in yet, a few at a time. Whoever cannot be invited is noted and
    costs nobody else the invitation."""
    for person in state.strangers()[:GUESTS_A_WAKE]:
        state = _welcome(state, person)
    return state


def _welcome(state: Watch, person: Person) -> Watch:
    try:
        user_id = slack_user_of(person.login)
    except ActivityFailed as failure:
        user_id = None
        state = state.noting(now(), f"{person.login}: {failure.message}")
    state = replace(state, people=(*state.people, Guest(person.login, user_id)))
    if user_id is None:
        return state
    try:
        refusal = "cannot be invited" if invite(state.channel, user_id) == "impossible" else ""
    except ActivityFailed as failure:
        if is_lost(failure):
            raise
        refusal = failure.message
    if refusal:
        return state.noting(now(), f"{person.login}: {refusal}")
    return state.telling(now(), "invited", who=[person.login])


def attempt(state: Watch, what: str, effect: Callable[[], Any]) -> Watch:
    """Do what the watch can do without: a refusal becomes a note. A lost channel is no refusal and goes up."""
    try:
        effect()
    except ActivityFailed as failure:
        if is_lost(failure):
            raise
        return state.noting(now(), f"{what}: {failure.message}")
    return state


def is_lost(failure: ActivityFailed) -> bool:
    """Whether the channel is archived or deleted, or the bot was removed from it."""
    return failure.error == "ChannelGone"


def why(failure: ActivityFailed) -> str:
    """The outcome that a failure for good leads to. Slack's word for it follows the method in the message."""
    slacks_word = failure.message.partition(": ")[2]
    match failure.error:
        case "ChannelGone":
            return f"channel lost: {slacks_word}"
        case "Refused" | "NameTaken":
            return f"refused: {slacks_word}"
        case "NotFound":
            return "gone"
        case "Forbidden":
            return "forbidden"
        case _:
            return f"failed: {failure.activity}: {failure.error}"
