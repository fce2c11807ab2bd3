"""A proxy in front of PostgreSQL that loses connections on purpose: all of them, or one at a chosen commit.

It understands as much of the protocol as that takes: messages are a type and a length, a simple query is answered up to
ReadyForQuery, which says whether a transaction is open.
https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

import re
import selectors
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Thread
from types import TracebackType
from typing import Literal, NamedTuple, Self

from sqlalchemy.engine import make_url

Moment = Literal["before", "answer"]
"""When a connection is cut: before PostgreSQL gets the commit, or when its answer is there and before it is passed on."""

_LENGTH = struct.Struct("!i")
_ASKS_FOR_ENCRYPTION = (_LENGTH.pack(80877103), _LENGTH.pack(80877104))  # SSLRequest, GSSENCRequest
_WRITES = re.compile(r"\b(?:INSERT|UPDATE|DELETE|pg_notify)\b")
_CHUNK = 1 << 16


class Commit(NamedTuple):
    """One commit that came through: its number from 1, and the statements that it commits."""

    number: int
    statements: str


class PostgresProxy:
    """Listens on a free port of 127.0.0.1 and passes connections on to the server of `database_url`.

    A commit is a COMMIT, or a statement that writes outside of a transaction; `counted` says which of them count.
    `statements` is everything that was asked, in its order; `broken` are the commits whose connection was cut.
    """

    def __init__(self, database_url: str, *, counted: Callable[[str], object] = bool) -> None:
        target = make_url(database_url)
        self._target = (str(target.query.get("host") or target.host), int(str(target.query.get("port") or target.port)))
        self._counted = counted
        self._lock = Lock()
        self._links: set[_Link] = set()
        self._refusing = False
        self._cut: tuple[tuple[int, ...], Moment] = ((), "before")
        self.broken: list[Commit] = []
        self.commits: list[Commit] = []
        self.statements: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        here = target.set(drivername="postgresql", host="127.0.0.1", port=self._listening.getsockname()[1], query={})
        self.url = here.render_as_string(hide_password=False)
        Thread(target=self._accept_until_closed, name="postgres-proxy", daemon=True).start()

    def drop(self) -> int:
        """Cut every connection; returns how many there were."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.cut()
        return len(links)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Cut every connection, and take no new one until the block ends."""
        with self._lock:
            self._refusing = True
        self.drop()
        try:
            yield
        finally:
            self._refusing = False

    def cut_at(self, *numbers: int, moment: Moment) -> None:
        """Cut the connections of the commits that will have these numbers, counted from now; the others go on."""
        with self._lock:
            self.commits.clear()
            self._cut = (numbers, moment)

    def mend(self) -> None:
        """Cut nothing from now on, and count from 1 again."""
        with self._lock:
            self.commits.clear()
            self._cut = ((), "before")

    def close(self) -> None:
        """Stop listening and cut what is open."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def asked(self, statement: str) -> None:
        """Note a statement (for a link)."""
        self.statements.append(statement)

    def committing(self, statements: str) -> Moment | None:
        """Count a commit and find out when its connection is to be cut, if at all (for a link)."""
        if not self._counted(statements):
            return None
        with self._lock:
            commit = Commit(len(self.commits) + 1, statements)
            self.commits.append(commit)
            numbers, moment = self._cut
            if commit.number not in numbers:
                return None
            self.broken.append(commit)
            return moment

    def ended(self, link: "_Link") -> None:
        """Forget a connection (for a link)."""
        with self._lock:
            self._links.discard(link)

    def _accept_until_closed(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                link = None if self._refusing else self._link(client)
                if link is None:
                    client.close()
                    continue
                self._links.add(link)
            Thread(target=link.run, name="postgres-proxy-link", daemon=True).start()

    def _link(self, client: socket.socket) -> "_Link | None":
        try:
            return _Link(self, client, _connected(self._target))
        except OSError:  # the server is away, and its client finds that out as it would without us
            return None


class _Link:
    """One client's connection and the server's, served by one thread."""

    def __init__(self, proxy: PostgresProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._asked = _Messages(typed=False)
        self._answered = _Messages()
        self._statements: list[str] = []
        self._in_transaction = False
        self._cut_with_answer = False

    def run(self) -> None:
        """Pass on in both directions until somebody hangs up or is cut."""
        with suppress(OSError), selectors.DefaultSelector() as selector:
            selector.register(self._client, selectors.EVENT_READ, self._from_client)
            selector.register(self._server, selectors.EVENT_READ, self._from_server)
            while all(key.data() for key, _ in selector.select()):
                pass
        self._proxy.ended(self)
        self._client.close()
        self._server.close()

    def cut(self) -> None:
        """End both connections. What the server was asked for and can do without an answer, it still does."""
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _from_client(self) -> bool:
        received = self._client.recv(_CHUNK)
        for kind, body in self._asked.take(received):
            if not kind and body[:4] in _ASKS_FOR_ENCRYPTION:
                self._client.sendall(b"N")
                continue
            self._asked.typed = True
            if kind == b"Q" and self._is_cut_before(body[:-1].decode()):
                return False
            if kind == b"P":
                self._proxy.asked(f"PREPARE {body!r}")
            self._server.sendall(kind + _LENGTH.pack(len(body) + 4) + body)
        return bool(received)

    def _is_cut_before(self, statement: str) -> bool:
        self._proxy.asked(statement)
        self._statements.append(statement)
        commits = statement == "COMMIT" if self._in_transaction else _WRITES.search(statement)
        moment = self._proxy.committing("\n".join(self._statements)) if commits else None
        self._cut_with_answer = moment == "answer"
        return moment == "before"

    def _from_server(self) -> bool:
        received = self._server.recv(_CHUNK)
        for kind, body in self._answered.take(received):
            if kind != b"Z":
                continue
            if self._cut_with_answer:
                return False
            self._in_transaction = body != b"I"
            if not self._in_transaction:
                self._statements.clear()
        if not self._cut_with_answer:
            self._client.sendall(received)
        return bool(received)


class _Messages:
    """Puts the messages of one direction together: a type (the first ones of a client have none) and a body."""

    def __init__(self, *, typed: bool = True) -> None:
        self.typed = typed
        self._rest = b""

    def take(self, received: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The messages that are complete with these bytes."""
        self._rest += received
        while len(self._rest) >= self.typed + 4:
            begin = int(self.typed)
            (length,) = _LENGTH.unpack_from(self._rest, begin)
            end = begin + length
            if len(self._rest) < end:
                return
            kind, body = self._rest[:begin], self._rest[begin + 4 : end]
            self._rest = self._rest[end:]
            yield kind, body


def _connected(target: tuple[str, int]) -> socket.socket:
    """A connection to the server, by the folder of its Unix socket or by host and port."""
    host, port = target
    if not host.startswith("/"):
        server = socket.create_connection(target)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return server
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{host}/.s.PGSQL.{port}")
    return server
