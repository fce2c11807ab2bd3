"""The page of workers, queues, closed gates, and deliveries that are not applied: what works, and what holds it up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.api.management import Management
from bot.dashboard.pages import Act, Asked, Done, Pages, Refused, View
from bot.dashboard.values import Values
from durable.model import Gate, Overview, Unapplied, WorkerRow
from durable.postgres import Database
from durable.queues import Queue, Queues
from handlers.records.schema import real_time, storable

_NAME = "name"
_LIMITS = ("most_running", "most_per_worker", "rate", "burst")
_MOST_DELIVERIES = 50
_LARGEST = 1_000_000


@dataclass(frozen=True)
class QueueRow:
    """A queue, and how many workflows are due in it."""

    queue: Queue
    due: int

    @property
    def is_limited(self) -> bool:
        """Whether it has a limit."""
        return self.queue.burst is not None


def add(pages: Pages, database: Database, management: Management, values: Values) -> None:
    """Add the page and its buttons."""
    client, queues = management.client, Queues(database)
    steering = _Steering(management, queues)

    def view(_: Asked) -> View:
        with database.reading() as connection:
            now = real_time(connection)
        workers = client.workers()
        overview = client.overview()
        deliveries = client.unapplied_deliveries(_MOST_DELIVERIES) if _has_unapplied(overview) else []
        facts = {
            "now": now,  # everything on this page goes by the real time
            "workers": workers,
            "alive": [worker for worker in workers if worker.alive],
            "slots": _slots(workers),
            "overview": overview,
            "queues": rows_of(queues.list(), client.due_by_queue() if overview.due else {}),
            "gates": [_readable_gate(gate, values) for gate in client.gates()],
            "deliveries": [_readable_delivery(delivery, values) for delivery in deliveries],
        }
        return View("workers.html", facts)

    pages.view("/workers", view)
    pages.act("/gates/{name:path}/open", Act("open gate", steering.open_gate, _NAME))
    pages.act("/deliveries/{name:path}/retry", Act("retry delivery", steering.retry, _NAME, ("source",)))
    pages.act("/queues/limit", Act("limit queue", steering.limit, "queue", (_NAME, *_LIMITS)))
    pages.act("/queues/{name:path}/limit", Act("limit queue", steering.limit, _NAME, _LIMITS))
    pages.act("/queues/{name:path}/unlimited", Act("lift limit", steering.unlimited, _NAME))


class _Steering:
    """What the buttons of the page do."""

    def __init__(self, management: Management, queues: Queues) -> None:
        self._client = management.client
        self._queues = queues

    def open_gate(self, asked: Asked) -> Done:
        """Let everything that is parked at a gate go on."""
        name = _named(asked)
        if name not in {gate.name for gate in self._client.gates()}:
            raise Refused(f"the gate {name} is open already")
        woken = self._client.open_gate(name)
        return Done(f"The gate {name} is open: {woken} {'workflow goes' if woken == 1 else 'workflows go'} on")

    def retry(self, asked: Asked) -> Done:
        """Try a delivery again that failed."""
        name = _named(asked)
        if not self._client.retry_delivery(storable(asked.text("source")), name):
            raise Refused(f"the delivery {name} has not failed, or is there no more")
        return Done(f"The delivery {name} is tried again")

    def limit(self, asked: Asked) -> Done:
        """Limit a queue, in place of the limit it has."""
        name = _named(asked)
        if not name:
            raise Refused("name the queue")
        most, each = _whole(asked, "most_running"), _whole(asked, "most_per_worker")
        rate, burst = _number(asked, "rate"), _whole(asked, "burst")
        if most is None and each is None and rate is None:
            raise Refused(
                f"say how many of {name} may run at one time, or on each worker, or begin in a second; or lift its limit"
            )
        try:
            self._queues.limit(
                name, most_running=most, most_per_worker=each, rate=rate, burst=1 if burst is None else burst
            )
        except ValueError as problem:
            raise Refused(str(problem)) from problem
        return Done(f"The queue {name} is limited; it holds within a second")

    def unlimited(self, asked: Asked) -> Done:
        """Lift a queue's limit."""
        name = _named(asked)
        if not self._queues.unlimited(name):
            raise Refused(f"the queue {name} has no limit")
        return Done(f"The queue {name} has no limit any more")


def rows_of(queues: Sequence[Queue], due: Mapping[str, int]) -> list[QueueRow]:
    """The queues that have a limit, run something or have something due, by name."""
    known = {queue.name: queue for queue in queues}
    others = {name: Queue(name, None, None, None, None, 0) for name in due if name not in known}
    return [QueueRow(queue, due.get(name, 0)) for name, queue in sorted((known | others).items())]


def _has_unapplied(overview: Overview) -> bool:
    return bool(overview.undispatched or overview.failed_deliveries)


def _slots(workers: Sequence[WorkerRow]) -> int | None:
    """How much all that are alive may run at one time; None where one does not say."""
    slots = [worker.slots for worker in workers if worker.alive]
    known = [each for each in slots if each is not None]
    return sum(known) if slots and len(known) == len(slots) else None


def _readable_gate(gate: Gate, values: Values) -> Gate:
    return replace(gate, reason=values.text(gate.reason))


def _readable_delivery(delivery: Unapplied, values: Values) -> Unapplied:
    return replace(delivery, note=None if delivery.note is None else values.text(delivery.note))


def _named(asked: Asked) -> str:
    """What the form is about: by the path, or by its field."""
    return storable(asked.parameters.get(_NAME) or asked.text(_NAME))


def _whole(asked: Asked, name: str) -> int | None:
    """A whole number of the form, None where nothing was typed. Raises `Refused`."""
    value = _number(asked, name, whole=True)
    return None if value is None else int(value)


def _number(asked: Asked, name: str, *, whole: bool = False) -> float | None:
    """A number of the form, None where nothing was typed. Raises `Refused`."""
    text = asked.text(name).replace(",", ".")
    if not text:
        return None
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = 0
    if not 0 < value <= _LARGEST:
        what = "a whole number" if whole else "a number"
        raise Refused(
            f"{name.replace('_', ' ')}: {text[:40]!r} is not {what} from {'1' if whole else 'above 0'} to {_LARGEST}"
        )
    return value
