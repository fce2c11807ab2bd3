"""The workflow of one pull request, from its first delivery to its archived channel.

Each run does one phase's work and ends by continuing as new with the state that it leads to, so the history never
holds more than one wake. `handlers.watch_state` says how states change; here is what is done and in which order.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import NoReturn

from durable import ActivityFailed, Signal, continue_as_new, now, random, receive, set_status, sleep, workflow
from handlers.asks import GITHUB, SIGNALS, SNOOZE, WAKE, ask_of
from handlers.effects_github import look
from handlers.effects_slack import add_bookmark, adopt_channel, archive, create_channel, set_purpose, set_topic
from handlers.messages import channel as words
from handlers.naming import channel_names
from handlers.records.pull_requests import hold_channel, note_outcome, register_pull_request
from handlers.steps import attempt, greet, is_lost, remind, remove_reminder, say, why
from handlers.watch_state import Outcome, Phase, Watch, begins_again, how_it_ended, may_begin, shown, wants_look
from integrations.github.api import PullRequestEvent, ReviewEvent

NAMES_A_RUN = 10
MOST_NAMES = 100
LAG_S = (1.0, 2.0, 4.0)
"""GitHub may not know yet what it has just told us of: pauses before a 404 of the first look is believed."""


@workflow
def watch_pull_request(state: Watch) -> Outcome:
    """Watch one pull request. It begins with `Watch(workflow_id, pull_request, action)` of a delivery; every delivery
    arrives as the signal `github`, what people ask of it as those of `handlers.asks`."""
    set_status(shown(state))
    if state.phase == "ended":
        return _end(state)
    try:
        _PHASES[state.phase](state)
    except ActivityFailed as failure:
        _go_on(state.ended(now(), why(failure)))


def _go_on(state: Watch) -> NoReturn:
    """End this run and begin the next with this state, which waits for all that this release knows."""
    continue_as_new(replace(state, signals=SIGNALS))


def _arrive(state: Watch) -> NoReturn:
    """Nothing is done on the word of a delivery alone: deliveries of one second come in any order."""
    registered = register_pull_request(state.workflow_id, state.pull_request)
    if registered.workflow_id != state.workflow_id:
        _go_on(state.ended(now(), f"watched by {registered.workflow_id}"))
    if not may_begin(state.action, state.pull_request, registered.outcome, known=not registered.is_new):
        _go_on(state.ended(now(), registered.outcome or how_it_ended(state.pull_request)))
    if registered.outcome is not None:
        note_outcome(state.workflow_id, None)
    state = _first_look(state.begun(now()))
    if state.over:
        _go_on(state.ended(now(), how_it_ended(state.pull_request)))
    if state.pull_request.draft and state.rules.wait_for_drafts:
        _go_on(replace(state, phase="waiting").reckoned(now()).scheduled(now(), random()))
    _go_on(replace(state, phase="opening", next_reminder_at=None, turn=None))


def _first_look(state: Watch) -> Watch:
    for pause in LAG_S:
        try:
            return state.seeing(look(state.pull_request.ref))
        except ActivityFailed as failure:
            if failure.error != "NotFound":
                raise
            sleep(pause)
    return state.seeing(look(state.pull_request.ref))


def _wait(state: Watch) -> NoReturn:
    """A draft without a channel. Should its `ready_for_review` be lost, we look once an interval."""
    signal = receive(*state.signals, until=state.next_reminder_at)
    if signal is None:
        _go_on(replace(state, phase="arriving"))
    if signal.name != GITHUB:
        _go_on(state)
    state = state.told_of(now(), signal.payload).hearing(signal.payload)
    if state.over or not state.pull_request.draft:
        _go_on(replace(state, phase="arriving"))
    _go_on(state)


def _open(state: Watch) -> NoReturn:
    """Create the channel under the first name that is free, or ours already. The records decide whose it is."""
    pull_request = state.pull_request
    names = channel_names(pull_request.ref, pull_request.title)
    for name in islice(names, state.names_tried, state.names_tried + NAMES_A_RUN):
        url = pull_request.url
        channel = create_channel(name, state.rules.private_channel, url) or adopt_channel(name, url)
        if channel and hold_channel(state.workflow_id, channel.id, channel.name):
            state = state.telling(now(), "channel", id=channel.id, name=channel.name)
            _go_on(replace(state, phase="furnishing", channel_id=channel.id, channel_name=channel.name, names_tried=0))
    tried = state.names_tried + NAMES_A_RUN
    if tried >= MOST_NAMES:
        _go_on(state.ended(now(), f"refused: none of {tried} channel names is free"))
    _go_on(replace(state, names_tried=tried))


def _furnish(state: Watch) -> NoReturn:
    """What a channel can do without, but should have."""
    pull_request, channel = state.pull_request, state.channel
    state = attempt(state, "purpose", lambda: set_purpose(channel, words.channel_purpose(pull_request)))
    state = attempt(state, "topic", lambda: set_topic(channel, words.channel_topic(pull_request)))
    title = words.bookmark_title(pull_request)
    state = attempt(state, "bookmark", lambda: add_bookmark(channel, title, pull_request.url))
    _go_on(replace(state, phase="greeting"))


def _greet(state: Watch) -> NoReturn:
    """Invite a few people at a time, then say what this is about. The first interval begins."""
    state = greet(state)
    if state.strangers():
        _go_on(state)
    state = state.reckoned(now())
    state = say(state, "summary", words.summary(state.pull_request, state.whose, state.accounts))
    _go_on(replace(state, phase="watching", waiting_since=now()).scheduled(now(), random()))


def _watch(state: Watch) -> NoReturn:
    """Wait for a delivery, the next reminder or what somebody asks. Before a reminder the pull request is read."""
    if state.strangers():
        _go_on(greet(state).reckoned(now()))
    was_draft, due_at = state.pull_request.draft, state.next_reminder_at
    signal = receive(*state.signals, until=due_at)
    if signal is not None and signal.name != GITHUB:
        state, due_at, signal = _heed(state, signal), now(), None
    try:
        state = state.seeing(look(state.pull_request.ref)) if signal is None else _hear(state, signal.payload)
    except ActivityFailed as failure:
        _say_goodbye(state, why(failure))
    if state.over:
        _say_goodbye(state, how_it_ended(state.pull_request))
    state = greet(state).reckoned(now())
    if state.pull_request.draft != was_draft:
        state = _turn_draft(state)
    elif signal is None:
        state = (state if state.pull_request.draft else remind(state, due_at or now())).scheduled(now(), random())
    _go_on(state)


def _heed(state: Watch, signal: Signal) -> Watch:
    """Note what somebody asks. To be quiet, and to be so no longer, ends the wake; a reminder is posted as if it were
    due. A draft is quiet as it is."""
    ask = ask_of(signal)
    state = state.telling(now(), "asked", what=signal.name, by=ask.by, until=ask.until)
    if signal.name in (SNOOZE, WAKE) and state.pull_request.draft:
        _go_on(state)
    if signal.name == SNOOZE:
        _go_on(state.snoozed(now(), ask))
    if signal.name == WAKE:
        _go_on(state.woken(now(), random()))
    return state


def _hear(state: Watch, event: PullRequestEvent | ReviewEvent) -> Watch:
    """Take in a delivery, and look where it alone does not tell."""
    heard = state.told_of(now(), event).hearing(event)
    return heard.seeing(look(heard.pull_request.ref)) if wants_look(state.pull_request, event) else heard


def _turn_draft(state: Watch) -> Watch:
    """A draft is nobody's move; once it is ready the waiting begins anew."""
    if state.pull_request.draft:
        state = remove_reminder(say(state, "paused", words.paused(state.pull_request)))
    else:
        state = say(state, "resumed", words.resumed(state.pull_request, state.whose, state.accounts))
    return replace(state, waiting_since=now()).scheduled(now(), random())


def _say_goodbye(state: Watch, outcome: str) -> NoReturn:
    """The last message. A channel that somebody archived before us needs none."""
    what, message = (
        ("closed", words.closed(state.pull_request, state.closed_by, state.accounts))
        if state.over
        else ("gone", words.gone(state.pull_request))
    )
    state = replace(state, outcome=outcome, next_reminder_at=None)
    try:
        state = remove_reminder(say(state, what, message))
    except ActivityFailed as failure:
        if is_lost(failure):
            _go_on(state.ended(now(), outcome))
        state = state.noting(now(), f"closing message: {failure.message}")
    _go_on(replace(state, phase="closing", archive_at=now() + state.rules.archive_after))


def _close(state: Watch) -> NoReturn:
    """Archive after the delay, unless it is reopened before."""
    outcome = state.outcome or how_it_ended(state.pull_request)
    signal = receive(*state.signals, until=state.archive_at)
    if signal is None:
        with suppress(ActivityFailed):  # a lost channel is archived or out of reach: nothing is left to do
            state = attempt(state, "archive", lambda: archive(state.channel)).telling(now(), "archived")
        _go_on(state.ended(now(), outcome))
    if signal.name != GITHUB or not state.over:
        _go_on(state)  # it ends because GitHub shows it to us no longer; a late delivery changes nothing
    try:
        state = _hear(state, signal.payload)
    except ActivityFailed as failure:
        _go_on(state.noting(now(), f"look: {failure.message}"))
    if state.over:
        _go_on(state)
    state = replace(state, phase="watching", outcome=None, archive_at=None, reminders_sent=0).reckoned(now())
    state = say(state, "reopened", words.reopened(state.pull_request, state.whose, state.accounts))
    _go_on(replace(state, waiting_since=now()).scheduled(now(), random()))


def _end(state: Watch) -> Outcome:
    """Note how it ended, then see what came in the meantime: a reopening begins anew, with a channel of its own."""
    outcome = state.outcome or how_it_ended(state.pull_request)
    note_outcome(state.workflow_id, outcome)
    signal = receive(*state.signals, timeout=0)
    if signal is None:
        return Outcome(outcome, state.channel_id, state.reminders_sent)
    if signal.name != GITHUB:
        _go_on(state)
    event: PullRequestEvent | ReviewEvent = signal.payload
    if begins_again(state, event):
        _go_on(Watch(state.workflow_id, event.pull_request, event.action, log=state.log))
    _go_on(state)


_PHASES: dict[Phase, Callable[[Watch], NoReturn]] = {
    "arriving": _arrive,
    "waiting": _wait,
    "opening": _open,
    "furnishing": _furnish,
    "greeting": _greet,
    "watching": _watch,
    "closing": _close,
}
