"""Counts the round trips between clients and PostgreSQL, by standing between them.

In PostgreSQL's protocol the server ends each answer with ReadyForQuery, so each of these is one round trip
(https://www.postgresql.org/docs/current/protocol-message-formats.html).
"""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from sqlalchemy.engine import make_url

READY = b"Z"
CHUNK = 65_536


class Counted:
    """What has come by so far, on all connections."""

    def __init__(self) -> None:
        self.round_trips = 0
        self._lock = threading.Lock()

    def see(self, kind: bytes) -> None:
        """One message of the server."""
        if kind == READY:
            with self._lock:
                self.round_trips += 1


@contextmanager
def counting(url: str, folder: Path) -> Iterator[tuple[str, Counted]]:
    """An address that leads to the server of `url` by a Unix socket in `folder`, and what came by there."""
    address = make_url(url)
    socket_name = f".s.PGSQL.{address.query['port']}"
    behind = f"{address.query['host']}/{socket_name}"
    counted = Counted()

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(behind)
                asking = threading.Thread(target=_pass_on, args=(self.request, server))
                asking.start()
                _pass_on_and_see(server, self.request, counted)
                asking.join()

    with socketserver.ThreadingUnixStreamServer(str(folder / socket_name), Connection) as door:
        thread = threading.Thread(target=door.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield address.set(query=dict(address.query) | {"host": str(folder)}).render_as_string(False), counted
        finally:
            door.shutdown()
            thread.join()


def _pass_on(client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError):
        while chunk := client.recv(CHUNK):
            server.sendall(chunk)
    with suppress(OSError):
        server.shutdown(socket.SHUT_RDWR)


def _pass_on_and_see(server: socket.socket, client: socket.socket, counted: Counted) -> None:
    with suppress(OSError), server.makefile("rb") as answers:
        while message := _message(answers):
            kind, length, body = message
            counted.see(kind)
            client.sendall(kind + length + body)
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)


def _message(answers: IO[bytes]) -> tuple[bytes, bytes, bytes] | None:
    """A letter, the length of what follows with the length itself, and the rest; None at the end."""
    kind, length = answers.read(1), answers.read(4)
    return (kind, length, answers.read(int.from_bytes(length) - 4)) if length else None
