"""Who works on what: workers and their leases, the claim of what is due, and the return of what was left behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, text

from durable.model import Claim, Entry
from durable.postgres.payloads import whole_claims
from durable.postgres.queues import OPENS_IN

UNREADABLE = ""
"""The input of a workflow whose run is missing: no JSON, so the workflow is paused when it is run."""
WINDOW_FACTOR = 2
WINDOW_SPARE = 16
LONGEST_S = 60
"""How long a workflow waits at most whose workers die one after the other."""


@dataclass(frozen=True)
class Serves:
    """What a worker takes: workflows of these names, from these queues (None: from all), pinned to no version or to
    `version`."""

    names: Sequence[str]
    queues: Sequence[str] | None = None
    version: str | None = None


@dataclass(frozen=True)
class Outlook:
    """When there is something to claim: `due_in` seconds (negative: there is), None when nothing is to be expected.
    `admitting` are the limited queues in which something is due and which admit it; `held_back`: something is due in one
    that is full."""

    due_in: float | None
    admitting: Sequence[str] = ()
    held_back: bool = False


@dataclass(frozen=True)
class Process:
    """Which process a worker is. `host` names machine, boot and process namespace; `pid_started` is in seconds."""

    host: str
    pid: int
    pid_started: int


_REGISTER = text(
    "INSERT INTO durable.workers (host, pid, pid_started, started_at, lease_until, slots, version)"
    " VALUES (:host, :pid, :pid_started, clock_timestamp(), clock_timestamp() + make_interval(secs => :lease), :slots,"
    " :version) RETURNING id"
)
_BEAT = text(
    "UPDATE durable.workers SET lease_until = clock_timestamp() + make_interval(secs => :lease)"
    " WHERE id = :id AND lease_until > clock_timestamp() RETURNING id"
)
# A lane is what is waiting with the same name, queue, priority and version: the index `workflows_due` holds each in the
# order of due times. Few they are, however many workflows sleep, and one probe of the index finds the next one.
LANES = """
WITH RECURSIVE clock AS MATERIALIZED (SELECT durable.now() AS now), lanes(name, queue, priority, version) AS (
    (SELECT name, queue, priority, coalesce(version, '') FROM durable.workflows WHERE state = 'waiting'
        ORDER BY name, queue, priority, coalesce(version, '') LIMIT 1)
    UNION ALL
    SELECT further.* FROM lanes CROSS JOIN LATERAL (
        SELECT w.name, w.queue, w.priority, coalesce(w.version, '') FROM durable.workflows w
        WHERE w.state = 'waiting' AND (w.name, w.queue, w.priority, coalesce(w.version, ''))
            > (lanes.name, lanes.queue, lanes.priority, lanes.version)
        ORDER BY w.name, w.queue, w.priority, coalesce(w.version, '') LIMIT 1
    ) AS further
)"""
_SERVED = f"""{LANES}, served AS MATERIALIZED (
    SELECT lanes.*, limited.name IS NOT NULL AS limited
    FROM lanes LEFT JOIN durable.queues limited ON limited.name = lanes.queue
    WHERE lanes.name = ANY(CAST(:names AS text[])) AND lanes.version IN ('', :version)
        AND (CAST(:queues AS text[]) IS NULL OR lanes.queue = ANY(CAST(:queues AS text[])))
)"""  # noqa: S608 - put together of our own text
IN_LANE = """state = 'waiting' AND name = {lane}.name AND queue = {lane}.queue AND priority = {lane}.priority
            AND coalesce(version, '') = {lane}.version"""
_IN_LANE = IN_LANE.format(lane="served")
# `candidates` are more than are wanted, because another worker may hold the first ones; and of a limited queue no more
# than it admits. They are locked in a further step, so that nothing is locked that is not taken.
CLAIM = text(f"""{_SERVED}, candidates AS MATERIALIZED (
    SELECT key, priority, wake_at FROM (
        SELECT found.*, served.priority, CASE WHEN served.limited THEN coalesce(admitted.room, 0) END AS room,
            row_number() OVER (PARTITION BY served.queue ORDER BY served.priority DESC, found.wake_at) AS place
        FROM served
        LEFT JOIN unnest(CAST(:admitting AS text[]), CAST(:rooms AS integer[])) AS admitted(queue, room)
            ON admitted.queue = served.queue
        CROSS JOIN LATERAL (
            SELECT key, wake_at FROM durable.workflows
            WHERE {_IN_LANE} AND wake_at <= (SELECT now FROM clock)
            ORDER BY wake_at LIMIT CASE WHEN served.limited THEN coalesce(admitted.room, 0) ELSE :window END
        ) AS found
    ) AS ranked WHERE room IS NULL OR place <= room
    ORDER BY priority DESC, wake_at LIMIT :window
), due AS MATERIALIZED (
    SELECT w.key FROM candidates JOIN durable.workflows w ON w.key = candidates.key
    WHERE w.state = 'waiting' AND w.wake_at <= (SELECT now FROM clock)
    ORDER BY candidates.priority DESC, candidates.wake_at LIMIT :most FOR UPDATE OF w SKIP LOCKED
), claimed AS (
    UPDATE durable.workflows w SET state = 'running', fence = fence + 1, worker_id = :worker, listening = false,
        wake_real = false, attempts = attempts + 1,
        claimed_until = clock_timestamp() + make_interval(secs => :hold)
    FROM due WHERE w.key = due.key
        AND EXISTS (SELECT FROM durable.workers WHERE id = :worker AND lease_until > clock_timestamp())
    RETURNING w.*
)
SELECT claimed.*, clock.now, began_at, input, cancel_reason, seed, rewound FROM claimed CROSS JOIN clock
LEFT JOIN durable.runs r ON r.workflow_key = claimed.key AND r.run = claimed.run
""")  # noqa: S608 - put together of our own text
# The runs first, then their entries: two kinds of rows, so that an input comes once however long its history is.
_RUNS_AND_HISTORIES = text("""
WITH claimed AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:keys AS bigint[]), CAST(:runs AS integer[])) AS claimed(key, number)
)
SELECT workflow_key, began_at, input, cancel_reason, seed, rewound, NULL AS step, NULL AS kind, NULL AS name, NULL AS state,
    NULL AS payload, NULL AS attempt, CAST(NULL AS timestamptz) AS due_at, CAST(NULL AS timestamptz) AS at
FROM durable.runs JOIN claimed ON workflow_key = claimed.key AND run = claimed.number
UNION ALL
SELECT workflow_key, NULL, NULL, NULL, NULL, NULL, step, kind, name, state, payload, attempt, due_at, at
FROM durable.history JOIN claimed ON workflow_key = claimed.key AND run = claimed.number
""")
OUTLOOK = text(f"""{_SERVED}, first AS (
    SELECT served.queue, served.limited, extract(epoch FROM found.wake_at - (SELECT now FROM clock)) AS due_in
    FROM served CROSS JOIN LATERAL (
        SELECT wake_at FROM durable.workflows WHERE {_IN_LANE} AND wake_at IS NOT NULL
        ORDER BY wake_at LIMIT 1
    ) AS found
), opening AS MATERIALIZED (
    SELECT name, {OPENS_IN} AS opens_in FROM durable.queues
), open AS (
    SELECT queue, limited, CASE WHEN NOT limited THEN due_in
        WHEN opens_in IS NOT NULL THEN greatest(due_in, opens_in) END AS due_in,
        limited AND opens_in IS NULL AND due_in <= 0 AS held_back
    FROM first LEFT JOIN opening ON opening.name = first.queue
)
SELECT min(due_in) AS due_in, array_agg(DISTINCT queue) FILTER (WHERE limited AND due_in <= 0) AS admitting,
    coalesce(bool_or(held_back), false) AS held_back FROM open
""")  # noqa: S608 - put together of our own text
_RELEASE = text(
    "UPDATE durable.workflows SET state = 'waiting', wake_at = (SELECT durable.now()), worker_id = NULL,"
    " claimed_until = NULL, attempts = greatest(attempts - 1, 0)"
    " WHERE key = :key AND fence = :fence AND state = 'running'"
)
_DISOWN = text(
    "UPDATE durable.workflows SET state = 'waiting', wake_at = (SELECT durable.now()), worker_id = NULL,"
    " claimed_until = NULL, attempts = greatest(attempts - 1, 0)"
    " WHERE state = 'running' AND worker_id = :worker AND key <> ALL(CAST(:held AS bigint[]))"
)
_STRAY = """state = 'running' AND (worker_id IN (SELECT id FROM dead) OR claimed_until <= clock_timestamp()
        OR NOT EXISTS (SELECT FROM durable.workers WHERE id = w.worker_id))"""
_LOOK_FOR_DEAD = text(f"""
WITH dead AS (SELECT id FROM durable.workers WHERE lease_until <= clock_timestamp())
SELECT EXISTS (SELECT FROM dead) OR EXISTS (SELECT FROM durable.workflows w WHERE {_STRAY}) AS any_left,
    coalesce((SELECT json_agg(json_build_array(id, host, pid, pid_started)) FROM durable.workers WHERE host = :host),
        '[]') AS peers
""")  # noqa: S608 - put together of our own text
# Whoever died first is followed at once. After more deaths without progress in between, the workflow itself is suspected.
_RECLAIM = text(f"""
WITH dead AS (
    SELECT id FROM durable.workers WHERE lease_until <= clock_timestamp() OR id = ANY(:dead)
), stray AS MATERIALIZED (
    SELECT key FROM durable.workflows w WHERE {_STRAY}
    ORDER BY key LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE durable.workflows w SET state = 'waiting', worker_id = NULL, claimed_until = NULL, wake_at = (SELECT durable.now())
    + make_interval(secs => CASE WHEN attempts < 2 THEN 0 ELSE least(:longest, power(2, attempts - 2)) END)
FROM stray WHERE w.key = stray.key RETURNING w.workflow_id
""")  # noqa: S608 - put together of our own text
_FORGET = text(
    "DELETE FROM durable.workers w WHERE (lease_until <= clock_timestamp() OR id = ANY(:dead))"
    " AND NOT EXISTS (SELECT FROM durable.workflows WHERE state = 'running' AND worker_id = w.id) RETURNING id"
)
_RETIRE = text("DELETE FROM durable.workers WHERE id = :id")


def register(
    connection: Connection, process: Process, lease: float, *, slots: int | None = None, version: str | None = None
) -> int:
    """Give a worker a row and a lease of `lease` seconds; returns its id. `slots` and `version` are for people to see."""
    asked = vars(process) | {"lease": lease, "slots": slots, "version": version}
    worker: int = connection.execute(_REGISTER, asked).scalar_one()
    return worker


def beat(connection: Connection, worker: int, lease: float) -> bool:
    """Renew the lease; False when it had run out: this worker has been written off and needs a new row."""
    return connection.execute(_BEAT, {"id": worker, "lease": lease}).one_or_none() is not None


def look_for_dead(connection: Connection, host: str) -> tuple[bool, dict[int, Process]]:
    """Whether there is something to reclaim, and the workers of this host by their ids, who may be dead before their
    lease ends. One query."""
    row = connection.execute(_LOOK_FOR_DEAD, {"host": host}).one()
    return row.any_left, {worker: Process(*process) for worker, *process in row.peers}


def claim(
    connection: Connection,
    worker: int,
    serves: Serves,
    most: int,
    hold: float,
    rooms: Mapping[str, int] = MappingProxyType({}),
) -> list[Claim]:
    """Take up to `most` of what is due: higher priority first, then the longest due, with their whole histories.

    At most two statements for any number of workflows. `hold` (seconds, real time) bounds how long a claim may stay silent.
    From a limited queue at most `rooms` says is taken, and nothing when it says nothing; see `postgres.queues`.
    """
    return load(connection, take(connection, worker, serves, most, hold, rooms))


def take(
    connection: Connection,
    worker: int,
    serves: Serves,
    most: int,
    hold: float,
    rooms: Mapping[str, int] = MappingProxyType({}),
) -> list[Any]:
    """The first part of `claim`: the rows of what is now this worker's, in the order in which they were due; of those due
    at the same moment the older workflow first."""
    taken = connection.execute(CLAIM, asked_of_claim(worker, serves, most, hold, rooms))
    return sorted(taken, key=lambda row: (-row.priority, row.wake_at, row.key))


def load(connection: Connection, taken: Sequence[Any]) -> list[Claim]:
    """The second part of `claim`: what was taken, with inputs and histories.

    What was never claimed before came whole with its row. Of the rest the claim's statement may have seen what was
    before its locks: it is read again.
    """
    known = [row for row in taken if row.fence > 1 or row.cancelling or row.input is None]
    runs: dict[int, Any] = {row.key: row for row in taken}
    histories: dict[int, dict[int, Entry]] = {row.key: {} for row in taken}
    if known:
        which = {"keys": [row.key for row in known], "runs": [row.run for row in known]}
        for row in connection.execute(_RUNS_AND_HISTORIES, which):
            if row.step is None:
                runs[row.workflow_key] = row
            else:
                histories[row.workflow_key][row.step] = entry_of(row)
    return whole_claims(connection, [_claim(row, runs[row.key], histories[row.key]) for row in taken])


def _claim(row: Any, run: Any, history: dict[int, Entry]) -> Claim:
    return Claim(
        key=row.key,
        workflow_id=row.workflow_id,
        name=row.name,
        run=row.run,
        fence=row.fence,
        attempts=row.attempts,
        now=row.now,
        created_at=run.began_at or row.now,
        input=UNREADABLE if run.input is None else run.input,
        history=history,
        seed=run.seed,
        rewound=run.rewound or (),
        cancel=(run.cancel_reason or "") if row.cancelling else None,
    )


def asked_of_claim(worker: int, serves: Serves, most: int, hold: float, rooms: Mapping[str, int]) -> dict[str, Any]:
    """The parameters of the claim's statement."""
    wanted = {"worker": worker, "most": most, "window": WINDOW_FACTOR * most + WINDOW_SPARE, "hold": hold}
    return wanted | _asked(serves) | {"admitting": list(rooms), "rooms": list(rooms.values())}


def _asked(serves: Serves) -> dict[str, Any]:
    queues = None if serves.queues is None else list(serves.queues)
    return {"names": list(serves.names), "queues": queues, "version": serves.version or ""}


def entry_of(row: Any) -> Entry:
    """A history row as an entry (without its arguments, which no replay needs)."""
    return Entry(
        step=row.step,
        kind=row.kind,
        name=row.name,
        state=row.state,
        at=row.at,
        payload=row.payload,
        due_at=row.due_at,
        attempt=row.attempt,
    )


def outlook(connection: Connection, worker: int, serves: Serves) -> Outlook:
    """When this worker is to claim something next. A limited queue that has no token left counts from when it has one;
    one that is full, or of which this worker has its share, does not count at all."""
    row = connection.execute(OUTLOOK, _asked(serves) | {"worker": worker}).one()
    return Outlook(None if row.due_in is None else float(row.due_in), row.admitting or (), row.held_back)


def release(connection: Connection, claimed: Claim) -> bool:
    """Give a workflow back, due at once, for any worker to go on with; False when it is no longer ours."""
    return connection.execute(_RELEASE, {"key": claimed.key, "fence": claimed.fence}).rowcount == 1


def disown(connection: Connection, worker: int, held: Sequence[int]) -> int:
    """Give back what this worker has claimed and does not hold: the answer to a claim was lost; returns how many."""
    return connection.execute(_DISOWN, {"worker": worker, "held": list(held)}).rowcount


def reclaim(connection: Connection, dead: Sequence[int] = (), *, most: int = 1000) -> list[str]:
    """Return what dead workers left: those whose lease ran out, those in `dead`, and claims past their deadline.

    Gives the ids of up to `most` workflows, then forgets dead workers that hold nothing. A workflow is due again at once,
    and after a second and every further death without progress 1, 2, 4 … seconds later, `LONGEST_S` at most.
    """
    asked = {"dead": list(dead), "most": most, "longest": LONGEST_S}
    returned = [row.workflow_id for row in connection.execute(_RECLAIM, asked)]
    connection.execute(_FORGET, {"dead": list(dead)})
    return returned


def retire(connection: Connection, worker: int) -> list[str]:
    """End a worker: what it still holds goes back, and its row goes."""
    returned = reclaim(connection, (worker,))
    connection.execute(_RETIRE, {"id": worker})
    return returned


def engine_now(connection: Connection) -> datetime:
    """The engine's time."""
    now: datetime = connection.execute(text("SELECT durable.now()")).scalar_one()
    return now
