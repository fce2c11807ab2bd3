"""What both sides of the comparison share: commands from the command line, one JSON line as the answer, and the times
of calls. The standard library only, because each side runs in an environment of its own."""

import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping

STARTED_AT = "BENCH_STARTED_AT"
"""The environment variable with the monotonic time at which the driver started this process."""
PATIENCE_S = 1800.0

STEPS = 5
"""How many steps the workflow has whose steps are counted."""
AN_HOUR_S = 3600.0
DUE_AFTER_S = 3.0
"""How long the sleeper sleeps that is due when its process comes back."""
NAP_S = 0.001
"""How long the loop sleeps in each round but the last."""
PAUSE_S = 2.0
"""How long it sleeps in the last round, in which its process is killed."""

Answer = Mapping[str, float]
Command = Callable[..., Answer]


class Calls:
    """When each call of a step came, by the monotonic clock."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self._changed = threading.Condition()

    def note(self) -> None:
        """A call came."""
        with self._changed:
            self.at.append(time.monotonic())
            self._changed.notify_all()

    def wait_for(self, many: int) -> None:
        """Return when that many calls have come. Raises `TimeoutError` when they do not."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.at) >= many, timeout=PATIENCE_S):
                raise TimeoutError(f"{len(self.at)} of {many} calls came in {PATIENCE_S:g} s")

    def typical_interval(self, of_last: int) -> float:
        """The median of the seconds between two calls, among the last ones."""
        last = self.at[-of_last - 1 :]
        between = sorted(later - earlier for earlier, later in itertools.pairwise(last))
        return between[len(between) // 2]


def until(condition: Callable[[], object], *, every: float) -> float:
    """Ask `condition` every so many seconds until it is true; returns the monotonic time. Raises `TimeoutError`."""
    pause = threading.Event()
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not true within {PATIENCE_S:g} s")
        pause.wait(every)
    return time.monotonic()


def since_start(moment: float) -> float:
    """Seconds from the start of this process, its imports included, to a monotonic time."""
    return moment - float(os.environ[STARTED_AT])


def serve(commands: Mapping[str, Command]) -> None:
    """Carry out the command of the command line (`URL COMMAND [NUMBER …]`), answer, and live on for whoever wants to
    look at this process, until standard input ends."""
    url, command, *numbers = sys.argv[1:]
    answer = commands[command](url, *map(int, numbers))
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)  # with all its threads: neither side is asked how it stops
