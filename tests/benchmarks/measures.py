"""What is measured: each figure's name and whether more of it is better."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A figure, with its unit in its name."""

    name: str
    more_is_better: bool = False


STARTS = Measure("workflow starts/s, one client", more_is_better=True)
STEPS_RUN = Measure("steps/s, one worker process, 8 slots", more_is_better=True)
ONE = Measure("one workflow of 5 steps, idle system, ms")
MEMORY = Measure("memory of an idle worker, MB")


def round_trips(slots: int) -> Measure:
    """Between a worker and PostgreSQL, its share of claim and end included."""
    return Measure(f"round trips a step, {_slots(slots)}")


def commits(slots: int) -> Measure:
    """The same for transactions that wrote something."""
    return Measure(f"commits a step, {_slots(slots)}")


def memory_at(sleepers: int) -> Measure:
    """The resident memory of a worker process that came back to its sleepers."""
    return Measure(f"memory at {sleepers:,} sleepers, MB")


def first_wake_at(sleepers: int) -> Measure:
    """From the start of a process to the first step of a sleeper that came due meanwhile."""
    return Measure(f"restart at {sleepers:,} sleepers: first wake, s")


def all_woken_at(sleepers: int) -> Measure:
    """The same to the last one that came due meanwhile."""
    return Measure(f"restart at {sleepers:,} sleepers: all that was due, s")


def round_at(number: int) -> Measure:
    """A round of a loop: a sleep of a millisecond, the wake and a step."""
    return Measure(f"sleep of 1 ms, wake and step in round {number:,}, ms")


def recovery_at(number: int) -> Measure:
    """From the start of a process to the next step of a loop that was interrupted in this round."""
    return Measure(f"restart in round {number:,}: next step, s")


def spread(values: Sequence[float]) -> str:
    """The median, and the least and the most where there are several."""
    if not values:
        return ""
    median = shown(statistics.median(values))
    return median if len(values) == 1 else f"{median} ({shown(min(values))} to {shown(max(values))})"


def times_better(measure: Measure, ours: Sequence[float], theirs: Sequence[float]) -> str:
    """How many times better our median is: below 1 we are behind."""
    if not ours or not theirs:
        return ""
    ratio = statistics.median(ours) / statistics.median(theirs)
    return shown(ratio if measure.more_is_better else 1 / ratio)


def _slots(many: int) -> str:
    return "1 slot" if many == 1 else f"{many} slots"


def shown(value: float) -> str:
    """Three digits, or the whole part where that has more."""
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:,.{max(0, 3 - whole)}f}"
