"""The two sides as processes: a command is asked of a fresh one, which is killed when its answer was read."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.benchmarks.environment import ROOT
from tests.benchmarks.protocol import STARTED_AT

MEGABYTE = 1024 * 1024


class SideFailed(Exception):
    """A side's process ended without an answer; what it said is on standard error."""


@dataclass(frozen=True)
class Side:
    """One of the compared engines: its name, its Python and its program."""

    name: str
    python: Path
    module: str

    def ask(self, url: str, command: str, *numbers: int) -> dict[str, float]:
        """Have a fresh process carry out a command on the database, kill it, and return its answer; beside it
        `memory_mb`, the process's resident memory at that moment. Raises `SideFailed`."""
        with self._process(url, command, *numbers) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise SideFailed(f"{self.name} did not answer {command} {numbers}")
            memory = psutil.Process(process.pid).memory_info().rss / MEGABYTE
            answer: dict[str, float] = json.loads(line)
            return answer | {"memory_mb": memory}

    @contextmanager
    def _process(self, url: str, command: str, *numbers: int) -> Iterator[subprocess.Popen[str]]:
        words = [str(self.python), "-m", self.module, url, command, *map(str, numbers)]
        environment = os.environ | {STARTED_AT: str(time.monotonic()), "PYTHONPATH": ""}
        with subprocess.Popen(
            words, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                yield process
            finally:
                process.kill()


def vigil() -> Side:
    """Ours, in this environment."""
    return Side("Vigil", Path(sys.executable), "tests.benchmarks.vigil_side")


def dbos(python: Path) -> Side:
    """DBOS, in its own environment."""
    return Side("DBOS", python, "tests.benchmarks.dbos_side")
