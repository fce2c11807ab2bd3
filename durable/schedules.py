"""When something recurs: intervals and cron in a time zone, with every rule explicit. Pure: no clock, no database.

APScheduler 3.11's CronTrigger computes which wall-clock times match. Given a zone with daylight saving it would, read
from its source and tried, run a nonexistent 02:30 an hour late by the wall clock and an ambiguous 02:30 twice. So it is
asked in a zone without changes, and what a wall-clock time means in the real zone is decided here:

- a time in the gap (clocks go forward) runs once, at the first moment after the gap, or not at all: `Cron.gap`;
- a time in the overlap (clocks go back) runs once, the first time it comes;
- several times that come to the same moment are one occurrence.
"""

import hashlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice, takewhile
from typing import Any, Literal

from durable.cron import SECOND, end_of_gap, wall_times, zone_named
from durable.errors import Undecodable
from durable.model import WorkflowOptions, WorkflowState
from durable.serde import decode, encode

BY_SCHEDULE = "sched:"
"""Begins the ids of the workflows that schedules start."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOTHING = timedelta(0)
HOUR = timedelta(hours=1)
LEAST_GRACE = timedelta(seconds=10)
MOST_CATCH_UP = 1000
MOST_ON_TIME = 61
RECORDED_SKIPS = 10
"""Of what is skipped at one time, so many of the latest are recorded one by one."""


@dataclass(frozen=True)
class CatchUp:
    """What becomes of occurrences that were missed, because no worker ran for longer than `grace`.

    "none" runs none of them. "last" runs the latest one, unless another occurrence is due on time just then. "all" runs
    the latest `most` of them, the oldest first. `grace` is at most an hour, and for an interval no longer than that.
    """

    missed: Literal["none", "last", "all"] = "none"
    most: int = 100
    grace: timedelta = timedelta(minutes=1)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.missed not in ("none", "last", "all"):
            raise ValueError(f"catch-up: missed is {self.missed!r}, must be 'none', 'last' or 'all'")
        if not 1 <= self.most <= MOST_CATCH_UP:
            raise ValueError(f"catch-up: most is {self.most}, must be from 1 to {MOST_CATCH_UP}")
        if not SECOND <= self.grace <= HOUR:
            raise ValueError(f"catch-up: grace is {self.grace}, must be from a second to an hour")


@dataclass(frozen=True)
class Every:
    """One occurrence per `interval` of elapsed time, counted from `since`: where nothing else is said, an interval of an
    hour means every full hour UTC. It knows no daylight saving. Each begins up to `jitter` late, see `delay_of`."""

    interval: timedelta
    since: datetime = EPOCH
    catch_up: CatchUp = CatchUp()
    jitter: timedelta = NOTHING

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.interval < SECOND or self.interval.microseconds:
            raise ValueError(f"schedule: interval is {self.interval}, must be whole seconds, at least one")
        if self.since.tzinfo is None or self.since.microsecond:
            raise ValueError(f"schedule: since is {self.since}, must have a time zone and whole seconds")
        if not NOTHING <= self.jitter < self.interval:
            raise ValueError(f"schedule: jitter is {self.jitter}, must be less than the interval, {self.interval}")


@dataclass(frozen=True)
class Cron:
    """Occurrences at wall-clock times in an IANA time zone, as crontab writes them: "m h dom mon dow".

    Lists, ranges, steps, names (jan, mon) and `last` for the last day of a month are known; Sunday is 0 or 7; when both
    day fields are restricted, a day that matches either will do, as in crontab, or with `days="both"` one that matches
    each, as in Celery. `gap` says what a time means that the clocks skip
    (see the module); in an overlap every time runs once, so for "every 15 minutes, always" use `Every`. Each occurrence
    begins up to `jitter` (at most an hour) late, see `delay_of`.
    """

    expression: str
    zone: str = "UTC"
    gap: Literal["skip", "run_once"] = "run_once"
    catch_up: CatchUp = CatchUp()
    jitter: timedelta = NOTHING
    days: Literal["either", "both"] = "either"

    def __post_init__(self) -> None:
        """Refuse an expression nobody can read or that never comes true, and a zone nobody knows."""
        if self.gap not in ("skip", "run_once"):
            raise ValueError(f"schedule: gap is {self.gap!r}, must be 'skip' or 'run_once'")
        if self.days not in ("either", "both"):
            raise ValueError(f"schedule: days is {self.days!r}, must be 'either' or 'both'")
        if not NOTHING <= self.jitter <= HOUR:
            raise ValueError(f"schedule: jitter is {self.jitter}, must be from nothing to an hour")
        zone_named(self.zone)
        if next(wall_times(self.expression, EPOCH.replace(tzinfo=None), both=self.days == "both"), None) is None:
            raise ValueError(f"cron expression {self.expression!r} never comes true: no such day exists")


Spec = Every | Cron


@dataclass(frozen=True)
class Plan:
    """What is stored of a schedule beside its workflow's name and input. `owner` says who put it, where that matters."""

    spec: Spec
    options: WorkflowOptions
    owner: str = ""


@dataclass(frozen=True)
class Decision:
    """What to do at one tick: which occurrences to run and which to record as skipped, both by their due times. All up
    to `decided_until` are decided then; the next one begins at `next_at`, None when there is none any more."""

    run: tuple[datetime, ...]
    skipped: tuple[datetime, ...]
    decided_until: datetime
    next_at: datetime | None


@dataclass(frozen=True)
class ScheduleDescription:
    """A schedule as seen from outside. `spec` is None when this release cannot read it. `next` holds the next five due
    times to come (empty while paused), without jitter; all up to `decided_until` were run or skipped. `owner` is who put
    it, empty where nobody said so."""

    name: str
    workflow: str
    spec: Spec | None
    paused: bool
    decided_until: datetime
    next: tuple[datetime, ...]
    owner: str = ""


@dataclass(frozen=True)
class Occurrence:
    """An occurrence that was decided on: run as `workflow_id`, or skipped."""

    due_at: datetime
    workflow_id: str | None


@dataclass(frozen=True)
class LastRun:
    """The last occurrence of a schedule that ran, and the state of its workflow; None when that was forgotten."""

    due_at: datetime
    workflow_id: str
    state: WorkflowState | None


def occurrences_between(spec: Spec, after: datetime, until: datetime, limit: int) -> list[datetime]:
    """The first `limit` due times later than `after` and not later than `until`, in UTC."""
    return list(islice(takewhile(lambda due: due <= until, occurrences_after(spec, after)), limit))


def occurrences_after(spec: Spec, after: datetime) -> Iterator[datetime]:
    """Every due time later than `after`, in UTC, in order."""
    return _multiples(spec, after) if isinstance(spec, Every) else _in_zone(spec, after)


def latest_between(spec: Spec, after: datetime, until: datetime, limit: int) -> list[datetime]:
    """The last `limit` due times later than `after` and not later than `until`: after a year without a worker only as
    much of the year is gone through as that takes."""
    found: list[datetime] = []
    end, span = until, HOUR
    while end > after and len(found) < limit:
        begin = end - span if end - after > span else after
        within = occurrences_between(spec, begin, end, int(span / SECOND) + 1)
        found = list(deque(within, maxlen=limit - len(found))) + found
        end, span = begin, span * 2
    return found


def delay_of(spec: Spec, name: str, due: datetime) -> timedelta:
    """How much later than `due` this occurrence begins: between nothing and `spec.jitter`, by chance but the same for
    every clock, because it follows from the schedule's name and `due` alone."""
    digest = hashlib.sha256(f"{name} {due.astimezone(UTC).isoformat()}".encode()).digest()
    return spec.jitter * (int.from_bytes(digest[:6], "big") / 2**48)


def decide(spec: Spec, name: str, decided_until: datetime, now: datetime) -> Decision:
    """What to run and what to skip at `now` of all that came after `decided_until`."""
    due = _begun(spec, name, decided_until, now)
    grace = spec.catch_up.grace
    if isinstance(spec, Every):
        grace = min(grace, max(spec.interval, LEAST_GRACE))
    # One whose jitter was longer held up those behind it: they are no later than it was.
    begun = accumulate((one + delay_of(spec, name, one) for one in due), max)
    missed = [one for one, at in zip(due, begun, strict=True) if at < now - grace]
    on_time = due[len(missed) :]
    caught_up = missed[len(missed) - _catching_up(spec.catch_up, len(missed), len(on_time)) :]
    skipped = missed[: len(missed) - len(caught_up)]
    cursor = due[-1] if due else decided_until
    return Decision((*caught_up, *on_time), tuple(skipped[-RECORDED_SKIPS:]), cursor, begins_next(spec, name, cursor))


def begins_next(spec: Spec, name: str, after: datetime) -> datetime | None:
    """When the first occurrence that is due later than `after` begins, its jitter included."""
    due = next(occurrences_after(spec, after), None)
    return None if due is None else due + delay_of(spec, name, due)


def workflow_id_of(name: str, due: datetime) -> str:
    """The id of the workflow that an occurrence starts."""
    return f"{BY_SCHEDULE}{name}:{due.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def encode_plan(plan: Plan) -> str:
    """The plan as it is stored."""
    spec = vars(plan.spec) | {"catch_up": vars(plan.spec.catch_up)}
    owned = {"owner": plan.owner} if plan.owner else {}
    return encode({"kind": type(plan.spec).__name__, "spec": spec, "options": vars(plan.options)} | owned)


def decode_plan(stored: str) -> Plan:
    """The plan again; raises `Undecodable` when a newer release wrote it, or its zone is unknown on this machine."""
    value = decode(stored)
    try:
        kind = {"Every": Every, "Cron": Cron}[value["kind"]]
        given = value["spec"] | {"catch_up": CatchUp(**_known(CatchUp, value["spec"]["catch_up"]))}
        options = WorkflowOptions(**_known(WorkflowOptions, value["options"]))
        return Plan(kind(**_known(kind, given)), options, value.get("owner", ""))
    except (KeyError, TypeError, ValueError) as error:
        raise Undecodable(f"schedule: {type(error).__name__}: {error} in {stored[:200]}") from error


def _known(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(cls)}
    return {name: value for name, value in values.items() if name in names}


def _catching_up(policy: CatchUp, missed: int, on_time: int) -> int:
    if policy.missed == "all":
        return min(missed, policy.most)
    return min(missed, 1) if policy.missed == "last" and not on_time else 0


def _begun(spec: Spec, name: str, after: datetime, now: datetime) -> list[datetime]:
    """The latest occurrences later than `after` that have begun at `now`; one whose jitter is not over holds up those
    behind it, so that what is decided has no holes."""
    most = spec.catch_up.most + RECORDED_SKIPS + MOST_ON_TIME
    surely = max(after, now - spec.jitter)
    perhaps = occurrences_between(spec, surely, now, most)
    begun = takewhile(lambda due: due + delay_of(spec, name, due) <= now, perhaps)
    return latest_between(spec, after, surely, most) + list(begun)


def _multiples(spec: Every, after: datetime) -> Iterator[datetime]:
    since = spec.since.astimezone(UTC)
    count = max((after - since) // spec.interval + 1, 0)
    while True:
        yield since + spec.interval * count
        count += 1


def _in_zone(spec: Cron, after: datetime) -> Iterator[datetime]:
    zone = zone_named(spec.zone)
    last = after
    begin = after.astimezone(zone).replace(tzinfo=None, fold=0)
    for wall in wall_times(spec.expression, begin, both=spec.days == "both"):
        moment = wall.replace(tzinfo=zone).astimezone(UTC)  # in an overlap the first one: fold is 0
        if moment.astimezone(zone).replace(tzinfo=None) != wall:
            if spec.gap == "skip":
                continue
            moment = end_of_gap(moment, zone)
        if moment > last:
            yield moment
            last = moment
