"""Add up the readings of each sensor: stored by the hundred, or when it has been quiet for a minute, and for ever.

python -m bot workflow run aggregate '"roof"' --id aggregate:roof
python -m bot workflow signal aggregate:roof reading 21.5 --key roof-1
"""

from datetime import timedelta

from sqlalchemy import Connection, text

from durable import receive, rounds, set_status, transaction, workflow
from durable.client import Client

MOST = 100
QUIET = timedelta(minutes=1)


@transaction
def create_table(connection: Connection) -> None:
    """The table is ours, beside the engine's; leave this out where migrations make it."""
    connection.execute(text("CREATE TABLE IF NOT EXISTS sums (sensor text PRIMARY KEY, readings int, sum numeric)"))


@transaction
def store(connection: Connection, sensor: str, readings: list[float]) -> None:
    """Add a batch, in one transaction with the note that this step is done: never twice, never not at all."""
    add = text(
        "INSERT INTO sums AS so_far VALUES (:sensor, :readings, :sum) ON CONFLICT (sensor)"
        " DO UPDATE SET readings = so_far.readings + :readings, sum = so_far.sum + :sum"
    )
    connection.execute(add, {"sensor": sensor, "readings": len(readings), "sum": sum(readings)})


@workflow
def aggregate(sensor: str) -> None:
    """One for each sensor. A round is a batch: the next one knows how many there were, and forgets all steps."""
    create_table()
    for stored in rounds(0):
        set_status({"stored": stored.value})
        batch: list[float] = []
        while len(batch) < MOST and (reading := receive("reading", timeout=QUIET if batch else None)):
            if isinstance(reading.payload, int | float):  # anything else would end what is to go on for ever
                batch.append(reading.payload)
        store(sensor, batch)
        stored.value += len(batch)


def add(client: Client, sensor: str, value: float, key: str) -> bool:
    """Hand in a reading; begins the sensor's workflow where none runs. False when `key` was counted before."""
    return client.signal_with_start(
        aggregate, sensor, workflow_id=f"aggregate:{sensor}", signal="reading", payload=value, key=key
    )
