"""The programs that are crashed everywhere. Together they use every construct of the engine, and each takes steps of all
three kinds: an effect with `verify`, a `@transaction`, and a plain activity."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, text

from durable import (
    ActivityFailed,
    Cancelled,
    Found,
    InDoubt,
    Park,
    RetryAfter,
    RetryPolicy,
    activity,
    call,
    continue_as_new,
    first_of,
    gather,
    info,
    patched,
    receive,
    resource,
    rounds,
    set_status,
    sleep,
    start_child,
    transaction,
    workflow,
)
from durable.client import Client
from durable.errors import WrongState
from durable.intake import Delivery, Instruction, SignalWithStart
from durable.operator import Operator
from durable.postgres import Database, deliveries

ATTEMPTS = 5
NARROW = "narrow"
"""A queue in which one workflow runs at a time."""


class World:
    """The world outside: what took effect and how often each call was made, by the key of the call."""

    def __init__(self) -> None:
        self.effects: defaultdict[str, list[Any]] = defaultdict(list)
        self.calls: Counter[str] = Counter()
        self.opened: set[str] = set()

    def clear(self) -> None:
        """Let nothing have happened."""
        self.effects.clear()
        self.calls.clear()
        self.opened.clear()

    def happen(self, what: Any) -> Any:
        """Let the effect of the present call happen."""
        self.effects[info().key].append(what)
        return what

    def count(self) -> int:
        """Count the present call; returns how many there have been under its key."""
        self.calls[info().key] += 1
        return self.calls[info().key]


def look(what: Any) -> Found[Any] | None:
    del what
    happened = resource(World).effects.get(info().key)
    return Found(happened[0]) if happened else None


@activity(verify=look)
def effect(what: Any) -> Any:
    return resource(World).happen(what)


@transaction
def record(connection: Connection, what: Any) -> str:
    connection.execute(text("INSERT INTO records VALUES (:key, :what)"), {"key": info().key, "what": str(what)})
    return f"recorded {what}"


@activity(retry=RetryPolicy(first=1, attempts=ATTEMPTS))
def knock(what: Any) -> str:
    resource(World).count()
    return f"knocked {what}"


def one_of_each(what: Any) -> list[Any]:
    """Three steps."""
    return [effect(what), record(what), knock(what)]


@workflow
def steps() -> list[Any]:
    set_status("begun")
    first = one_of_each(1)
    return [first, patched("longer") and effect(2)]


@activity(verify=look, retry=RetryPolicy(first=1, attempts=ATTEMPTS))
def mumbled(what: Any) -> Any:
    """Happens, and its answer is lost."""
    resource(World).happen(what)
    raise InDoubt("the line broke")


@activity(retry=RetryPolicy(first=1, attempts=ATTEMPTS))
def stubborn() -> str:
    """Turns away the first call for a while, and the second one."""
    match resource(World).count():
        case 1:
            raise RetryAfter(60)
        case 2:
            raise OSError("not today")
    return "opened"


@workflow
def troubled() -> list[Any]:
    return [mumbled("thanks"), stubborn(), record("troubled")]


def look_for_goods() -> Found[str] | None:
    return Found("bought") if resource(World).effects.get(info().key) else None


@activity(verify=look_for_goods)
def buy() -> str:
    """Closes the gate of the shop until that has opened."""
    if info().workflow_id not in resource(World).opened:
        raise Park("shop", "closed today")
    resource(World).happen("goods")
    return "bought"


@workflow
def parked() -> list[Any]:
    return [knock("shop"), buy(), record("bill")]


@workflow
def signalled() -> list[Any]:
    first = receive("go", "stop", timeout=600)
    done = [first and first.payload, *one_of_each("between")]
    second = receive("stop")
    return [*done, second and second.payload, receive("never", timeout=5)]


@workflow
def delivered() -> list[Any]:
    parcel = receive("parcel")
    return [parcel and parcel.payload, *one_of_each("unpacked")]


@workflow
def child(what: int) -> Any:
    sleep(what)
    return one_of_each(what)


@workflow(queue=NARROW)
def narrow(what: int) -> Any:
    return [effect(what), record(what)]


@workflow
def fanned_out() -> list[Any]:
    return gather(call(effect, 1), call(child, 2), call(record, 3), call(knock, 4))


@workflow
def limited() -> list[Any]:
    return [*gather(call(narrow, 1), call(narrow, 2)), knock("after")]


@workflow
def raced() -> Any:
    """Goes on for longer than the loser would."""
    winner = first_of(call(child, 500), call(child, 1))
    sleep(900)
    return winner


@workflow
def with_a_child() -> list[Any]:
    begun = start_child(child, 5)
    return [effect("meanwhile"), begun.result()]


@workflow
def until_cancelled(what: str) -> str:
    try:
        receive("never")
    except Cancelled:
        return " ".join(one_of_each(f"{what} undone"))
    return "?"


@workflow
def leaving() -> list[Any]:
    """Ends before its children do, each of which is to fare differently."""
    start_child(until_cancelled, "cancelled", on_parent_close="cancel")
    start_child(child, 700, on_parent_close="terminate")
    start_child(child, 60, on_parent_close="abandon")
    sleep(10)
    return one_of_each("left")


@workflow
def in_rounds() -> Any:
    for round_ in rounds(0):
        sleep(10)
        round_.value += one_of_each(round_.number)[0]
        if round_.number == 2:
            return round_.value
    return None


@workflow
def in_runs(number: int = 1) -> Any:
    sleep(10)
    one_of_each(number)
    if number < 2:
        continue_as_new(number + 1)
    return number


@workflow
def cancelled() -> list[Any]:
    try:
        effect("begin")
        receive("never")
    except Cancelled:
        sleep(5)
        return one_of_each("undo")
    return []


@workflow
def cancelled_together() -> list[Any]:
    try:
        gather(call(until_cancelled, "member"), call(effect, 1))
    except Cancelled:
        return one_of_each("undo")
    return []


@workflow(deadline=timedelta(seconds=20))
def overdue() -> list[Any]:
    try:
        sleep(1000)
    except Cancelled:
        return one_of_each("too late")
    return []


@activity(non_retryable=(ValueError,))
def broken() -> None:
    resource(World).count()
    raise ValueError("always")


@workflow
def failing() -> str:
    try:
        gather(call(child, 100), call(broken))
    except ActivityFailed as failure:
        return f"{failure.error} {one_of_each('said so')}"
    return "?"


@activity(verify=look, non_retryable=(ConnectionRefusedError,))
def hand_over(what: str) -> Any:
    """Refused until the shop of this workflow, or of its parent, has opened."""
    if info().workflow_id.partition("~")[0] not in resource(World).opened:
        raise ConnectionRefusedError("closed today")
    return resource(World).happen(what)


@workflow
def rewound() -> list[Any]:
    """Fails while one child sleeps and another one was ended for it; rewound, all go on."""
    begun = start_child(child, 700)
    together = gather(call(effect, 1), call(child, 5), call(hand_over, "goods"))
    return [*together, begun.result(), *one_of_each("after")]


@activity(retry=RetryPolicy(attempts=1))
def ring() -> str:
    resource(World).count()
    return "rang"


@workflow
def ringing_once() -> str:
    try:
        return ring()
    except ActivityFailed as failure:
        return failure.error


# --- what is asked of them from outside -------------------------------------------------------------------------------

Act = Callable[[Client, Database, World, str], object]
"""What somebody does to the workflow of this id. Interrupted, it is done again, so it has to count once."""


@dataclass(frozen=True)
class Program:
    """A workflow and what is asked of it from outside, one act after the other, beginning with its start."""

    name: str
    acts: Sequence[Act]


def starting(function: Any) -> Act:
    return lambda client, _database, _world, name: client.start(function, workflow_id=name)


def starting_by_signal(client: Client, _database: Database, _world: World, name: str) -> None:
    client.signal_with_start(signalled, workflow_id=name, signal="go", payload="first", key="one")


def signalling(client: Client, _database: Database, _world: World, name: str) -> None:
    client.signal(name, "stop", "second", key="two")


def cancelling(client: Client, _database: Database, _world: World, name: str) -> None:
    client.cancel(name, "please")


def delivering(_client: Client, database: Database, _world: World, name: str) -> None:
    with database.statement("intake") as connection:
        deliveries.insert(connection, [Delivery("post", f"parcel for {name}", {"to": name}, b"book")])


def opening(client: Client, _database: Database, world: World, name: str) -> None:
    world.opened.add(name)
    client.open_gate("shop")


def mending(_client: Client, database: Database, world: World, name: str) -> None:
    world.opened.add(name)
    with suppress(WrongState):  # it was rewound before the crash
        Operator(database).rewind(name, "open again")


def route(delivery: Delivery, _connection: Connection) -> list[Instruction]:
    return [SignalWithStart(delivered, (), delivery.headers["to"], "parcel", delivery.body.decode())]


WORKFLOWS: tuple[Any, ...] = (
    *(steps, troubled, parked, signalled, delivered, child, narrow, fanned_out, limited, raced, with_a_child),
    *(until_cancelled, leaving, in_rounds, in_runs, cancelled, overdue, failing),
    *(cancelled_together, rewound, ringing_once),
)
PROGRAMS = (
    *(
        Program(function.name, (starting(function),))
        for function in (steps, troubled, fanned_out, limited, raced, with_a_child, leaving)
    ),
    *(Program(function.name, (starting(function),)) for function in (in_rounds, in_runs, overdue, failing)),
    Program("parked", (starting(parked), opening)),
    Program("signalled", (starting_by_signal, signalling)),
    Program("delivered", (delivering,)),
    Program("cancelled", (starting(cancelled), cancelling)),
    Program("cancelled_together", (starting(cancelled_together), cancelling)),
    Program("rewound", (starting(rewound), mending)),
)
