"""How a process is asked to end: the first SIGTERM, Ctrl-C or hang-up politely, the second at once."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopping:
    """Whether the process was asked to end. Construct it once, in the main thread.

    Signals are read from a pipe by a thread: a Python handler would run inside whatever the main thread is doing, where
    the lock it needs may be held, and not at all while the main thread waits for the database.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in _SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # else started with nohup
                signal.signal(number, _leave_it_to_the_pipe)
        threading.Thread(target=self._watch, args=(reading,), name="signals", daemon=True).start()

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Call this, in another thread, when the process is asked to end; at once if it was already."""
        with self._lock:
            self._callbacks.append(callback)
            if self._asked.is_set():
                callback()

    def is_asked(self) -> bool:
        """Whether the process was asked to end."""
        return self._asked.is_set()

    def wait(self) -> None:
        """Wait until the process is asked to end."""
        self._asked.wait()

    def _watch(self, reading: int) -> None:
        while True:
            number = os.read(reading, 1)[0]
            if number not in _SIGNALS:
                continue
            if self._asked.is_set():
                os._exit(128 + number)  # at once: everything that matters is in the database
            with self._lock:
                self._asked.set()
                for callback in self._callbacks:
                    callback()


def _leave_it_to_the_pipe(_number: int, _frame: FrameType | None) -> None:
    """Python writes the number of each signal that has a handler to the pipe; more is not to be done here."""
