"""A worker's lease: one heartbeat renews it, and it is trusted only while the monotonic clock says it is fresh."""

import logging
import os
import platform
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from durable.postgres import scheduling
from durable.postgres.database import Database
from durable.postgres.scheduling import Process

log = logging.getLogger(__name__)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PROCESS_NAMESPACE = Path("/proc/self/ns/pid")
START_TOLERANCE_S = 2
BEATS_PER_LEASE = 5
LEAST_SHARE = 0.2
"""Nothing is begun with less than this share of the lease left."""


def this_process() -> Process:
    """Which process this is, so that a successor on the same host can tell that it is gone."""
    return Process(_host(), os.getpid(), _started(psutil.Process()))


def _host() -> str:
    boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else str(int(psutil.boot_time()))
    namespace = str(PROCESS_NAMESPACE.readlink()) if PROCESS_NAMESPACE.is_symlink() else ""
    return f"{platform.node()}:{boot}:{namespace}"


def is_gone(process: Process) -> bool:
    """Whether a process of this host and boot has ended (its number may have been given to another since).

    One that ended and was not waited for yet, as in a container without an init process, has ended, too.
    """
    try:
        found = psutil.Process(process.pid)
        other = abs(_started(found) - process.pid_started) > START_TOLERANCE_S
        return other or found.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def _started(process: psutil.Process) -> int:
    """Seconds from the machine's start to that of the process. Psutil tells both by the wall clock, which somebody may
    set meanwhile; how far they are apart stays what it is."""
    booted = psutil.boot_time()
    return int(process.create_time() - booted)


class Lease:
    """The right to claim and to write, renewed by a thread with a monotonic clock of its own.

    `seconds` is the lease's length; `slots` and `version` of the worker stand in its row. When it was lost (the process was frozen, the database away), the worker gets a new
    row and `on_lost` is called: whatever it had in hand has gone to others.
    """

    def __init__(
        self,
        database: Database,
        seconds: float,
        *,
        on_lost: Callable[[], None] = lambda: None,
        slots: int | None = None,
        version: str | None = None,
    ) -> None:
        self._database = database
        self._seconds = seconds
        self._slots = slots
        self._version = version
        self._on_lost = on_lost
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._trusted_until = 0.0
        self.process = this_process()
        self.worker = 0

    def start(self) -> None:
        """Register the worker and begin to beat."""
        self._register()
        self._thread = threading.Thread(target=self._beat_until_stopped, name="durable-heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop beating. The row stays until `retire`."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def remaining(self) -> float:
        """Seconds for which this worker may surely go on, by the monotonic clock; negative when it may not."""
        return self._trusted_until - time.monotonic()

    @property
    def is_fresh(self) -> bool:
        """Whether enough of the lease is left to begin something."""
        return self.remaining() > self._seconds * LEAST_SHARE

    def _register(self) -> None:
        asked = time.monotonic()
        with self._database.statement("register") as connection:
            self.worker = scheduling.register(
                connection, self.process, self._seconds, slots=self._slots, version=self._version
            )
        self._trusted_until = asked + self._seconds

    def _beat_until_stopped(self) -> None:
        while not self._stop.wait(self._seconds / BEATS_PER_LEASE):
            try:
                self._beat()
            except Exception as error:  # noqa: BLE001 - this thread must outlive whatever goes wrong
                log.warning("heartbeat failed: %s", type(error).__name__, extra={"lease_left": self.remaining()})

    def _beat(self) -> None:
        asked = time.monotonic()
        with self._database.statement("heartbeat") as connection:
            alive = scheduling.beat(connection, self.worker, self._seconds)
        if alive:
            self._trusted_until = asked + self._seconds
            return
        log.error("lease lost: this worker was written off and begins anew", extra={"worker": self.worker})
        self._register()
        self._on_lost()
