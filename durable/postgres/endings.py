"""How a run ends or goes on as another one, where its own row is not all: closed with kin, continued as new, or begun
again by a signal nobody read. A run without kin ends by a write of the journal, see `journal.Close`.

A run ends in one trip of several statements, which are one transaction: each sees what was committed before it began.
The order of locks is the workflow's row, the fan that counts it, the parent's row.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, text

from durable.model import Claim, WorkflowOptions
from durable.postgres import journal, kin, payloads
from durable.postgres.journal import FORGOTTEN, ONE_WRITTEN, Hold, Write, values_of
from durable.serde import decode

_HELD = "key = :key AND fence = :fence AND state = 'running'"
_CLOSED_BY_US = "EXISTS (SELECT FROM durable.workflows WHERE key = :key AND fence = :fence AND state = 'closed')"
# A signal-with-start that came while the run was on and that nobody read. One that came before has had its run: code
# that ends without reading what started it must not go round for ever.
_UNREAD_START = """
    SELECT start_name, start_input, start_options FROM durable.inbox WHERE workflow_key = :key AND read_at IS NULL
        AND start_input IS NOT NULL AND sent_at > (SELECT created_at FROM durable.runs
            WHERE workflow_key = :key AND run = :run) ORDER BY id LIMIT 1"""
_END_RUN = """
    UPDATE durable.runs SET outcome = :outcome, result = :result, error = :error, reason = :reason,
        status = coalesce(:status, status), updated_at = (SELECT durable.now())
    WHERE workflow_key = :key AND run = :run"""

_END = text(f"""
SELECT 1 FROM durable.workflows WHERE {_HELD} FOR NO KEY UPDATE;
WITH held AS (
    UPDATE durable.workflows SET {journal.CLOSED} WHERE {_HELD} AND NOT EXISTS ({_UNREAD_START}) RETURNING key, run
), ended AS ({_END_RUN} AND EXISTS (SELECT FROM held)), {ONE_WRITTEN}, {FORGOTTEN}
SELECT 1;
{kin.COUNT_DOWN} AND {_CLOSED_BY_US};
{kin.WAKE_PARENTS} AND {_CLOSED_BY_US};
SELECT {_CLOSED_BY_US} AS closed,
    EXISTS (SELECT FROM durable.children WHERE parent_key = :key) AS has_children
""")  # noqa: S608 - put together of our own text
_END_AND_GO_ON = text(_END_RUN)
_WAITING = text(_UNREAD_START)
_LEAVE_CHILDREN = text("UPDATE durable.children SET left_behind = true WHERE parent_key = :key AND NOT left_behind")
_BEGIN_RUN = text(
    "INSERT INTO durable.runs (workflow_key, run, name, input, created_at, began_at, updated_at, keep_for)"
    " VALUES (:key, :run, :name, :input, :now, :now, :now, :retention)"
)
_SCHEDULE_RUN = text(
    "UPDATE durable.workflows SET name = :name, run = :run, state = 'waiting', wake_at = :now, wake_real = false,"
    " listening = false, attempts = 0, gate = NULL, worker_id = NULL, claimed_until = NULL, cancelling = false,"
    " recalled = false, deadline_at = :now + :deadline,"
    " queue = CASE WHEN :chosen THEN :queue ELSE queue END,"
    " priority = CASE WHEN :chosen THEN :priority ELSE priority END,"
    " version = CASE WHEN :chosen THEN :version ELSE version END WHERE key = :key"
)
_CONTINUE = text(f"""
WITH clock AS MATERIALIZED (SELECT durable.now() AS now), held AS (
    UPDATE durable.workflows SET run = run + 1, attempts = 0,
        claimed_until = clock_timestamp() + make_interval(secs => :seconds)
    WHERE {_HELD} RETURNING key
), forgotten AS (
    DELETE FROM durable.history WHERE workflow_key = :key AND run = :run AND EXISTS (SELECT FROM held)
), continued AS (
    UPDATE durable.runs SET run = runs.run + 1, input = :input, status = coalesce(:status, status),
        began_at = clock.now, updated_at = clock.now, seed = NULL,
        rewound = NULL
    FROM clock WHERE workflow_key = :key AND run = :run AND EXISTS (SELECT FROM held)
)
SELECT now FROM clock WHERE EXISTS (SELECT FROM held)
""")  # noqa: S608 - put together of our own text


def end(connection: Connection, order: Write) -> bool | None:
    """Carry out a write that is to close its workflow, in one trip and a transaction of its own; returns whether it has
    started children, or None when nothing was closed: see `end_and_go_on`."""
    given = values_of(order)
    row = connection.execute(_END, given | {"failed": given["outcome"] != "completed"}).one()
    return bool(row.has_children) if row.closed else None


def end_and_go_on(connection: Connection, order: Write) -> None:
    """End the run and begin the next one with the signal-with-start that came meanwhile, with its options, as if it
    had come a moment later. Raises `FenceLost`."""
    claim = order.claim
    now = journal.lock(connection, claim)
    given = values_of(order)
    waiting = connection.execute(_WAITING, given).one()
    journal.write(connection, replace(order, disposition=Hold(0)))
    connection.execute(_END_AND_GO_ON, given)
    # A release before this one kept no options.
    options = None if waiting.start_options is None else decode(waiting.start_options)
    begin_run(connection, claim.key, claim.run + 1, waiting.start_name, waiting.start_input, now, options)


def begin_run(
    connection: Connection,
    key: int,
    run: int,
    name: str,
    input_: str,
    now: datetime,
    options: WorkflowOptions | None = None,
) -> None:
    """Begin a further run of a workflow id, due at once. The row has to be locked. Without `options` the queue and the
    priority of the run before stay, and there is no deadline."""
    chosen = vars(options or WorkflowOptions()) | {"chosen": options is not None}
    given = chosen | {"key": key, "run": run, "name": name, "input": input_, "now": now}
    connection.execute(_LEAVE_CHILDREN, {"key": key})
    payloads.use(connection, key, input_)
    connection.execute(_BEGIN_RUN, given)
    connection.execute(_SCHEDULE_RUN, given)


def continue_as_new(connection: Connection, claim: Claim, input_: str, *, status: str | None, hold: float) -> datetime:
    """Begin the next run under the same claim: history forgotten, inbox kept. Returns the engine's time. Raises
    `FenceLost`."""
    given = {"key": claim.key, "run": claim.run, "fence": claim.fence, "input": input_, "status": status}
    now: datetime | None = connection.execute(_CONTINUE, given | {"seconds": hold}).scalar_one_or_none()
    if now is None:
        raise journal.lost(claim)
    return now
