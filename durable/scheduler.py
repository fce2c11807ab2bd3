"""How the rest of a program puts, reads and steers its schedules. Every call is one transaction."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from durable.client import check_workflow_id
from durable.definitions import Workflow
from durable.errors import ScheduleNotFound, Undecodable
from durable.postgres import commands, schedules
from durable.postgres.database import Database
from durable.postgres.payloads import shorten
from durable.postgres.schedules import StoredSchedule
from durable.postgres.scheduling import engine_now
from durable.replay import encode_input
from durable.schedules import (
    EPOCH,
    LastRun,
    Occurrence,
    Plan,
    ScheduleDescription,
    Spec,
    begins_next,
    decode_plan,
    encode_plan,
    occurrences_after,
    workflow_id_of,
)

SHOWN_NEXT = 5


class Schedules:
    """The schedules of one database. Any worker ticks them, once a second; any worker that knows the workflow runs it.

    `hint` is called after a commit that made something due; a worker in the same process passes its `hint`.
    """

    def __init__(self, database: Database, *, hint: Callable[[], None] | None = None) -> None:
        self._database = database
        self._hint = hint

    def put(self, name: str, workflow: Workflow[..., Any], *args: Any, spec: Spec, owner: str = "") -> bool:
        """Make sure of a schedule: workflow `sched:{name}:{due time}` is started with `args` at each time of `spec`.

        Putting the same again changes nothing and returns False. A changed spec takes effect from now: what was due by
        the old one and did not run yet is dropped. Changed arguments or options of the workflow go for what runs next.
        A paused schedule stays paused. `owner` is noted with it: whoever puts several can tell later which are its own.
        Raises `ValueError` for a name that makes no workflow id.
        """
        check_workflow_id(workflow_id_of(name, EPOCH))
        plan = Plan(spec, workflow.options, owner)
        with self._database.transaction("schedule") as connection:
            now = engine_now(connection)
            fresh = StoredSchedule(
                name=name,
                workflow=workflow.name,
                input=self._database.payloads.fitting(encode_input(args, {})),
                plan=encode_plan(plan),
                paused=False,
                decided_until=now,
                next_at=begins_next(spec, name, now),
            )
            if schedules.insert(connection, fresh):
                return True
            known, now = schedules.lock(connection, name), engine_now(connection)
            was = _plan(known)
            if (was, known.workflow, known.input) == (plan, fresh.workflow, fresh.input):
                return False
            fresh = replace(fresh, paused=known.paused, decided_until=now, next_at=begins_next(spec, name, now))
            if was is not None and was.spec == spec:
                fresh = replace(fresh, decided_until=known.decided_until, next_at=known.next_at)
            schedules.write(connection, fresh)
        return True

    def occurrences(self, name: str, *, limit: int = 100) -> list[Occurrence]:
        """The last occurrences that ran or were skipped, the latest first; of many skipped at once only some."""
        with self._database.reading() as connection:
            return schedules.occurrences(connection, name, limit)

    def latest(self) -> dict[str, LastRun]:
        """What each schedule ran last, by its name; without those that never did."""
        with self._database.reading() as connection:
            return schedules.latest(connection)

    def list(self) -> list[ScheduleDescription]:
        """Every schedule by name, with its next five due times."""
        with self._database.reading() as connection:
            now = engine_now(connection)
            return [_description(schedule, now) for schedule in schedules.everything(connection)]

    def pause(self, name: str) -> bool:
        """Let nothing begin until `resume`; False when it is paused already. Raises `ScheduleNotFound`."""
        with self._changing(name) as (connection, schedule, _now):
            schedules.write(connection, replace(schedule, paused=True))
            return not schedule.paused

    def resume(self, name: str) -> bool:
        """Go on from now, whatever was due meanwhile; False when it is not paused. Raises `ScheduleNotFound`."""
        with self._changing(name) as (connection, schedule, now):
            if not schedule.paused:
                return False
            plan = decode_plan(schedule.plan)
            next_at = begins_next(plan.spec, name, now)
            schedules.write(connection, replace(schedule, paused=False, decided_until=now, next_at=next_at))
            return True

    def trigger(self, name: str) -> str:
        """Start the workflow now, even of a paused schedule, beside its regular times; returns the workflow's id.

        Raises `ScheduleNotFound`.
        """
        with self._changing(name) as (connection, schedule, now):
            workflow_id = f"{workflow_id_of(name, now)}-now-{now.microsecond:06}"
            plan = decode_plan(schedule.plan)
            if schedules.record(connection, name, now, workflow_id):
                input_ = shorten(self._database, schedule.input)
                beginning = commands.Beginning(workflow_id, schedule.workflow, input_, plan.options)
                commands.start(connection, beginning)
        if self._hint is not None:
            self._hint()
        return workflow_id

    def delete(self, name: str) -> None:
        """Forget a schedule; the workflows it started go on. Raises `ScheduleNotFound`."""
        with self._database.transaction("schedule") as connection:
            if not schedules.delete(connection, name):
                raise ScheduleNotFound(f"no schedule has the name {name!r}")

    @contextmanager
    def _changing(self, name: str) -> Iterator[tuple[Connection, StoredSchedule, datetime]]:
        with self._database.transaction("schedule") as connection:
            schedule = schedules.lock(connection, name)
            yield connection, schedule, engine_now(connection)


def _plan(schedule: StoredSchedule) -> Plan | None:
    try:
        return decode_plan(schedule.plan)
    except Undecodable:
        return None


def _description(schedule: StoredSchedule, now: datetime) -> ScheduleDescription:
    plan = _plan(schedule)
    following: tuple[datetime, ...] = ()
    if plan is not None and not schedule.paused:
        after = max(schedule.decided_until, now - plan.spec.jitter)
        following = tuple(islice(occurrences_after(plan.spec, after), SHOWN_NEXT))
    return ScheduleDescription(
        name=schedule.name,
        workflow=schedule.workflow,
        spec=None if plan is None else plan.spec,
        paused=schedule.paused,
        decided_until=schedule.decided_until,
        next=following,
        owner="" if plan is None else plan.owner,
    )
