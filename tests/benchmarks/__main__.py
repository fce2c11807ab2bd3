"""`python -m tests.benchmarks`: us and DBOS in turns on one embedded PostgreSQL with fsync on; see docs/benchmarks.md."""

import argparse
import logging
import os
import platform
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psutil
import structlog

from bot.embedded import EmbeddedPostgres
from durable.postgres import Database
from tests.benchmarks import alone, experiments, sides
from tests.benchmarks.databases import Databases
from tests.benchmarks.environment import NoDbos, dbos_python, dbos_version
from tests.benchmarks.experiments import Found
from tests.benchmarks.measures import Measure, shown, spread, times_better
from tests.benchmarks.sides import Side, SideFailed

SLEEPERS = 10_000
MANY_SLEEPERS = 300_000
EARLY, LATE = 10, 5_000

Experiment = Callable[[Side, Databases], Found]
QUICK: dict[str, Experiment] = {"throughput": experiments.throughput}
SLOW: dict[str, Experiment] = {
    "traffic of 1 slot": partial(experiments.traffic, slots=1),
    f"traffic of {experiments.SLOTS} slots": partial(experiments.traffic, slots=experiments.SLOTS),
    f"{SLEEPERS:,} sleepers": partial(experiments.sleepers, many=SLEEPERS),
    f"round {EARLY} of a loop": partial(experiments.loop, last=EARLY),
    f"round {LATE:,} of a loop": partial(experiments.loop, last=LATE),
}
ONLY_OURS: dict[str, Experiment] = {f"{MANY_SLEEPERS:,} sleepers": partial(experiments.sleepers, many=MANY_SLEEPERS)}
ALONE: dict[str, Callable[[Database], float]] = {
    "bare psycopg2, one thread, commits/s": alone.commits_of_bare_psycopg2,
    f"a look for due work among {alone.SLEEPERS:,} sleepers, ms": alone.milliseconds_of_a_look_for_due_work,
    "deliveries of 25 KB/s, 16 callers": alone.deliveries,
}


class Benchmark:
    """The sides on one server, and what was found of each."""

    def __init__(self, databases: Databases, compared: Sequence[Side]) -> None:
        self._databases = databases
        self._sides = list(compared)
        self._found: dict[Measure, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._alone: dict[str, list[float]] = defaultdict(list)
        for side in compared:
            databases.prepare(side)

    def compare(self, chosen: dict[str, Experiment], rounds: int) -> None:
        """Do each experiment with each side, round after round; who comes first changes."""
        for number in range(rounds):
            for name, experiment in chosen.items():
                for side in self._sides:
                    self._do(side, name, experiment, f"round {number + 1} of {rounds}")
            self._sides.reverse()

    def ours(self, chosen: dict[str, Experiment]) -> None:
        """Do each experiment with us alone."""
        for name, experiment in chosen.items():
            self._do(sides.vigil(), name, experiment, "alone")

    def alone(self, rounds: int) -> None:
        """Measure what has no counterpart."""
        for _ in range(rounds):
            with self._databases.fresh(sides.vigil()) as url, closing(Database(url, pool_size=20)) as database:
                for name, figure in ALONE.items():
                    self._alone[name].append(figure(database))

    def tables(self) -> str:
        """All figures as two tables in Markdown."""
        lines = [f"| | Vigil | DBOS {dbos_version()} | times better |", "|---|---:|---:|---:|"]
        for measure, by_side in self._found.items():
            ours, theirs = by_side["Vigil"], by_side["DBOS"]
            cells = (measure.name, spread(ours), spread(theirs), times_better(measure, ours, theirs))
            lines.append(f"| {' | '.join(cells)} |")
        lines += ["", "| without a counterpart | |", "|---|---:|"]
        lines += [f"| {name} | {spread(values)} |" for name, values in self._alone.items()]
        return "\n".join(lines)

    def _do(self, side: Side, name: str, experiment: Experiment, when: str) -> None:
        began = time.monotonic()
        try:
            found = experiment(side, self._databases)
        except SideFailed as failed:  # what it said stands above; the other figures are worth having all the same
            print(failed, file=sys.stderr)
            return
        for measure, value in found.items():
            self._found[measure][side.name].append(value)
        told = "; ".join(f"{measure.name} {shown(value)}" for measure, value in found.items())
        took = time.monotonic() - began
        print(f"{when}, {took:.0f} s: {name}, {side.name}: {told}", file=sys.stderr, flush=True)


def main(words: Sequence[str]) -> None:
    """Measure and print medians, spread and ratios."""
    asked = _parser().parse_args(words)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    began = time.monotonic()
    load = os.getloadavg()[0]
    with _server() as url:
        databases = Databases(url)
        benchmark = Benchmark(databases, _sides(asked.without_dbos))
        benchmark.compare(QUICK, asked.rounds)
        benchmark.compare(SLOW, asked.slow_rounds)
        benchmark.alone(asked.rounds)
        if asked.long:
            benchmark.ours(ONLY_OURS)
        version = databases.version() // 10_000
    memory = psutil.virtual_memory().total / 2**30
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB,", end=" ")
    print(f"load {load:.1f} before, {os.getloadavg()[0]:.1f} after; PostgreSQL {version}, fsync on;", end=" ")
    print(
        f"{asked.rounds} and {asked.slow_rounds} rounds in {time.monotonic() - began:.0f} s; median (least to most)\n"
    )
    print(benchmark.tables())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often what is quick is measured")
    parser.add_argument("--slow-rounds", type=int, default=1, help="how often sleepers, loops and traffic are")
    parser.add_argument("--long", action="store_true", help=f"{MANY_SLEEPERS:,} sleepers of ours, too")
    parser.add_argument("--without-dbos", action="store_true", help="measure us alone")
    return parser


@contextmanager
def _server() -> Iterator[str]:
    """A PostgreSQL of this run alone, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as home:
        server = EmbeddedPostgres(Path(home))
        try:
            with server.running() as url:
                yield url
        finally:
            server.remove()


def _sides(without_dbos: bool) -> list[Side]:
    if without_dbos:
        return [sides.vigil()]
    try:
        return [sides.vigil(), sides.dbos(dbos_python())]
    except NoDbos as problem:
        print(f"{problem}\nOnly we are measured.", file=sys.stderr)
        return [sides.vigil()]


if __name__ == "__main__":
    main(sys.argv[1:])
