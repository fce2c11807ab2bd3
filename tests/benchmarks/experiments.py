"""What is done with one side, in databases of its own, and what is noted of it."""

import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks import measures
from tests.benchmarks.counting import counting
from tests.benchmarks.databases import Databases
from tests.benchmarks.measures import Measure
from tests.benchmarks.protocol import DUE_AFTER_S, PAUSE_S, STEPS
from tests.benchmarks.sides import Side

SLOTS = 8
BACKLOG = 400
TIMES = 31
FEW, MANY = 20, 100
DUE_EVERY = 500

Found = Mapping[Measure, float]


class Traffic(NamedTuple):
    """What a worker did to run a backlog."""

    round_trips: int
    commits: int


def throughput(side: Side, databases: Databases) -> Found:
    """Start a backlog, run it, then run single workflows."""
    with databases.fresh(side) as url:
        started = side.ask(url, "start", BACKLOG)
        ran = side.ask(url, "run", BACKLOG, SLOTS)
        one = side.ask(url, "run_one", TIMES)
    return {
        measures.STARTS: started["per_second"],
        measures.STEPS_RUN: ran["steps_per_second"],
        measures.ONE: one["ms"],
        measures.MEMORY: one["memory_mb"],
    }


def traffic(side: Side, databases: Databases, slots: int) -> Found:
    """Run a smaller and a larger backlog and compare: what starting and idling cost falls out."""
    few, many = (_traffic_of(side, databases, backlog, slots) for backlog in (FEW, MANY))
    steps = (MANY - FEW) * STEPS
    return {
        measures.round_trips(slots): (many.round_trips - few.round_trips) / steps,
        measures.commits(slots): (many.commits - few.commits) / steps,
    }


def sleepers(side: Side, databases: Databases, many: int) -> Found:
    """Kill a process with two sleepers, copy them in the tables until there are many, and come back."""
    with databases.fresh(side) as url:
        side.ask(url, "fall_asleep")
        asleep_at = time.monotonic()
        side.ask(url, "copy", many, DUE_EVERY)
        _let_pass_until(asleep_at + DUE_AFTER_S)
        woke = side.ask(url, "wake", many, DUE_EVERY)
    return {
        measures.memory_at(many): woke["memory_mb"],
        measures.first_wake_at(many): woke["first_s"],
        measures.all_woken_at(many): woke["all_s"],
    }


def loop(side: Side, databases: Databases, last: int) -> Found:
    """Kill a process in the last round of its loop, wait until the sleep in it is over, and come back."""
    with databases.fresh(side) as url:
        went = side.ask(url, "go_round", last)
        _let_pass_until(time.monotonic() + PAUSE_S)
        resumed = side.ask(url, "resume")
    return {measures.round_at(last): went["round_ms"], measures.recovery_at(last): resumed["seconds"]}


def _traffic_of(side: Side, databases: Databases, backlog: int, slots: int) -> Traffic:
    with (
        databases.fresh(side) as url,
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        counting(url, Path(folder)) as (counted_url, counted),
    ):
        side.ask(url, "start", backlog)
        before = databases.next_transaction()
        side.ask(counted_url, "run", backlog, slots)
        return Traffic(counted.round_trips, databases.next_transaction() - before)


def _let_pass_until(moment: float) -> None:
    threading.Event().wait(max(0.0, moment - time.monotonic()))
