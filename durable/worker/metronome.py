"""APScheduler, kept ticking whatever somebody does to the machine's clock.

It waits by the wall clock, so when that is set back by ten minutes, it stands still for ten minutes. A thread that waits
by the monotonic clock sees this, and lets every duty tick at once.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler

LOOK_EVERY_S = 1.0
SET_BACK_S = 0.5
"""Less than this, from one look to the next, is no more than a clock that is being corrected."""


class Metronome:
    """Calls each duty every so many seconds: one call of each at a time, and one for all ticks that were missed."""

    def __init__(self) -> None:
        self._scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch_the_clock, name="durable-metronome", daemon=True)

    def every(self, seconds: float, duty: Callable[[], object], name: str) -> None:
        """Call `duty` every so many seconds; the first time after that time. It has to handle its own errors."""
        self._scheduler.add_job(duty, "interval", seconds=seconds, id=name)

    def start(self) -> None:
        """Begin to tick."""
        self._scheduler.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop ticking; does not wait for a duty under way."""
        self._stopping.set()
        self._thread.join()
        self._scheduler.shutdown(wait=False)

    def _watch_the_clock(self) -> None:
        ahead = _ahead()
        while not self._stopping.wait(LOOK_EVERY_S):
            before, ahead = ahead, _ahead()
            if ahead < before - SET_BACK_S:
                for job in self._scheduler.get_jobs():
                    job.modify(next_run_time=datetime.now(UTC))


def _ahead() -> float:
    """How far the wall clock is ahead of the monotonic one."""
    return time.time() - time.monotonic()
