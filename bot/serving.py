"""Running the roles of one process: web, worker, or both, from start to a clean end."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import structlog
import uvicorn

from bot import compose, programs
from bot.clock import Clock
from bot.database import migrated_database
from bot.stopping import Stopping
from bot.web import Services, create_app
from config.policy import Policy
from config.settings import Settings
from durable.worker import Worker
from durable.worker.hints import Notifier

_GRACE = 3.0  # seconds that calls under way get to end
_OPEN_REQUESTS = 1  # seconds that open requests get to end
_EMBEDDED_STOP = 1.0
_BACKLOG = 2048
_log = structlog.get_logger(__name__)


class PortTaken(Exception):
    """The address cannot be listened on. The text names it and the remedy."""


@dataclass(frozen=True)
class Roles:
    """What this process does."""

    web: bool
    worker: bool

    def __str__(self) -> str:
        """For the log: `web and worker`."""
        return " and ".join(name for name, wanted in (("web", self.web), ("worker", self.worker)) if wanted)


class _Server(uvicorn.Server):
    """Uvicorn, with the signals left to us: it would raise them again once it has ended."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def run(settings: Settings, policy: Policy, roles: Roles, stopping: Stopping) -> None:
    """Run until the process is asked to end, then end cleanly within five seconds.

    Raises `SettingsError`, `PortTaken`, `DatabaseUnreachable`, `EmbeddedPostgresError` and `SchemaMismatch` before
    anything was begun.
    """
    outside = compose.connect_outside(settings)
    added = programs.load(settings.modules, settings.flows)
    size = compose.connections_for(web=roles.web, worker=roles.worker)
    with ExitStack() as stack:
        listening = stack.enter_context(listen(settings.host, settings.port)) if roles.web else None
        opened = stack.enter_context(migrated_database(settings, pool_size=size, stop_within=_EMBEDDED_STOP))
        for notice in settings.notices:
            _log.warning("settings", notice=notice)
        if roles.worker:
            worker = compose.build_worker(opened.database, policy, outside, added)
            added.flows.put_schedules(opened.database)
            clock = compose.build_clock(opened.database, outside, worker.hint, opened.revive)
            stack.enter_context(_working(worker, clock, stopping))
            hint = worker.hint
        else:
            notifier = Notifier(opened.database)
            notifier.start()
            hint = notifier
        if listening is None:
            _log.info("bot.started", roles=str(roles))
            stopping.wait()
        else:
            management = compose.build_management(opened.database, added, hint)
            services = compose.build_services(
                settings, opened.database, policy, outside, management, hint, stopping.is_asked
            )
            address = listening.getsockname()
            _log.info("bot.started", roles=str(roles), host=address[0], port=address[1])
            _serve(listening, services, stopping)
    _log.info("bot.stopped", roles=str(roles))


@contextmanager
def _working(worker: Worker, clock: Clock, stopping: Stopping) -> Iterator[None]:
    """The worker beside the main thread. It stops as soon as the process is asked to end, while the web side ends."""
    asked = threading.Event()
    stopping.on_stop(asked.set)

    def stop_when_asked() -> None:
        asked.wait()
        clock.stop()
        worker.stop(_GRACE)

    stopper = threading.Thread(target=stop_when_asked, name="stop-worker")
    worker.start()
    clock.start()
    stopper.start()
    try:
        yield
    finally:
        asked.set()
        stopper.join()


def _serve(listening: socket.socket, services: Services, stopping: Stopping) -> None:
    """Serve HTTP in this thread until the process is asked to end."""
    config = uvicorn.Config(
        create_app(services),
        log_config=None,  # our own
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nobody may claim to come from loopback
        lifespan="off",
        timeout_graceful_shutdown=_OPEN_REQUESTS,
    )
    server = _Server(config)
    stopping.on_stop(_asker(server))
    server.run(sockets=[listening])


def _asker(server: uvicorn.Server) -> Callable[[], None]:
    def ask() -> None:
        server.should_exit = True

    return ask


def listen(host: str, port: int) -> socket.socket:
    """The listening socket, taken before anything else is begun. Raises `PortTaken`.

    An answer leaves at once. asyncio sees to that for sockets it makes itself only: on ours head and body would be two
    packets, the second of which waits some 40 ms for the first to be acknowledged.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as problem:
        raise PortTaken(
            f"HOST, PORT: cannot listen on {host}:{port} ({problem}); set another, or --host and --port"
        ) from None
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # its connections inherit it
    return listening
