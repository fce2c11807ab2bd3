"""A wall clock for one process: ahead of the machine's, behind it, and set anew while the process runs.

It is libfaketime, preloaded. The monotonic clock stays what it is, as it does when an operator sets a machine's clock.
"""

from importlib.util import find_spec
from pathlib import Path

import psutil

SHARED = Path("/dev/shm")  # noqa: S108 - where the C library keeps shared memory and semaphores


class WallClock:
    """The clock of the processes that were started with its `environment`; at first it goes right.

    `file` is where the library reads how far off it is, anew every second.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, ahead: float) -> None:
        """Let it be so many seconds ahead of the machine's clock (negative: behind)."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{ahead:+.0f}\n")
        fresh.rename(self._file)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to have this clock (the names of the variables are libfaketime's)."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


def forget_the_dead() -> None:
    """Remove what the library shares between processes, where the process that made it was killed."""
    for left in (*SHARED.glob("faketime_shm_*"), *SHARED.glob("sem.faketime_sem_*")):
        if not psutil.pid_exists(int(left.name.rpartition("_")[2])):
            left.unlink(missing_ok=True)


def _library() -> Path:
    """The library in the installed wheel. Raises AssertionError when there is none for this machine."""
    package = find_spec("libfaketime")
    assert package is not None, "libfaketime is not installed: run `make setup`"
    assert package.origin is not None
    library = Path(package.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    assert library.exists(), f"{library} is missing: the wheel of libfaketime has none for this machine"
    return library
