"""Parents and children: members begun in bulk, the fan that wakes a parent once, and their results.

The order of locks is child, fan, parent. A parent that collects takes its fan before its own row.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from durable.model import Claim, Member, ParentClose
from durable.postgres import payloads

LEFT = "its parent has ended, or gone on without it"
"""Why a child was ended for the sake of its parent's end."""

_BEGIN_MEMBERS = text("""
WITH member AS (
    SELECT * FROM json_to_recordset(CAST(:members AS json)) AS m(member integer, workflow_id text, name text, input text,
        queue text, priority smallint, version text, deadline double precision, retention double precision)
), made AS (
    INSERT INTO durable.workflows
        (workflow_id, name, run, state, wake_at, queue, priority, version, deadline_at, awaited)
    SELECT workflow_id, name, 1, 'waiting', :now, queue, priority, version, :now + make_interval(secs => deadline),
        :linked
    FROM member ORDER BY member
    ON CONFLICT (workflow_id) DO NOTHING RETURNING key, workflow_id
), begun AS (
    INSERT INTO durable.runs (workflow_key, run, name, input, created_at, began_at, updated_at, keep_for)
    SELECT key, 1, name, input, :now, :now, :now, make_interval(secs => retention)
    FROM made JOIN member USING (workflow_id)
), kin AS (
    INSERT INTO durable.children (child_key, parent_key, on_parent_close) SELECT key, :parent, :policy FROM made
), linked AS (
    INSERT INTO durable.links (parent_key, run, step, member, child_key)
    SELECT :parent, :run, :step, member, key FROM made JOIN member USING (workflow_id) WHERE :linked
)
SELECT count(*) FROM made
""")
_FORGET_FORMER = text("DELETE FROM durable.workflows WHERE workflow_id = ANY(:ids) AND state = 'closed'")
_OPEN_FAN = text(
    "INSERT INTO durable.fans (parent_key, run, step, missing, fail_fast)"
    " VALUES (:parent, :run, :step, :missing, :fail_fast) ON CONFLICT DO NOTHING"
)
_LOCK_FAN = text(
    "SELECT missing, fail_fast, failed FROM durable.fans"
    " WHERE parent_key = :parent AND run = :run AND step = :step FOR UPDATE"
)
_FOLD = text("DELETE FROM durable.fans WHERE parent_key = :parent AND run = :run AND step = :step")
_UNLINK = text("DELETE FROM durable.links WHERE parent_key = :parent AND run = :run AND step = :step")
_RESULTS = text(
    "SELECT l.member, w.key, w.workflow_id, w.name, r.outcome, r.result, r.reason, r.updated_at FROM durable.links l"
    " JOIN durable.workflows w ON w.key = l.child_key"
    " JOIN durable.runs r ON r.workflow_key = w.key AND r.run = w.run"
    " WHERE l.parent_key = :parent AND l.run = :run AND l.step = :step ORDER BY l.member"
)
_LOCK_CHILD = text("SELECT key FROM durable.workflows WHERE workflow_id = :workflow_id FOR NO KEY UPDATE")
_ENDED_CHILD = text(
    "SELECT r.outcome, r.result, r.reason FROM durable.workflows w"
    " JOIN durable.runs r ON r.workflow_key = w.key AND r.run = w.run WHERE w.key = :key AND w.state = 'closed'"
)
_LINK = text("""
WITH awaited AS (UPDATE durable.workflows SET awaited = true WHERE key = :child)
INSERT INTO durable.links (parent_key, run, step, member, child_key) VALUES (:parent, :run, :step, 0, :child)
ON CONFLICT DO NOTHING
""")
COUNT_DOWN = """
UPDATE durable.fans f SET missing = f.missing - 1, failed = f.failed OR :failed
FROM durable.links l
WHERE l.child_key = :key AND (f.parent_key, f.run, f.step) = (l.parent_key, l.run, l.step)"""
WAKE_PARENTS = """
UPDATE durable.workflows SET wake_at = (SELECT durable.now()), listening = false, wake_real = false
WHERE state = 'waiting' AND listening AND key IN (
    SELECT f.parent_key FROM durable.links l
    JOIN durable.fans f ON (f.parent_key, f.run, f.step) = (l.parent_key, l.run, l.step)
    WHERE l.child_key = :key AND (f.missing <= 0 OR (f.failed AND f.fail_fast)))"""
# Two statements in one trip: the second sees where a parent waits that opened its fan while the first waited for that.
_ENDED = text(f"{COUNT_DOWN};{WAKE_PARENTS}")
_LEAVE_BEHIND = text(
    "UPDATE durable.children SET left_behind = true, on_parent_close = :policy WHERE child_key = ANY(:keys)"
)
_FORGET_MEMBERS = text("DELETE FROM durable.workflows WHERE key = ANY(:keys) AND state = 'closed'")
_LEFT = """
    FROM durable.children c
    JOIN durable.workflows parent ON parent.key = c.parent_key AND (parent.state = 'closed' OR c.left_behind)
    JOIN durable.workflows child ON child.key = c.child_key AND child.state <> 'closed' AND NOT child.cancelling
    WHERE c.on_parent_close <> 'abandon' AND """
# Put in order once they are found: were they looked for in that order, the planner might walk over all children.
_ORPHANS = text(
    f"WITH found AS MATERIALIZED (SELECT child.key, child.workflow_id, c.on_parent_close{_LEFT}"  # noqa: S608 - our own
    " (CAST(:parent AS bigint) IS NULL OR c.parent_key = :parent) LIMIT :most) SELECT * FROM found ORDER BY key"
)
_IS_ORPHAN = text(f"SELECT EXISTS (SELECT 1{_LEFT} c.child_key = :key)")


def begin_members(
    connection: Connection,
    claim: Claim,
    step: int,
    members: Mapping[int, tuple[str, Member]],
    now: datetime,
    *,
    policy: ParentClose,
    linked: bool,
) -> int:
    """Begin members, (workflow id, member) by number, in one statement, due at once; returns how many were new. With
    `linked` their ends count for the fan of this step."""
    ids = [workflow_id for workflow_id, _ in members.values()]
    rows = [
        {
            "member": number,
            "workflow_id": workflow_id,
            "name": member.name,
            "input": member.input,
            "queue": member.options.queue,
            "priority": member.options.priority,
            "version": member.options.version,
            "deadline": member.options.deadline.total_seconds() if member.options.deadline else None,
            "retention": member.options.retention.total_seconds() if member.options.retention else None,
        }
        for number, (workflow_id, member) in members.items()
    ]
    given = _at(claim, step) | {"members": json.dumps(rows), "now": now, "policy": policy, "linked": linked}
    if linked:  # those of a parent that was forgotten, and begun again under its id
        connection.execute(_FORGET_FORMER, {"ids": ids})
    begun: int = connection.execute(_BEGIN_MEMBERS, given).scalar_one()
    if begun:
        payloads.use_of_new(connection, {workflow_id: member.input for workflow_id, member in members.values()})
    return begun


def open_fan(connection: Connection, claim: Claim, step: int, *, missing: int, fail_fast: bool) -> None:
    """Let the parent be woken at this step after `missing` ends, or the first failure with `fail_fast`."""
    connection.execute(_OPEN_FAN, _at(claim, step) | {"missing": missing, "fail_fast": fail_fast})


def fan_is_complete(connection: Connection, claim: Claim, step: int) -> bool | None:
    """Whether the parent has what it waits for; None when there is no fan yet. Locks the fan."""
    row = connection.execute(_LOCK_FAN, _at(claim, step)).one_or_none()
    return None if row is None else bool(row.missing <= 0 or (row.failed and row.fail_fast))


def results(connection: Connection, claim: Claim, step: int) -> list[Any]:
    """The members of a fan with their outcomes, in the order they were given."""
    return list(connection.execute(_RESULTS, _at(claim, step)))


def fold(connection: Connection, claim: Claim, step: int, forget: Sequence[int]) -> None:
    """Close the fan, and forget the ended members of these keys: their results stand in the parent's history now."""
    connection.execute(_FOLD, _at(claim, step))
    connection.execute(_UNLINK, _at(claim, step))
    connection.execute(_FORGET_MEMBERS, {"keys": list(forget)})


def leave_behind(connection: Connection, keys: Sequence[int], policy: ParentClose) -> None:
    """Let these children fare as `policy` says, as if their parent had ended: nobody waits for them any more."""
    if keys:
        connection.execute(_LEAVE_BEHIND, {"keys": list(keys), "policy": policy})


def lock_child(connection: Connection, workflow_id: str) -> int | None:
    """Hold a child's row, so that it does not end meanwhile; its key, or None when it was purged."""
    key: int | None = connection.execute(_LOCK_CHILD, {"workflow_id": workflow_id}).scalar_one_or_none()
    return key


def ended_child(connection: Connection, key: int) -> Any:
    """Outcome, result and reason of a child that has ended, or None."""
    return connection.execute(_ENDED_CHILD, {"key": key}).one_or_none()


def link(connection: Connection, claim: Claim, step: int, child: int) -> None:
    """Let this child's end count for the fan of this step."""
    connection.execute(_LINK, _at(claim, step) | {"child": child})


def ended(connection: Connection, child: int, *, failed: bool) -> None:
    """Count a workflow's end for whoever waits for it. Call it with the child's row locked."""
    connection.execute(_ENDED, {"key": child, "failed": failed})


def orphans(connection: Connection, parent: int | None, *, most: int = 1000) -> list[tuple[str, ParentClose]]:
    """Open children whose parent (this one, or any) has ended, the oldest first, with what is to become of them."""
    rows = connection.execute(_ORPHANS, {"most": most, "parent": parent})
    return [(row.workflow_id, row.on_parent_close) for row in rows]


def is_orphan(connection: Connection, key: int) -> bool:
    """Whether a child whose row is locked still is one: a rewind may have taken it up again."""
    return bool(connection.execute(_IS_ORPHAN, {"key": key}).scalar_one())


def _at(claim: Claim, step: int) -> dict[str, Any]:
    return {"parent": claim.key, "run": claim.run, "step": step}
