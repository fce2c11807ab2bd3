"""A worker on strings: it runs to its n-th commit or call, stands still there, and goes on or dies when it is told to.

It has a thread, and only while it moves: whoever pulls the strings waits meanwhile, so what happens is the same each time.
"""

import threading
from itertools import count
from typing import Self

from durable import injection
from durable.testing import InlineWorker

_names = count(1)
LOCKS_ARE_HELD = "commit.before"
"""Who stood still here would hold up everybody else."""


class Death(BaseException):
    """The process dies here: nothing catches this."""


class Puppet:
    """Pulls the strings of one worker. `standing` is the point where it stands still, None while it is idle."""

    def __init__(self, worker: InlineWorker) -> None:
        self.worker = worker
        self.name = f"puppet-{next(_names)}"
        self.standing: str | None = None
        self.is_dead = False
        self._left: int | None = None
        self._dies = False
        self._has_stood = False
        self._trouble: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._stands = threading.Semaphore(0)
        self._moves = threading.Semaphore(0)

    def run(self, points: int | None = None, *, dies: bool = False) -> None:
        """Run, or go on, until nothing is due; or to the `points`-th commit or call from here, to stand or die there."""
        self._left, self._dies = points, dies
        if self._thread is None:
            self._thread = threading.Thread(target=self._act, name=self.name, daemon=True)
            self._thread.start()
        else:
            self.standing = None
            self._moves.release()
        self._stands.acquire()
        if self.standing is None:
            self._thread.join()
            self._thread = None
        if self._trouble is not None:
            raise self._trouble

    def die(self) -> None:
        """Die where it stands."""
        if self.standing is not None:
            self.run(0, dies=True)
        self.is_dead = True

    def bury(self) -> None:
        """Stop its heart. The row stays, as it does when a process is killed."""
        self.die()
        self.worker._lease.stop()

    def reached(self, point: str) -> None:
        """It has come to a point: pass, stand still, or die."""
        if self._left is None:
            return
        self._left -= 1
        if self._left > 0:
            return
        if self._dies:
            raise Death(point)
        if point.startswith(LOCKS_ARE_HELD):
            return
        self.standing, self._has_stood = point, True
        self._stands.release()
        self._moves.acquire()
        if self._dies and self._left == 0:
            raise Death(point)

    def _act(self) -> None:
        try:
            self.worker.run_until_idle()
            while self._has_stood:  # what became due meanwhile it may have looked for before
                self._has_stood = False
                self.worker.run_until_idle()
        except Death:
            self.is_dead = True
        except BaseException as error:  # noqa: BLE001 - raised where the strings are pulled
            self._trouble = error
        finally:
            self.standing = None
            self._stands.release()


class Strings:
    """The hook that tells puppets by their threads; everybody else passes every point."""

    def __init__(self) -> None:
        self._puppets: dict[str, Puppet] = {}

    def attach(self, worker: InlineWorker) -> Puppet:
        """A puppet that moves this worker."""
        puppet = Puppet(worker)
        self._puppets[puppet.name] = puppet
        return puppet

    def __enter__(self) -> Self:
        injection.install(self._reached)
        return self

    def __exit__(self, *_: object) -> None:
        injection.install(None)

    def _reached(self, point: str) -> None:
        puppet = self._puppets.get(threading.current_thread().name)
        if puppet is not None:
            puppet.reached(point)
