"""`python -m tests.benchmarks [ROUNDS]`: every measure in turn, round after round, on one PostgreSQL with fsync on."""

import os
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from bot.embedded import EmbeddedPostgres
from durable.postgres import Database
from durable.postgres.migrate import upgrade
from tests.benchmarks import measures

MEASURES = {
    "bare psycopg2, commits/s": measures.commits_of_bare_psycopg2,
    "workflow starts/s, one client": measures.starts,
    "steps/s, one worker, 8 slots": measures.steps,
    "one workflow of 5 steps, idle, ms": lambda database: measures.seconds_of_one_workflow(database) * 1000,
    f"claim with nothing due, +{measures.SLEEPERS} sleepers, ms": (
        lambda database: measures.seconds_of_a_claim_with_nothing_due(database) * 1000
    ),
    "deliveries of 25 KB/s, 16 callers": measures.deliveries,
}


def main(rounds: int) -> None:
    """Measure and print medians with their spread."""
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as home, EmbeddedPostgres(Path(home)).running() as url:
        database = Database(url, pool_size=20)
        upgrade(database)
        found = defaultdict(list)
        for _ in range(rounds):
            for name, measure in MEASURES.items():
                found[name].append(measure(database))
        database.close()
    print(f"{os.cpu_count()} cores, {rounds} rounds, fsync on; median (least to most)")
    for name, values in found.items():
        print(f"{name:48} {statistics.median(values):10.1f}   ({min(values):.1f} to {max(values):.1f})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
