"""How open pull requests stand and what a week brought, reckoned from what the watches know: pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from durable import serializable
from handlers.turns import Reason, first_review_of
from handlers.watch_state import Watch

DAY = timedelta(days=1)


@serializable
@dataclass(frozen=True)
class Standing:
    """An open pull request: whose turn it is, since when, and when anything last happened to it at GitHub. `who` are
    logins, `reference` is such as `acme/api#42`."""

    reference: str
    title: str
    url: str
    who: tuple[str, ...]
    teams: tuple[str, ...]
    reason: Reason
    waiting_since: datetime
    active_at: datetime
    draft: bool = False
    channel_id: str | None = None


@serializable
@dataclass(frozen=True)
class Week:
    """What happened from `since` to `until`, and how many pull requests are open now. The two medians are over those
    that were merged, or got their first review, in that time; None where none was."""

    since: datetime
    until: datetime
    opened: int
    merged: int
    closed: int
    reviewed: int
    open_now: int
    to_merge: timedelta | None
    to_first_review: timedelta | None


def standing_of(state: Watch) -> Standing:
    """How a watched pull request stands. Before anybody was greeted its turn counts from when it last changed."""
    pull_request, turn = state.pull_request, state.whose
    return Standing(
        reference=str(pull_request.ref),
        title=pull_request.title,
        url=pull_request.url,
        who=tuple(person.login for person in turn.who),
        teams=turn.teams,
        reason=turn.reason,
        waiting_since=state.waiting_since or pull_request.updated_at,
        active_at=pull_request.updated_at,
        draft=pull_request.draft,
        channel_id=state.channel_id,
    )


def standings_of(states: Iterable[Watch]) -> list[Standing]:
    """Those of the open pull requests, whoever waits longest first."""
    open_ones = [standing_of(state) for state in states if not state.over]
    return sorted(open_ones, key=lambda standing: (standing.waiting_since, standing.reference))


def by_turn(standings: Sequence[Standing]) -> list[list[Standing]]:
    """Put together what waits for the same people, drafts left out: those are nobody's turn. The order stays: the group
    with the longest wait comes first."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Standing]] = {}
    for standing in standings:
        if not standing.draft:
            groups.setdefault((standing.who, standing.teams), []).append(standing)
    return list(groups.values())


def stale(standings: Iterable[Standing], now: datetime, after: timedelta) -> list[Standing]:
    """Those to name tonight, drafts as well, the longest quiet first: each in the night in which it has been quiet for
    `after`, and again each time as long has passed once more. So nobody reads the same list every morning."""

    def is_named(standing: Standing) -> bool:
        quiet = now - standing.active_at
        return quiet >= after and quiet % after < DAY

    return sorted(filter(is_named, standings), key=lambda standing: (standing.active_at, standing.reference))


def week_of(states: Sequence[Watch], since: datetime, until: datetime) -> Week:
    """The week that these watches, open and ended, saw. GitHub's times count; when a merged pull request last changed is
    taken to be when it was merged."""
    pull_requests = [state.pull_request for state in states]
    over = [each for each in pull_requests if each.state == "closed" and since <= each.updated_at < until]
    merged = [each for each in over if each.merged]
    reviews = [(each.created_at, first) for each in pull_requests if (first := first_review_of(each)) is not None]
    reviewed = [first - created for created, first in reviews if since <= first < until]
    return Week(
        since=since,
        until=until,
        opened=sum(since <= each.created_at < until for each in pull_requests),
        merged=len(merged),
        closed=len(over) - len(merged),
        reviewed=len(reviewed),
        open_now=sum(each.state == "open" for each in pull_requests),
        to_merge=_median([each.updated_at - each.created_at for each in merged]),
        to_first_review=_median(reviewed),
    )


def _median(lengths: Sequence[timedelta]) -> timedelta | None:
    if not lengths:
        return None
    return timedelta(seconds=median(length.total_seconds() for length in lengths))
