"""The rows of what comes in from outside: inserted many at once, dispatched in order, each with a savepoint."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from durable.model import Unapplied

DISPATCH_LOCK = 0x64_65_6C_69_76
QUICK_COMPRESSION = 1
LONGEST_NOTE = 500


@dataclass(frozen=True)
class Delivery:
    """One call from outside: `source` names the sender, `id` is the sender's own and makes it count once. `headers`
    have lower-case names; `body` is raw."""

    source: str
    id: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Received:
    """A stored delivery that waits to be applied, and how often that was tried."""

    row: int
    attempts: int
    delivery: Delivery


_INSERT = text("""
INSERT INTO durable.deliveries (source, delivery_id, headers, body)
SELECT * FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:headers AS text[]), CAST(:bodies AS bytea[]))
ON CONFLICT (source, delivery_id) DO UPDATE SET state = 'received', attempts = 0, next_at = clock_timestamp(),
    headers = excluded.headers, body = excluded.body, note = NULL
    WHERE deliveries.state = 'failed'
RETURNING source, delivery_id
""")
_ONLY_ONE = text("SELECT pg_try_advisory_xact_lock(:lock)")
_WAITING = text(
    "SELECT id, source, delivery_id, headers, body, attempts FROM durable.deliveries"
    " WHERE state = 'received' AND next_at <= clock_timestamp() AND source = ANY(:sources) ORDER BY id LIMIT :most"
)
_APPLIED = text(
    "UPDATE durable.deliveries SET state = 'applied', note = :note, attempts = attempts + 1 WHERE id = :row"
)
_FAILED = text("UPDATE durable.deliveries SET state = 'failed', note = :note, attempts = attempts + 1 WHERE id = :row")
_POSTPONED = text(
    "UPDATE durable.deliveries SET note = :note, attempts = attempts + 1,"
    " next_at = clock_timestamp() + make_interval(secs => :seconds) WHERE id = :row"
)
# In a backlog the first is due, and is all that is read of it. Only when none is due are those looked through that were
# put off, and they are few.
_NEXT = text("""
SELECT coalesce(
    (SELECT 0 FROM durable.deliveries
        WHERE state = 'received' AND next_at <= clock_timestamp() AND source = ANY(:sources) ORDER BY id LIMIT 1),
    (SELECT extract(epoch FROM min(next_at) - clock_timestamp()) FROM durable.deliveries
        WHERE state = 'received' AND source = ANY(:sources)))
""")
# Both by indexes that hold no more than is looked for.
_UNAPPLIED = text("""
SELECT source, delivery_id AS id, state, attempts, note, received_at, next_at FROM (
    (SELECT * FROM durable.deliveries WHERE state = 'failed' ORDER BY id DESC LIMIT :most)
    UNION ALL
    (SELECT * FROM durable.deliveries WHERE state = 'received' ORDER BY id LIMIT :most)
) AS found ORDER BY found.id
""")
_RETRY = text(
    "UPDATE durable.deliveries SET state = 'received', attempts = 0, next_at = clock_timestamp(), note = NULL"
    " WHERE source = :source AND delivery_id = :id AND state = 'failed'"
)
# A moment of the engine's time is a real one by how far that is ahead now.
_COUNT = text("""
WITH span AS MATERIALIZED (
    SELECT clock_timestamp() - (SELECT durable.now()) + CAST(:since AS timestamptz) AS since,
        clock_timestamp() - (SELECT durable.now()) + CAST(:until AS timestamptz) AS until)
SELECT (SELECT count(*) FROM durable.deliveries
        WHERE state = 'applied' AND received_at >= (SELECT since FROM span) AND received_at < (SELECT until FROM span))
    + (SELECT count(*) FROM durable.deliveries
        WHERE state = 'received' AND received_at >= (SELECT since FROM span) AND received_at < (SELECT until FROM span))
    + (SELECT count(*) FROM durable.deliveries
        WHERE state = 'failed' AND received_at >= (SELECT since FROM span) AND received_at < (SELECT until FROM span))
""")


def insert(connection: Connection, deliveries: Sequence[Delivery]) -> set[tuple[str, str]]:
    """Store deliveries in one statement; returns the (source, id) of those that are new or are tried again after they
    had failed. The others were there. No (source, id) may stand in the batch twice."""
    columns: dict[str, list[Any]] = {
        "sources": [delivery.source for delivery in deliveries],
        "ids": [delivery.id for delivery in deliveries],
        "headers": [json.dumps(delivery.headers) for delivery in deliveries],
        "bodies": [zlib.compress(delivery.body, QUICK_COMPRESSION) for delivery in deliveries],
    }
    return {(row.source, row.delivery_id) for row in connection.execute(_INSERT, columns)}


def waiting(connection: Connection, sources: Sequence[str], most: int) -> list[Received]:
    """The oldest deliveries to be applied, or none while another process is at it: they are applied in order."""
    if not connection.execute(_ONLY_ONE, {"lock": DISPATCH_LOCK}).scalar_one():
        return []
    rows = connection.execute(_WAITING, {"sources": list(sources), "most": most})
    return [
        Received(
            row.id,
            row.attempts,
            Delivery(row.source, row.delivery_id, json.loads(row.headers), zlib.decompress(bytes(row.body))),
        )
        for row in rows
    ]


def applied(connection: Connection, received: Received, note: str) -> None:
    """Mark a delivery as done; `note` says what came of it."""
    connection.execute(_APPLIED, {"row": received.row, "note": _kept(note)})


def failed(connection: Connection, received: Received, note: str) -> None:
    """Mark a delivery as impossible to apply; the same delivery sent again is tried again."""
    connection.execute(_FAILED, {"row": received.row, "note": _kept(note)})


def postponed(connection: Connection, received: Received, note: str, seconds: float) -> None:
    """Leave a delivery for another try in `seconds`."""
    connection.execute(_POSTPONED, {"row": received.row, "note": _kept(note), "seconds": seconds})


def next_in(connection: Connection, sources: Sequence[str]) -> float | None:
    """Seconds until the earliest waiting delivery of these sources may be tried (0: it may), or None when none waits."""
    seconds = connection.execute(_NEXT, {"sources": list(sources)}).scalar_one()
    return None if seconds is None else float(seconds)


def unapplied(connection: Connection, most: int) -> list[Unapplied]:
    """Up to `most` that failed, the latest of them, and up to `most` that wait, the oldest; in the order they came."""
    return [Unapplied(**row) for row in connection.execute(_UNAPPLIED, {"most": most}).mappings()]


def retry(connection: Connection, source: str, id_: str) -> bool:
    """Let a delivery that failed be tried again; False when it has not failed, or is not there."""
    return connection.execute(_RETRY, {"source": source, "id": id_}).rowcount == 1


def count(connection: Connection, since: datetime, until: datetime) -> int:
    """How many came from `since` up to and without `until`, by the engine's time."""
    counted: int = connection.execute(_COUNT, {"since": since, "until": until}).scalar_one()
    return counted


def _kept(note: str) -> str:
    """A note as PostgreSQL stores it: no NUL, and not longer than people read."""
    return note.replace("\x00", "")[:LONGEST_NOTE]
