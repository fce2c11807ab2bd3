"""`python -m tests.soak [--minutes 60] [--into .soak]`: run the load, sample, draw, and say what did not stay flat."""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import psutil

from bot.embedded import EmbeddedPostgres
from durable.client import Client
from durable.postgres import Database
from durable.postgres.migrate import upgrade
from tests.soak.load import begin
from tests.soak.sampling import Sample, sample, unusual
from tests.soak.verdict import Verdict, judge, panel_of

ROLES = ("worker", "worker", "feeder")
SAMPLED_EVERY_S = 5.0
STOP_WITHIN_S = 30
SAMPLERS_CONNECTIONS = 2


def main(minutes: float, into: Path) -> int:
    """Soak for so long; writes `soak.csv` and `soak.png` into a folder. Returns 1 when something grew or went wrong."""
    into.mkdir(parents=True, exist_ok=True)
    with postgres() as url:
        database = Database(url, pool_size=SAMPLERS_CONNECTIONS)
        upgrade(database)
        begin(database)
        with processes(url) as running:
            samples = list(sampled(database, running, minutes * 60, into / "soak.csv"))
        wrong = unusual(Client(database).overview().counts)
        database.close()
    return told(samples, wrong, into / "soak.png")


@contextmanager
def postgres() -> Iterator[str]:
    """A server of its own: fsync and autovacuum on, as the bot runs it."""
    with tempfile.TemporaryDirectory(prefix="vigil-soak-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as an account of its own where we are root
        server = EmbeddedPostgres(Path(folder) / "home", roots_folder=Path(folder) / "data")
        with server.running() as url:
            yield url


@contextmanager
def processes(url: str) -> Iterator[dict[str, psutil.Process]]:
    """The workers and the feeder, by name. Raises when one of them does not end well."""
    begun = [subprocess.Popen([sys.executable, "-m", "tests.soak.process", role, url]) for role in ROLES]
    try:
        yield {
            f"{role} {number}": psutil.Process(it.pid)
            for number, (role, it) in enumerate(zip(ROLES, begun, strict=True), 1)
        }
    finally:
        for process in begun:
            process.terminate()
        codes = [code_of(process) for process in begun]
    if any(codes):
        raise SystemExit(f"a process of the soak ended with {codes}")


def code_of(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a process that was asked to end; one that does not is killed."""
    try:
        return process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def sampled(
    database: Database, running: dict[str, psutil.Process], seconds: float, table: Path
) -> Iterator[tuple[float, Sample]]:
    """Samples with the seconds since the begin, each written down at once."""
    began, never = time.monotonic(), Event()
    with table.open("w", newline="") as file:
        writer: csv.DictWriter[str] | None = None
        while (at := time.monotonic() - began) < seconds:
            values = sample(database, running)
            if writer is None:
                writer = csv.DictWriter(file, ["seconds", *values])
                writer.writeheader()
            writer.writerow({"seconds": round(at, 1)} | {name: round(value, 2) for name, value in values.items()})
            file.flush()
            yield at, values
            never.wait(SAMPLED_EVERY_S)


def told(samples: list[tuple[float, Sample]], wrong: dict[str, int], picture: Path) -> int:
    """Draw and print the verdicts, the worst of each panel first."""
    from tests.soak.picture import draw  # noqa: PLC0415 - matplotlib is dear to load while memory is measured

    seconds = [at for at, _ in samples]
    series = {name: [values[name] for _, values in samples] for name in samples[0][1]}
    draw(picture, seconds, series)
    verdicts = [judge(name, seconds, values) for name, values in series.items()]
    for verdict in sorted(verdicts, key=lambda verdict: (panel_of(verdict.name), -verdict.growth)):
        print(line_of(verdict))
    grew = [verdict.name for verdict in verdicts if not verdict.is_flat]
    print(f"{len(samples)} samples in {seconds[-1] / 60:.1f} minutes; picture: {picture}")
    print(f"grew: {', '.join(grew)}" if grew else "all of it stayed flat")
    if wrong:
        print(f"workflows in a state that should not be: {wrong}")
    return 1 if grew or wrong else 0


def line_of(verdict: Verdict) -> str:
    """A verdict as a line of the table."""
    return f"{'flat' if verdict.is_flat else 'GREW':5}{verdict.name:60} {verdict.level:12.1f}  {verdict.growth:+10.1f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--into", type=Path, default=Path(".soak"))
    given = parser.parse_args()
    sys.exit(main(given.minutes, given.into))
