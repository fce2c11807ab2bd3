"""The embedded PostgreSQL that all processes of one `VIGIL_HOME` share: the first starts it, the last stops it."""

import fcntl
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import structlog

from bot.postgres_place import LOCATION_FILE, ROOTS_FOLDER, EmbeddedPostgresError, Place, prepare
from bot.postmaster import Postmaster
from bot.tries import tries

_log = structlog.get_logger(__name__)


class EmbeddedPostgres:
    """A PostgreSQL with its data in `home` (root's lie below `/var/lib/vigil`), reached by a private Unix socket.

    Who owns it: every process that uses it holds a shared lock while it does, which the system takes back however the
    process ends. The first to come starts the server or adopts the one a killed bot left; the last to leave stops it.
    `settings` are further PostgreSQL settings, e.g. `{"fsync": "off"}` in tests.
    """

    def __init__(
        self, home: Path, *, settings: Mapping[str, str] | None = None, roots_folder: Path = ROOTS_FOLDER
    ) -> None:
        self._home = home
        self._settings = dict(settings or {})
        self._roots_folder = roots_folder
        self._place: Place | None = None
        self._postmaster: Postmaster | None = None

    def exists(self) -> bool:
        """Whether this home has a database already. Creates nothing."""
        return (self._home / "postgres" / "data").exists() or (self._home / LOCATION_FILE).exists()

    @contextmanager
    def running(self, *, start_within: float = 60.0, stop_within: float = 10.0) -> Iterator[str]:
        """Use the server for as long as the block lasts; gives its SQLAlchemy URL. Times are in seconds. A stop that
        takes longer goes on by itself. Raises `EmbeddedPostgresError` with the remedy."""
        place = self._place = prepare(self._home, self._roots_folder)
        postmaster = self._postmaster = Postmaster(place, self._settings)
        with _lock_file(place, "users.lock") as users:
            with _exclusively(place, start_within):
                found = postmaster.running()
                server = postmaster.ensure(start_within)
                fcntl.flock(users, fcntl.LOCK_SH)
            adopted = found is not None and found.process == server.process
            _log.info("postgres.adopted" if adopted else "postgres.started", pid=server.process.pid)
            try:
                yield server.url
            finally:
                self._leave(place, postmaster, users, stop_within)

    def revive(self) -> bool:
        """Start the server again if it died under us (out of memory, say); True if it had to. Inside `running()`."""
        if self._place is None or self._postmaster is None or self._postmaster.running() is not None:
            return False
        with _exclusively(self._place, within=60.0):
            self._postmaster.ensure(60.0)
        return True

    def remove(self, *, within: float = 10.0) -> None:
        """Delete this home's database for good, also where it lies outside of the home; for demos and tests. A server
        that a killed process left behind is stopped. Raises `EmbeddedPostgresError` while somebody uses it."""
        if not self.exists():
            return
        place = prepare(self._home, self._roots_folder)
        with _exclusively(place, within), _lock_file(place, "users.lock") as users:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as problem:
                raise EmbeddedPostgresError(f"{place.data} is in use; end the processes that use it first") from problem
            if not Postmaster(place, self._settings).stop(within):
                raise EmbeddedPostgresError(f"{place.data}: PostgreSQL is still stopping; try again")
            shutil.rmtree(place.base)
        (self._home / LOCATION_FILE).unlink(missing_ok=True)

    def _leave(self, place: Place, postmaster: Postmaster, users: IO[str], stop_within: float) -> None:
        with suppress(EmbeddedPostgresError), _exclusively(place, stop_within):
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _log.info("postgres.left_running", reason="another process uses it")
                postmaster.let_go()
                return
            if not postmaster.stop(stop_within):
                _log.warning("postgres.still_stopping", seconds=stop_within)


def _lock_file(place: Place, name: str) -> IO[str]:
    """A file to lock that only its owner may open: whoever can read a file can hold its lock for ever."""
    path = place.base / name
    path.touch(mode=0o600)
    return path.open("a")


@contextmanager
def _exclusively(place: Place, within: float) -> Iterator[None]:
    """Hold the lock under which the server is started and stopped. Raises when others hold it `within` seconds."""
    with _lock_file(place, "start.lock") as lock:
        for _ in tries(within, every=0.02):
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
        else:
            raise EmbeddedPostgresError(
                f"{lock.name} is held by another process that starts or stops PostgreSQL; end that process"
            )
        yield
