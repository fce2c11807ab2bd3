"""What is posted in the digest channel: who is waited for, what is stale, what the week brought. Nobody is pinged."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from handlers.messages.text import context, escaped, facts, header, link, names, packed, section
from handlers.reminders import humane
from handlers.standings import Standing, Week, by_turn
from integrations.github.api import Person
from integrations.slack.api import Message

BUDGET = 10_000  # characters of a list
NOBODY = "nobody who can be asked"


def digest(standings: Sequence[Standing], now: datetime) -> Message:
    """The open pull requests by whose turn it is; `standings` begin with the longest wait."""
    groups = by_turn(standings)
    many = sum(map(len, groups))
    title = f"{_counted(many)} waiting" if many else "No pull request is waiting"
    lines = []
    for group in groups:
        first, *others = (_waiting(standing, now) for standing in group)
        lines += [f"*Waiting for* {_whose(group[0])}\n{first}", *others]
    drafts = len(standings) - many
    remark = (
        [context(f"Beside them {_counted(drafts)} {'is a draft' if drafts == 1 else 'are drafts'}.")] if drafts else []
    )
    return Message(title, (header(title), *map(section, packed(lines, BUDGET)), *remark))


def stale(standings: Sequence[Standing], now: datetime, after: timedelta) -> Message:
    """The pull requests that nothing happened to for so long; there is at least one."""
    title = f"{_counted(len(standings))} without activity for {humane(after)} or longer"
    lines = [
        f"• {_named(standing)}: quiet for {humane(now - standing.active_at)}, the move of {_whose(standing)}"
        for standing in standings
    ]
    advice = "Merge it, close it, or say in it what it waits for."
    return Message(title, (header(title), *map(section, packed(lines, BUDGET)), context(advice)))


def report(week: Week) -> Message:
    """What a week brought, as far as the watches saw it."""
    title = f"Pull requests from {week.since:%Y-%m-%d} to {week.until:%Y-%m-%d}"
    pairs = {
        "Opened": str(week.opened),
        "Merged": str(week.merged),
        "Closed without merging": str(week.closed),
        "Open now": str(week.open_now),
        "Median time to merge": _median(week.to_merge, week.merged),
        "Median time to first review": _median(week.to_first_review, week.reviewed),
    }
    counted = context("Counted are the pull requests that Vigil watched.")
    plain = f"{title}: {week.opened} opened, {week.merged} merged, {week.open_now} open now"
    return Message(plain, (header(title), facts(pairs), counted))


def _waiting(standing: Standing, now: datetime) -> str:
    waited = humane(now - standing.waiting_since)
    return f"• {_named(standing)}: {standing.reason.replace('_', ' ')}, waiting {waited}"


def _named(standing: Standing) -> str:
    reference = escaped(standing.reference, 300)
    title = link(standing.url, escaped(standing.title, 150) or reference)
    where = f" in <#{escaped(standing.channel_id, 50)}>" if standing.channel_id else ""
    return f"{title} {reference}{where}"


def _whose(standing: Standing) -> str:
    """In bold, whoever has a Slack account or not: a list that pings everybody is soon muted."""
    return names(map(Person, standing.who), standing.teams, {}) or NOBODY


def _counted(many: int) -> str:
    return f"{many} pull request" + ("" if many == 1 else "s")


def _median(length: timedelta | None, many: int) -> str:
    return "none" if length is None else f"{humane(length)} (of {many})"
