"""Hints that something is due: at once within the process, by LISTEN/NOTIFY between processes. Polling is underneath,
so a lost hint costs a moment and nothing else."""

import logging
import threading
import time
from collections.abc import Callable
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from durable.postgres.database import Database, Pooled

log = logging.getLogger(__name__)
CHANNEL = "durable_due"
COALESCE_S = 0.01
RECONNECT_S = 1.0
MOST_RECONNECT_S = 300.0
LASTED_S = 60.0


class Notifier:
    """Tells other processes that something is due: many calls within a moment become one NOTIFY.

    NOTIFY takes a lock over all commits of the database, so it stands outside of every transaction that matters.
    """

    def __init__(self, database: Database) -> None:
        self.name = uuid4().hex
        """In whose name it notifies; no other has it."""
        self._database = database
        self._asked = threading.Event()
        self._thread = threading.Thread(target=self._notify_when_asked, name="durable-notify", daemon=True)

    def start(self) -> None:
        """Begin to pass hints on."""
        self._thread.start()

    def __call__(self) -> None:
        """Hint, without waiting."""
        self._asked.set()

    def _notify_when_asked(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            try:
                self._database.notify(CHANNEL, self.name)
            except SQLAlchemyError as error:
                log.warning("hint not sent: %s", type(error).__name__)
            threading.Event().wait(COALESCE_S)


class Listener:
    """Calls `on_hint` for every hint of another than the notifier called `own`, on a connection of its own; behind a
    pooler for none."""

    def __init__(self, database: Database, on_hint: Callable[[], None], own: str) -> None:
        self._own = own
        self._database = database
        self._on_hint = on_hint
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen_until_stopped, name="durable-listen", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening at the next occasion; does not wait."""
        self._stopping.set()

    def _listen_until_stopped(self) -> None:
        pause = RECONNECT_S
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._database.listen(CHANNEL, self._on_hint, self._stopping, deaf_to=self._own)
            except Pooled:
                log.info("not listening, polling only: a pooler is between us and PostgreSQL")
                return
            except SQLAlchemyError as error:
                pause = RECONNECT_S if time.monotonic() - began > LASTED_S else min(pause * 2, MOST_RECONNECT_S)
                log.warning("not listening, polling only for %g s: %s", pause, type(error).__name__)
                self._stopping.wait(pause)
