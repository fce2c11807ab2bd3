"""The tick of the schedules: what is due is started, each occurrence once however many workers tick."""

import logging
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from durable.errors import Undecodable
from durable.postgres import commands, schedules
from durable.postgres.database import Database
from durable.postgres.payloads import shorten
from durable.postgres.schedules import StoredSchedule
from durable.postgres.scheduling import engine_now
from durable.schedules import decide, decode_plan, workflow_id_of

log = logging.getLogger(__name__)
UNREADABLE_FOR = timedelta(minutes=1)


def tick(database: Database) -> int:
    """Start what is due of every schedule; returns how many workflows that were.

    Each schedule has a transaction of its own: it is locked (past those another clock has in hand), each occurrence is
    inserted, and only when that is new its workflow is started; then the schedule moves on. With nothing due it costs
    one small query.
    """
    with database.reading() as connection:
        due_in = schedules.due_in(connection)
    if due_in is None or due_in > 0:
        return 0
    started = 0
    seen: list[str] = []
    while True:
        with database.transaction("schedule") as connection:
            schedule = schedules.take_due(connection, seen)
            if schedule is None:
                return started
            started += _run_due(database, connection, schedule)
        seen.append(schedule.name)


def _run_due(database: Database, connection: Connection, schedule: StoredSchedule) -> int:
    now = engine_now(connection)
    try:
        plan = decode_plan(schedule.plan)
    except Undecodable as error:
        # Left for a worker that can read it, without asking every second: nothing is decided, so nothing is lost.
        log.warning("schedule %s left alone for a minute: %s", schedule.name, error)
        schedules.write(connection, replace(schedule, next_at=now + UNREADABLE_FOR))
        return 0
    decision = decide(plan.spec, schedule.name, schedule.decided_until, now)
    for due in decision.skipped:
        schedules.record(connection, schedule.name, due, None)
    if decision.skipped:
        log.warning("schedule %s: missed and skipped up to %s", schedule.name, decision.skipped[-1])
    started = 0
    for due in decision.run:
        workflow_id = workflow_id_of(schedule.name, due)
        if schedules.record(connection, schedule.name, due, workflow_id):
            input_ = shorten(database, schedule.input)
            beginning = commands.Beginning(workflow_id, schedule.workflow, input_, plan.options)
            commands.start(connection, beginning)
            started += 1
    schedules.write(connection, replace(schedule, decided_until=decision.decided_until, next_at=decision.next_at))
    return started
