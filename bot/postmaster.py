"""One PostgreSQL server process on one data directory: made, started, recognised, adopted, stopped."""

import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
from sqlalchemy.engine import URL

from bot.postgres_binaries import Binaries, find
from bot.postgres_place import EmbeddedPostgresError, Place
from bot.tries import tries

SUPERUSER = "vigil"
_PORT = 5432  # only part of the socket's file name: nothing listens on a network
_SOCKET = f".s.PGSQL.{_PORT}"
_LONGEST_SOCKET_FOLDER = 103 - len(f"/{_SOCKET}")  # the shortest limit of the systems we run on, in bytes
_TEMPORARY = Path("/tmp")  # noqa: S108 - TMPDIR may be deep; what we make there is private to us
# The shortest question to which PostgreSQL has an answer, "N" on a Unix socket, whoever asks and however full it is:
# https://www.postgresql.org/docs/current/protocol-message-formats.html
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_ANSWER_WITHIN = 1.0
_LONGEST_LOG = 10 * 1024 * 1024
_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "huge_pages": "off",
    "io_method": "sync",  # no helper processes that sit idle
    "jit": "off",
    "idle_in_transaction_session_timeout": "5min",  # a process frozen in a transaction holds its workflow no longer
    "wal_level": "minimal",  # nothing replicates from an embedded database
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True)
class Running:
    """A live server: its process, where its socket is, and the word in its pid file (`ready`, `starting` …)."""

    process: psutil.Process
    socket: Path
    status: str

    @property
    def url(self) -> str:
        """How SQLAlchemy reaches it."""
        address = URL.create(
            "postgresql+psycopg2",
            username=SUPERUSER,
            database="postgres",
            query={"host": str(self.socket), "port": str(_PORT)},
        )
        return address.render_as_string(hide_password=False)


class Postmaster:
    """The server of one place. Whoever calls `ensure` or `stop` holds the lock for it (see `bot.embedded`)."""

    def __init__(self, place: Place, settings: Mapping[str, str]) -> None:
        self._place = place
        self._settings = {**_SETTINGS, **settings}
        self._child: subprocess.Popen[bytes] | None = None

    def running(self) -> Running | None:
        """The live server on our data, whoever started it. A pid file whose process is another's counts as none."""
        if self._child is not None:
            self._child.poll()  # a child that ended is no zombie any more
        lines = _lines_of(self._place.data / "postmaster.pid")
        if len(lines) < 5 or not lines[0].isdigit():
            return None
        process = self._our_process(int(lines[0]))
        status = lines[7] if len(lines) > 7 else "starting"
        return None if process is None else Running(process, Path(lines[4]), status)

    def ensure(self, within: float) -> Running:
        """The server, ready for connections: the one that runs already, or one started now on the same data.
        Raises `EmbeddedPostgresError` with the remedy when it is not ready `within` seconds."""
        deadline = time.monotonic() + within
        is_started = False
        for _ in tries(within, every=0.01):
            found = self.running()
            if found is not None and found.status == "ready" and _accepts(found.socket):
                return found
            if found is None and not is_started:  # one that was stopping is gone by now
                binaries = find(self._place)
                self._make_data(binaries)
                self._start(binaries, self._clear_remains(deadline))
                is_started = True
            elif found is None and (self._child is None or self._child.poll() is not None):
                break
        told = " ".join(_lines_of(self._place.log)[-1:])
        raise EmbeddedPostgresError(f"PostgreSQL is not ready ({told}); see {self._place.log}, or set DATABASE_URL")

    def stop(self, within: float) -> bool:
        """Stop the server (fast: connections are closed, data are flushed). False when it needs longer than `within`
        seconds; it then ends by itself, and a new start waits for that."""
        found = self.running()
        if found is None:
            return True
        try:
            found.process.send_signal(signal.SIGINT)
            found.process.wait(within)
        except psutil.NoSuchProcess:
            pass
        except psutil.TimeoutExpired:
            return False
        if self._child is not None:
            self._child.poll()
        self._remove_short_socket(found.socket)
        return True

    def _our_process(self, pid: int) -> psutil.Process | None:
        """The process, if it is a PostgreSQL of our account on our data: pids are used again, also by others."""
        try:
            process = psutil.Process(pid)
            arguments = process.cmdline()
            is_ours = (
                process.status() != psutil.STATUS_ZOMBIE
                and process.uids().real == self._place.account.uid
                and Path(arguments[0]).name == "postgres"
                and str(self._place.data) in arguments
            )
        except (psutil.Error, IndexError):
            return None
        return process if is_ours else None

    def _make_data(self, binaries: Binaries) -> None:
        major = binaries.major()
        made_by = _lines_of(self._place.data / "PG_VERSION")
        if made_by == [str(major)]:
            return
        if made_by:
            raise EmbeddedPostgresError(
                f"{self._place.data} was made by PostgreSQL {made_by[0]}, and this Vigil brings PostgreSQL {major}; "
                f"start the former Vigil and take a dump, or move the folder away, or set DATABASE_URL to a "
                f"PostgreSQL {made_by[0]} on it"
            )
        for half_made in self._place.base.glob("data.new-*"):  # left by a first start that was killed
            shutil.rmtree(half_made, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix="data.new-", dir=self._place.base))
        self._place.own_folder(fresh)
        self._initialise(binaries, fresh)
        fresh.rename(self._place.data)

    def _initialise(self, binaries: Binaries, folder: Path) -> None:
        command = [str(binaries.initdb), "-D", str(folder), "-U", SUPERUSER, "--encoding=UTF8", "--locale=C"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--auth=reject", "--no-instructions"]
        user, group, extra_groups = self._place.runs_as
        made = subprocess.run(  # noqa: S603 - the program of a locked wheel, no outside input
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd=self._place.base,
            env=_ENVIRONMENT,
            umask=0o077,
            user=user,
            group=group,
            extra_groups=extra_groups,
        )
        if made.returncode != 0:
            told = (made.stderr.strip() or made.stdout.strip()).splitlines()[-1:]
            raise EmbeddedPostgresError(
                f"{folder}: no database could be made ({' '.join(told)}); check the space and the rights there, or set DATABASE_URL"
            )

    def _clear_remains(self, deadline: float) -> Path | None:
        """After a kill -9: wait for orphaned server processes (they notice at once that the server is gone), and only
        then remove what names the dead server. PostgreSQL would hold it for alive when another process, or an
        unreaped zombie (in containers), has its pid. Returns where the dead server's socket was."""
        while orphans := _processes_in(self._place.data):
            if time.monotonic() > deadline:
                pids = ", ".join(str(process.pid) for process in orphans)
                raise EmbeddedPostgresError(f"{self._place.data} is still in use by the processes {pids}; end them")
            psutil.wait_procs(orphans, timeout=0.1)
        pid_file = self._place.data / "postmaster.pid"
        lines = _lines_of(pid_file)
        former = Path(lines[4]) if len(lines) > 4 else None
        if former is not None:
            self._remove_short_socket(former)
        for stale in (pid_file, self._place.socket / f"{_SOCKET}.lock", self._place.socket / _SOCKET):
            stale.unlink(missing_ok=True)
        return former

    def _start(self, binaries: Binaries, former_socket: Path | None) -> None:
        base = self._place.base
        hba = _write(base / "pg_hba.conf", f"local all {SUPERUSER} peer map={SUPERUSER}\n")
        users = {"root", self._place.account.name}
        ident = _write(base / "pg_ident.conf", "".join(f'{SUPERUSER} "{user}" {SUPERUSER}\n' for user in sorted(users)))
        files = {
            "hba_file": str(hba),
            "ident_file": str(ident),
            "unix_socket_directories": str(self._socket_folder(former_socket)),
        }
        command = [str(binaries.postgres), "-D", str(self._place.data), "-p", str(_PORT)]
        for name, value in {**self._settings, **files}.items():
            command += ["-c", f"{name}={value}"]
        user, group, extra_groups = self._place.runs_as
        if self._child is not None:
            self._child.poll()  # it has ended, but Popen warns, when it is collected, of a child nobody asked about
        with self._open_log() as log:
            # A session of its own: neither Ctrl-C in the terminal nor the bot's SIGKILL reaches it.
            self._child = subprocess.Popen(  # noqa: S603 - the program of a locked wheel, no outside input
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self._place.base,
                env=_ENVIRONMENT,
                umask=0o077,
                user=user,
                group=group,
                extra_groups=extra_groups,
            )

    def let_go(self) -> None:
        """Leave the server running for its other users; it is nobody's child to wait for."""
        if self._child is not None and self._child.poll() is None:
            self._child.returncode = 0  # or Popen warns, when it is collected, of a child that still runs
        self._child = None

    def _open_log(self) -> IO[bytes]:
        log = self._place.log
        log.touch(mode=0o600)  # what people wrote may stand in it
        if log.stat().st_size > _LONGEST_LOG:
            log.replace(log.with_suffix(".log.1"))
            log.touch(mode=0o600)
        return log.open("ab")

    def _socket_folder(self, former: Path | None) -> Path:
        """The place's own folder, or a private short one when a deep VIGIL_HOME would break the limit of socket paths.
        A short one is made again where it was: others may still know the server by that address."""
        folder = self._place.socket
        if len(os.fsencode(folder)) > _LONGEST_SOCKET_FOLDER:
            folder = self._short_folder(former)
        self._place.own_folder(folder)
        return folder

    def _short_folder(self, former: Path | None) -> Path:
        if former is not None and _is_short_folder(former):
            try:
                former.mkdir(mode=0o700)
            except FileExistsError:
                pass  # somebody else's by now
            else:
                return former
        return Path(tempfile.mkdtemp(prefix="vigil-", dir=_TEMPORARY))

    def _remove_short_socket(self, folder: Path) -> None:
        if folder != self._place.socket and _is_short_folder(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_short_folder(folder: Path) -> bool:
    return folder.parent == _TEMPORARY and folder.name.startswith("vigil-")


def _accepts(folder: Path) -> bool:
    """Whether a live server answers in this folder. A pid file says `ready` also of one that dies this moment, and the
    system takes a connection for one that is dead in all but name: only an answer counts."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_ANSWER_WITHIN)
        try:
            client.connect(str(folder / _SOCKET))
            client.sendall(_SSL_REQUEST)
            return client.recv(1) == b"N"
        except OSError:
            return False


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)  # PostgreSQL's account reads them; they hold no secret
    return path


def _lines_of(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return []


def _processes_in(data: Path) -> list[psutil.Process]:
    """Server processes work in their data directory, so it tells them apart from those of other servers."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and process.cwd() == str(data) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found
