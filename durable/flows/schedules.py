"""What flows do by themselves: periodic ones are schedules of the engine, and once a day old runs are forgotten."""

import hashlib
from contextlib import suppress
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from durable.definitions import Workflow, transaction, workflow
from durable.errors import ScheduleNotFound
from durable.flows.definition import Flow, Periodic
from durable.postgres import flow_runs
from durable.postgres.database import Database
from durable.scheduler import Schedules
from durable.schedules import Cron, Every, Spec

PREFIX = "flow:"
_MIDNIGHT = Cron("0 0 * * *")
_BATCH = 500


def put_schedules(database: Database, owner: str, flows: dict[str, tuple[Flow, Workflow[..., Any]]]) -> None:
    """Make sure of a schedule for each periodic flow and of one for forgetting old runs; delete the other schedules that
    `owner` put before. Those of another owner are another deployment's, which shares the database.

    A schedule holds no definition: each run takes the one of the worker that begins it.
    """
    schedules = Schedules(database)
    wanted = set()
    for name, (flow, declared) in flows.items():
        if flow.periodic is not None:
            wanted.add(PREFIX + name)
            about, spec = {"periodic": True}, _spec(flow.periodic)
            schedules.put(PREFIX + name, declared, flow.periodic.payload, about, spec=spec, owner=owner)
    keep = {name: flow.retention for name, (flow, _) in flows.items() if flow.retention is not None}
    if keep:
        wanted.add(retention_of(owner))
        schedules.put(retention_of(owner), flow_retention, keep, spec=_MIDNIGHT, owner=owner)
    for there in schedules.list():
        if there.name.startswith(PREFIX) and there.owner == owner and there.name not in wanted:
            with suppress(ScheduleNotFound):  # another process, which starts too, was faster
                schedules.delete(there.name)


def retention_of(owner: str) -> str:
    """The name of the schedule that forgets old runs. No flow is called so: a flow's name has a dot in it."""
    return f"{PREFIX}retention-{hashlib.sha256(owner.encode()).hexdigest()[:8]}"


@workflow
def flow_retention(keep: dict[str, int]) -> int:
    """Forget the runs of each flow beyond its newest; returns how many."""
    forgotten = 0
    for name, newest in keep.items():
        while (batch := forget_oldest_runs(name, newest)) > 0:
            forgotten += batch
    return forgotten


@transaction
def forget_oldest_runs(connection: Connection, name: str, keep: int) -> int:
    """Forget a batch of runs; returns how many."""
    return flow_runs.forget_oldest(connection, name, keep=keep, most=_BATCH)


def _spec(periodic: Periodic) -> Spec:
    if periodic.interval is not None:
        return Every(timedelta(seconds=periodic.interval))
    return Cron(periodic.crontab or "", days="both")
