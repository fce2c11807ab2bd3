"""The comparison's own programs: that they run, not how fast."""

from pathlib import Path

from tests.benchmarks import sides
from tests.benchmarks.counting import counting
from tests.benchmarks.protocol import STEPS

OURS = sides.vigil()


def test_our_side_starts_a_backlog_and_runs_it_while_its_round_trips_are_counted(
    database_url: str, tmp_path: Path
) -> None:
    with counting(database_url, tmp_path) as (counted_url, counted):
        started = OURS.ask(database_url, "start", 3)
        ran = OURS.ask(counted_url, "run", 3, 2)

    assert started["per_second"] > 0
    assert ran["steps_per_second"] > 0
    assert ran["memory_mb"] > 10
    assert counted.round_trips > STEPS


def test_our_side_comes_back_to_copies_of_its_sleepers(database_url: str) -> None:
    OURS.ask(database_url, "fall_asleep")
    OURS.ask(database_url, "copy", 4, 2)

    woke = OURS.ask(database_url, "wake", 4, 2)

    assert 0 < woke["first_s"] <= woke["all_s"]
