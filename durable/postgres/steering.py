"""An operator's hand on one workflow: suspend, resume, rewind, restart, fork, purge. Lock order: workflow row first.

Each function is part of one transaction of the caller's and raises `WrongState` before it has written anything. What a
rewind means for members and children: see `rewound`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from durable.errors import StepNotFound, WorkflowIdTaken, WorkflowNotFound, WrongState
from durable.model import Started, WorkflowOptions, WorkflowState
from durable.postgres import commands, endings, reopening
from durable.postgres.commands import Beginning
from durable.replay import seed_of

ENDED: tuple[WorkflowState, ...] = ("completed", "failed", "terminated", "cancelled")
OPEN: tuple[WorkflowState, ...] = ("ready", "waiting", "running", "parked")

_LOCK = text(
    "SELECT key, workflow_id, name, run, state, wake_at, queue, priority, version, deadline_at,"
    " (SELECT durable.now()) AS now FROM durable.workflows WHERE workflow_id = :workflow_id FOR NO KEY UPDATE"
)
# A statement of its own: joined to the lock it would still show the run as it was before the lock was waited for.
_RUN = text(
    "SELECT outcome, input, error, created_at, began_at, keep_for, seed FROM durable.runs"
    " WHERE workflow_key = :key AND run = :run"
)
_SUSPEND = text(
    "UPDATE durable.workflows SET state = 'paused', fence = fence + 1, wake_at = NULL, wake_real = false,"
    " listening = false, gate = NULL, worker_id = NULL, claimed_until = NULL WHERE key = :key"
)
_DUE = text(
    "UPDATE durable.workflows SET state = 'waiting', wake_at = :now, wake_real = false, attempts = 0 WHERE key = :key"
)
_EXPLAIN = text("UPDATE durable.runs SET reason = :reason, updated_at = :now WHERE workflow_key = :key AND run = :run")
_FAILED = text(
    "SELECT step, kind IN ('activity', 'gather', 'first_of', 'await') AS settles, step = (SELECT max(step) FROM durable.history"
    " WHERE workflow_key = :key AND run = :run) AS is_last FROM durable.history"
    " WHERE workflow_key = :key AND run = :run AND state = 'failed'"
    " AND step = coalesce(:step, step) ORDER BY step DESC LIMIT 1"
)
_UNDO = (
    # Only where steps are forgotten can one that is taken in their place be mistaken for them.
    text(
        "UPDATE durable.runs SET rewound = array_append(rewound, CAST(:step AS integer))"
        " WHERE workflow_key = :key AND run = :run AND EXISTS (SELECT FROM durable.history"
        " WHERE workflow_key = :key AND run = :run AND step > :step)"
    ),
    text(
        "DELETE FROM durable.history WHERE workflow_key = :key AND run = :run"
        " AND (step > :step OR (step = :step AND NOT :settles))"
    ),
    # What had failed because of others keeps how: that it was rewound, and what need not be done again, is seen by it.
    text(
        "UPDATE durable.history SET state = 'started', attempt = 0, due_at = NULL,"
        " payload = CASE WHEN kind <> 'activity' THEN payload END"
        " WHERE workflow_key = :key AND run = :run AND step = :step"
    ),
    text("DELETE FROM durable.links WHERE parent_key = :key AND run = :run AND step >= :step"),
    text("DELETE FROM durable.fans WHERE parent_key = :key AND run = :run AND step >= :step"),
    text(
        "UPDATE durable.inbox SET read_run = NULL, read_step = NULL, read_at = NULL"
        " WHERE workflow_key = :key AND read_run = :run AND read_step >= :step"
    ),
)
_REOPEN = (
    text(
        "UPDATE durable.runs SET outcome = NULL, result = NULL, error = NULL, cancel_reason = CASE WHEN EXISTS"
        " (SELECT FROM durable.history WHERE workflow_key = :key AND run = :run AND state = 'cancelled')"
        " THEN cancel_reason END WHERE workflow_key = :key AND run = :run"
    ),
    text(
        "UPDATE durable.workflows SET cancelling = false, deadline_at = deadline_at + (:now - (SELECT created_at"
        " FROM durable.runs WHERE workflow_key = :key AND run = :run)) WHERE key = :key"
    ),
)
_HAS_STEP = text("SELECT 1 FROM durable.history WHERE workflow_key = :key AND run = :run AND step = :step")
_COPY = (
    text(
        "INSERT INTO durable.history"
        " (workflow_key, run, step, kind, name, state, arguments, payload, attempt, due_at, at)"
        " SELECT forked.key, 1, step, kind, h.name, h.state, arguments, payload, attempt, due_at, at"
        " FROM durable.history h, durable.workflows forked"
        " WHERE workflow_key = :key AND h.run = :run AND step < :step AND forked.workflow_id = :new_id"
    ),
    text(
        "INSERT INTO durable.payload_uses (workflow_key, hash, noted_at)"
        " SELECT forked.key, hash, (SELECT durable.now()) FROM durable.payload_uses, durable.workflows forked"
        " WHERE workflow_key = :key AND forked.workflow_id = :new_id ON CONFLICT (workflow_key, hash) DO NOTHING"
    ),
    # A claim of fence 1 is taken to have no history yet.
    text("UPDATE durable.workflows SET fence = 1 WHERE workflow_id = :new_id"),
    text(
        "UPDATE durable.runs SET began_at = :began_at, seed = :seed"
        " WHERE workflow_key = (SELECT key FROM durable.workflows WHERE workflow_id = :new_id) AND run = 1"
    ),
)
_AWAITED_BY = """
    SELECT parent.workflow_id FROM durable.links l
    JOIN durable.workflows parent ON parent.key = l.parent_key AND parent.run = l.run AND parent.state <> 'closed'
    WHERE l.child_key = w.key AND NOT EXISTS (
        SELECT FROM durable.history h WHERE h.workflow_key = l.parent_key AND h.run = l.run AND h.step = l.step
            AND h.state IN ('done', 'failed', 'cancelled'))
"""
NOT_AWAITED = f"NOT EXISTS ({_AWAITED_BY})"
"""That no living workflow still has to read the result of the workflow `w`."""
_AWAITED = text(f"SELECT ({_AWAITED_BY} LIMIT 1) FROM durable.workflows w WHERE key = :key")  # noqa: S608 - our own text
# Else upkeep would end it at once, for its parent's end.
_LET_GO = text(
    "DELETE FROM durable.children c USING durable.workflows parent WHERE c.child_key = :key"
    " AND parent.key = c.parent_key AND (parent.state = 'closed' OR c.left_behind)"
)
# A run's members, and all that a flow consists of: nobody knows of them who does not know of the whole.
_PARTS = """tree(key, of_flow) AS (
    SELECT w.key, w.name LIKE '%.%' AND w.name NOT LIKE '@%' FROM durable.workflows w WHERE w.key {of}
    UNION SELECT c.child_key, tree.of_flow FROM tree JOIN durable.children c ON c.parent_key = tree.key
        JOIN durable.workflows w ON w.key = c.child_key
    WHERE w.state = 'closed' AND (tree.of_flow OR w.name LIKE '@%')
)"""
_PURGE = text(
    f"WITH RECURSIVE {_PARTS.format(of='= :key')} DELETE FROM durable.workflows"  # noqa: S608 - our own text
    " WHERE key = ANY(ARRAY(SELECT key FROM tree))"
)
_OLD = f"""
    SELECT w.key FROM durable.runs r JOIN durable.workflows w ON w.key = r.workflow_key AND w.run = r.run
    WHERE r.outcome = ANY(:states) AND r.updated_at < (SELECT durable.now()) - :age AND w.state = 'closed'
        AND {NOT_AWAITED}"""  # noqa: S608 - our own text
_COUNT_ENDED = text(f"SELECT count(*) FROM ({_OLD}) AS old")  # noqa: S608 - our own text
_PURGE_ENDED = text(f"""
WITH RECURSIVE old AS MATERIALIZED ({_OLD}
    ORDER BY r.updated_at LIMIT :most FOR UPDATE OF w SKIP LOCKED
), {_PARTS.format(of="= ANY(ARRAY(SELECT key FROM old))")}, gone AS (
    DELETE FROM durable.workflows WHERE key = ANY(ARRAY(SELECT key FROM tree))
)
SELECT count(*) FROM old
""")  # noqa: S608 - our own text


@dataclass(frozen=True)
class Held:
    """A workflow whose row this transaction has locked, and its present run."""

    key: int
    workflow_id: str
    name: str
    run: int
    state: WorkflowState
    now: datetime
    input: str
    error: str | None
    began_at: datetime
    seed: str
    options: WorkflowOptions

    def began_as(self, workflow_id: str) -> Beginning:
        """What begins another workflow just like it."""
        return Beginning(workflow_id, self.name, self.input, self.options)


def suspend(connection: Connection, workflow_id: str, reason: str) -> None:
    """Pause an open workflow; whoever runs it can no longer write."""
    held = _hold(connection, workflow_id, "suspend", OPEN)
    connection.execute(_SUSPEND, {"key": held.key})
    _explain(connection, held, reason)


def resume(connection: Connection, workflow_id: str) -> None:
    """Make a paused workflow due: it is replayed and goes on with the wait it had."""
    held = _hold(connection, workflow_id, "resume", ("paused",))
    connection.execute(_DUE, {"key": held.key, "now": held.now})
    _explain(connection, held, None)


def rewind(connection: Connection, workflow_id: str, reason: str, step: int | None = None) -> int | None:
    """Let a failed run go on from the step that failed it, or from the failed step that is named; returns that step, or
    None when the run's own code raised.

    What came after the step is forgotten and the signals read there are unread again; what is done in its place has keys
    of its own. The failed effect itself counts as in doubt, under its old key: whoever gave up on it does not know that
    it did not happen. Children that this one's end had ended go on where they were.
    """
    held = _hold(connection, workflow_id, "rewind", ("failed",))
    _refuse_awaited(connection, held, "rewind")
    which = {"key": held.key, "run": held.run, "now": held.now}
    failed = connection.execute(_FAILED, which | {"step": step}).one_or_none()
    if failed is None and step is not None:
        raise StepNotFound(f"workflow {workflow_id} has no failed step {step} in its run {held.run}; see its history")
    # A failure that the code caught before it went on and failed of itself is settled: only its number goes back to it.
    if failed is not None and step is None and not failed.is_last and "ActivityFailed" not in (held.error or ""):
        failed = None
    if failed is not None:
        for statement in _UNDO:
            connection.execute(statement, which | {"step": failed.step, "settles": failed.settles})
    for statement in (*_REOPEN, _LET_GO, _DUE):
        connection.execute(statement, which)
    reopening.started_children(connection, held.key, held.run, held.now)
    _explain(connection, held, reason)
    return None if failed is None else int(failed.step)


def restart(connection: Connection, workflow_id: str, new_id: str | None) -> Started:
    """Begin the next run of an ended workflow, or a new workflow, with the input and the options it had."""
    held = _hold(connection, workflow_id, "restart", ENDED)
    if new_id is not None:
        return _begin(connection, held.began_as(new_id))
    _refuse_awaited(connection, held, "restart")
    connection.execute(_LET_GO, {"key": held.key})
    endings.begin_run(connection, held.key, held.run + 1, held.name, held.input, held.now, held.options)
    return Started(workflow_id, held.run + 1, is_new=True)


def fork(connection: Connection, workflow_id: str, step: int, new_id: str) -> Started:
    """Begin a new workflow with the input of this one's present run and its history below `step`."""
    held = _hold(connection, workflow_id, "fork", (*OPEN, "paused", *ENDED))
    which = {"key": held.key, "run": held.run, "step": step}
    if connection.execute(_HAS_STEP, which).one_or_none() is None:
        raise StepNotFound(
            f"workflow {workflow_id} has no step {step} in its run {held.run}; see its history for the steps it has"
        )
    started = _begin(connection, held.began_as(new_id))
    for statement in _COPY:
        connection.execute(statement, which | {"new_id": new_id, "began_at": held.began_at, "seed": held.seed})
    return started


def purge(connection: Connection, workflow_id: str) -> None:
    """Forget an ended workflow and everything of it, with its members; a flow with its nested parts."""
    held = _hold(connection, workflow_id, "purge", ENDED)
    _refuse_awaited(connection, held, "purge")
    connection.execute(_PURGE, {"key": held.key})


def count_ended(connection: Connection, age: timedelta, states: Sequence[WorkflowState]) -> int:
    """How many workflows ended in one of `states` longer than `age` ago and may be forgotten."""
    many: int = connection.execute(_COUNT_ENDED, {"age": age, "states": list(states)}).scalar_one()
    return many


def purge_ended(connection: Connection, age: timedelta, states: Sequence[WorkflowState], *, most: int) -> int:
    """Forget up to `most` workflows that ended in one of `states` longer than `age` ago, as `purge` does; returns how
    many, not counting what went with them."""
    many: int = connection.execute(_PURGE_ENDED, {"age": age, "states": list(states), "most": most}).scalar_one()
    return many


def _hold(connection: Connection, workflow_id: str, verb: str, allowed: Sequence[WorkflowState]) -> Held:
    """Lock a workflow. Raises `WorkflowNotFound`, or `WrongState` when it is in none of `allowed`."""
    row = connection.execute(_LOCK, {"workflow_id": workflow_id}).one_or_none()
    if row is None:
        raise WorkflowNotFound(f"no workflow has the id {workflow_id!r}")
    run = connection.execute(_RUN, {"key": row.key, "run": row.run}).one()
    state: WorkflowState = row.state
    if row.state == "closed":
        state = run.outcome or "terminated"
    elif row.state == "waiting" and row.wake_at is not None and row.wake_at <= row.now:
        state = "ready"
    if state not in allowed:
        raise WrongState(workflow_id, state, f"{verb} takes one that is {' or '.join(allowed)}")
    # `created_at` is when the deadline was set: continue-as-new moves neither.
    deadline = None if row.deadline_at is None else row.deadline_at - run.created_at
    options = WorkflowOptions(row.queue, row.priority, deadline, run.keep_for, row.version)
    seed = run.seed or seed_of(workflow_id, row.run, run.began_at)
    return Held(
        row.key, workflow_id, row.name, row.run, state, row.now, run.input, run.error, run.began_at, seed, options
    )


def _refuse_awaited(connection: Connection, held: Held, verb: str) -> None:
    """Refuse what would take an outcome away from a living parent that has counted it and not yet read it."""
    parent: str | None = connection.execute(_AWAITED, {"key": held.key}).scalar_one()
    if parent is not None:
        raise WrongState(held.workflow_id, held.state, f"{verb} it when its parent {parent} has read its result")


def _explain(connection: Connection, held: Held, reason: str | None) -> None:
    told = None if reason is None else reason[:500]
    connection.execute(_EXPLAIN, {"key": held.key, "run": held.run, "reason": told, "now": held.now})


def _begin(connection: Connection, beginning: Beginning) -> Started:
    """Begin a workflow under an id that nothing may have yet."""
    started = commands.start(connection, beginning, "reject")
    if not started.is_new:
        raise WorkflowIdTaken(f"workflow id {beginning.workflow_id!r} is taken by a workflow that has not ended")
    return started
