"""The usual mix: loops that live as long as the soak, short errands by the second, and what feeds them."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count

from sqlalchemy import Connection, text

from durable import activity, call, continue_as_new, gather, receive, rounds, sleep, transaction, workflow
from durable.client import Client
from durable.intake import Delivery, Instruction, Intake, SignalWithStart
from durable.postgres import Database
from durable.scheduler import Schedules
from durable.schedules import Every

RETENTION = timedelta(seconds=60)
LOOPS = 30
MAILBOXES = 30
ERRANDS = 4
LETTERS = 6
VISITS = 4
MEMBERS = 8
SCHEDULES = 3


@activity
def look(number: int) -> int:
    """A step that changes nothing."""
    return number


@transaction
def note(connection: Connection) -> None:
    """A step on the database itself."""
    connection.execute(text("SELECT 1"))


@workflow
def heartbeat() -> None:
    """Beats for ever, in rounds."""
    for round_ in rounds(0):
        round_.value = look(round_.number)
        sleep(5)


@workflow
def relay(number: int) -> None:
    """Beats for ever, each beat a run of its own."""
    look(number)
    sleep(6)
    continue_as_new(number + 1)


@workflow
def mailbox() -> None:
    """Reads letters for ever."""
    for _ in rounds(0):
        receive("letter", timeout=20)
        look(1)


@workflow(retention=RETENTION)
def errand() -> None:
    """Some steps, a short sleep, and a signal that comes or does not."""
    look(1)
    note()
    sleep(2)
    receive("go", timeout=3)
    look(2)


@workflow(retention=RETENTION)
def part(number: int) -> int:
    """A child of a fan."""
    return look(number)


@workflow(retention=RETENTION)
def fan() -> int:
    """Activities and children side by side."""
    return sum(gather(*(call(look, number) for number in range(MEMBERS)), call(part, 1), call(part, 2)))


@workflow
def visit() -> None:
    """Begun by a delivery; remembered as long as the engine's own retention says."""
    receive("arrived")
    look(1)


@workflow(deadline=timedelta(seconds=3))
def late() -> None:
    """Is cancelled by its deadline."""
    receive("never")


WORKFLOWS = (heartbeat, relay, mailbox, errand, part, fan, visit, late)


def route(delivery: Delivery, _: Connection) -> list[Instruction]:
    """Each delivery begins a visit."""
    return [SignalWithStart(visit, (), f"visit-{delivery.id}", "arrived", delivery.body.decode())]


def begin(database: Database) -> None:
    """Start what lives as long as the soak."""
    client = Client(database)
    for number in range(LOOPS):
        client.start(heartbeat, workflow_id=f"heartbeat-{number}")
        client.start(relay, 1, workflow_id=f"relay-{number}")
    for number in range(MAILBOXES):
        client.start(mailbox, workflow_id=f"mailbox-{number}")
    for number in range(SCHEDULES):
        Schedules(database).put(f"schedule-{number}", fan, spec=Every(timedelta(seconds=4)))


def one_second_of_load(database: Database) -> Callable[[], None]:
    """What is asked of the engine each second, as a function to call once a second."""
    client, intake, numbers = Client(database), Intake(database), count()

    def ask() -> None:
        now = next(numbers)
        for number in range(ERRANDS):
            client.start(errand, workflow_id=f"errand-{now}-{number}")
            if now > 0 and number % 2:
                client.signal(f"errand-{now - 1}-{number}", "go", key="go")
        for number in range(LETTERS):
            client.signal(
                f"mailbox-{(now * LETTERS + number) % MAILBOXES}", "letter", now, key=f"letter-{now}-{number}"
            )
        for number in range(VISITS):
            intake.put(Delivery("web", f"{now}-{number}", {"host": "soak"}, b"body " * 200))
        client.start(late, workflow_id=f"late-{now}")

    return ask
