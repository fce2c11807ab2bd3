"""pgbouncer in transaction mode in front of a test's database: found on this machine, or fetched as Debian's package.

The package is unpacked beside the virtual environment and not installed: to install it would start a service, and might
make a new account for PostgreSQL in the middle of a test session.
"""

import fcntl
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from sqlalchemy.engine import URL, make_url

from bot.demo.ports import free_port
from bot.demo.waiting import eventually
from tests.support.documents import OPERATIONS

PACKAGE = "pgbouncer"
_UNPACKED = Path(sys.prefix) / PACKAGE
_READY_WITHIN = 20.0


class PgbouncerMissing(Exception):
    """There is no pgbouncer and none could be fetched. The text says why, and the remedy."""


@dataclass(frozen=True)
class Pgbouncer:
    """A running pgbouncer. `url` is the address of the database through it."""

    url: str
    port: int

    def pool(self) -> dict[str, int]:
        """What its console tells of the database's pool, e.g. `cl_active`, `sv_idle`."""
        with self._console() as cursor:
            cursor.execute("SHOW POOLS")
            names = [column.name for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        found = next((row for row in rows if row["database"] == make_url(self.url).database), {})
        return {name: value for name, value in found.items() if isinstance(value, int)}

    @contextmanager
    def _console(self) -> Iterator[Any]:
        console = psycopg2.connect(host="127.0.0.1", port=self.port, dbname="pgbouncer", user="console")
        console.autocommit = True
        try:
            yield console.cursor()
        finally:
            console.close()


@contextmanager
def pooled(database_url: str, folder: Path, *, pool_size: int = 4) -> Iterator[Pgbouncer]:
    """A pgbouncer in front of this database with `pool_size` connections to it. Its files lie in `folder`.

    Raises `PgbouncerMissing`.
    """
    program, libraries = _program()
    target, port = make_url(database_url), free_port()
    settings = folder / "pgbouncer.ini"
    settings.write_text(_settings(target, port, pool_size, newer=_has_prepared_statements(program, libraries)))
    log = folder / "pgbouncer.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, *_as_somebody_else(target), settings],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | libraries,
        )
    address = target.set(drivername="postgresql", host="127.0.0.1", port=port, query={})
    try:
        eventually(lambda: _answers(process, port), within=_READY_WITHIN, ignoring=(OSError,))
        yield Pgbouncer(address.render_as_string(hide_password=False), port)
    finally:
        process.terminate()  # at once, whoever is connected
        process.wait(10)
        print(log.read_text(errors="replace")[-5_000:])  # noqa: T201 - captured by pytest, seen when the test failed


def _settings(target: URL, port: int, pool_size: int, *, newer: bool) -> str:
    """Its configuration: what docs/operations.md tells operators, and what differs from test to test."""
    address = {
        "host": target.query.get("host") or target.host or "127.0.0.1",
        "port": target.query.get("port") or target.port or 5432,
        "user": target.username,
        "password": target.password,
    }
    (told,) = OPERATIONS.blocks("ini")
    lines = [
        "[databases]",
        "* = " + " ".join(f"{name}={value}" for name, value in address.items() if value),
        re.sub(r"(?m)^default_pool_size = .*$", f"default_pool_size = {pool_size}", told),
        "listen_addr = 127.0.0.1",
        f"listen_port = {port}",
        "unix_socket_dir =",
        "auth_type = any",
        "server_reset_query =",
        *(["max_prepared_statements = 0"] if newer else []),
    ]
    return "\n".join([*lines, ""])


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    assert process.poll() is None, f"pgbouncer ended with {process.returncode}"
    socket.create_connection(("127.0.0.1", port), 1).close()
    return True


def _as_somebody_else(target: URL) -> list[str]:
    """pgbouncer refuses to run as root: it becomes the owner of PostgreSQL's socket, whom PostgreSQL trusts there."""
    if os.geteuid() != 0:
        return []
    folder = str(target.query.get("host") or "")
    owner = Path(folder).stat().st_uid if folder.startswith("/") else 0
    return ["-u", pwd.getpwuid(owner).pw_name if owner else "nobody"]


def _has_prepared_statements(program: str, libraries: dict[str, str]) -> bool:
    """Since 1.21 it can follow prepared statements from connection to connection, and has a setting for it."""
    told = subprocess.run(
        [program, "--version"], env=os.environ | libraries, capture_output=True, text=True, check=True
    ).stdout
    major, minor = told.split()[1].split(".")[:2]
    return (int(major), int(minor)) >= (1, 21)


def _program() -> tuple[str, dict[str, str]]:
    """Where pgbouncer is, and what its environment needs beside ours."""
    installed = shutil.which(PACKAGE) or shutil.which(PACKAGE, path="/usr/sbin:/usr/local/sbin")
    if installed:
        return installed, {}
    with _only_one_fetches():
        if not _unpacked_program().exists():
            _fetch()
    libraries = ":".join(sorted(str(folder) for folder in _UNPACKED.glob("usr/lib/*-linux-*")))
    return str(_unpacked_program()), {"LD_LIBRARY_PATH": libraries}


def _unpacked_program() -> Path:
    return _UNPACKED / "usr" / "sbin" / PACKAGE


def _fetch() -> None:
    """Unpack Debian's package, and what it needs that is not installed."""
    remedy = "install it with `apt-get install pgbouncer`"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise PgbouncerMissing(f"pgbouncer is not on this machine, and only root on Debian can fetch it: {remedy}")
    archives = _UNPACKED / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    fetch = ["apt-get", "-y", "--no-install-recommends", "--download-only", "-o", f"Dir::Cache::Archives={archives}"]
    fetch += ["install", PACKAGE]
    if subprocess.run(fetch, capture_output=True, check=False).returncode:  # the lists of packages may be old
        subprocess.run(["apt-get", "update"], capture_output=True, check=False)
        again = subprocess.run(fetch, capture_output=True, text=True, check=False)
        if again.returncode:
            raise PgbouncerMissing(f"Debian's pgbouncer could not be fetched ({again.stderr.strip()}): {remedy}")
    for archive in archives.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", archive, _UNPACKED], capture_output=True, check=True)


@contextmanager
def _only_one_fetches() -> Iterator[None]:
    _UNPACKED.mkdir(exist_ok=True)
    with (_UNPACKED / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
