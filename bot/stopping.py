"""How a process is asked to end: the first SIGTERM or Ctrl-C politely, the second at once."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """Whether the process was asked to end. Construct it in the main thread."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._callbacks: list[Callable[[], None]] = []
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Call this when the process is asked to end; in a signal handler, so it must only take a note."""
        self._callbacks.append(callback)
        if self._asked.is_set():
            callback()

    def wait(self) -> None:
        """Wait until the process is asked to end."""
        self._asked.wait()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._asked.is_set():
            os._exit(128 + number)  # at once: everything that matters is in the database
        self._asked.set()
        for callback in self._callbacks:
            callback()
