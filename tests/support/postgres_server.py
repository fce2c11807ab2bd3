"""One PostgreSQL for a whole test session, shared by all xdist workers: the bot's own embedded one, made quick."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bot.embedded import EmbeddedPostgres
from bot.postgres_place import prepare
from bot.postmaster import Postmaster
from tests.support.chaos import IS_LONG

# Only tests that kill the database itself need what a disk keeps; those start their own.
_QUICK = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "10min",
}
_PREFIX = "vigil-tests-"
_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder in it is the session's own
_ROOM = 4 * 1024**3
# Until the process ends: the worker that started the server may leave before the others, and a forgotten child is
# a warning, which is an error here.
_kept: list[EmbeddedPostgres] = []


def session_folder(controller: int) -> Path:
    """Where the session of this pytest controller (a process id) is to keep its server: in memory where there is room,
    because a disk's file system takes longer to make a database's files, and to forget them, than PostgreSQL does."""
    in_memory = not IS_LONG and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM
    return (_MEMORY if in_memory else Path(tempfile.gettempdir())) / f"{_PREFIX}{controller}"


@contextmanager
def session_server(folder: Path) -> Iterator[str]:
    """The session's server, by the address of its database `postgres`. The first worker starts it, the last stops it."""
    folder.mkdir(mode=0o755, exist_ok=True)
    server = EmbeddedPostgres(folder / "home", settings=_QUICK, roots_folder=folder / "data")
    _kept.append(server)
    with server.running(stop_within=2) as url:  # it may be the child of another worker, whom we cannot wait for
        yield url


def remove(folder: Path) -> None:
    """Remove the session's data, and stop its server if whoever used it was killed."""
    if not folder.exists():
        return
    Postmaster(prepare(folder / "home", folder / "data"), {}).stop(within=20)
    shutil.rmtree(folder, ignore_errors=True)


def sweep_abandoned() -> None:
    """Remove what sessions left behind whose pytest was killed."""
    for base in (_MEMORY, Path(tempfile.gettempdir())):
        for folder in base.glob(f"{_PREFIX}[0-9]*"):
            if not psutil.pid_exists(int(folder.name.removeprefix(_PREFIX))):
                remove(folder)
