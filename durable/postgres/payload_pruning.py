"""Forgetting large contents: first that a workflow uses one that its rows no longer refer to, then what nobody uses.

A run commits a use before the row that refers to it, so a use whose row is not there yet must stay. A workflow that is
running is therefore left alone: whoever has lost its fence can write no such row any more. And both are looked at only a
day after they were noted, and then again a day later, so that a pass reads in proportion to what is new.
"""

from datetime import timedelta

from sqlalchemy import Connection, text

_ANY_REFERENCE = """%{"$":"stored"%"""
_EACH_REFERENCE = r"""\{"\$":"stored","v":"([0-9a-f]{64})"\}"""

_HOLD = text("""
SELECT key FROM durable.workflows WHERE state <> 'running' AND key IN (
    SELECT workflow_key FROM durable.payload_uses JOIN durable.workflows w ON w.key = workflow_key
    WHERE noted_at < (SELECT durable.now()) - :age AND w.state <> 'running' ORDER BY noted_at LIMIT :most)
FOR NO KEY UPDATE SKIP LOCKED
""")
# A statement of its own, so that it sees what was committed until the rows were locked.
_REVIEW = text("""
WITH texts AS (
    SELECT workflow_key, concat_ws(' ', input, status, result) AS written FROM durable.runs
        WHERE workflow_key = ANY(:keys)
    UNION ALL SELECT workflow_key, concat_ws(' ', arguments, payload) FROM durable.history
        WHERE workflow_key = ANY(:keys)
    UNION ALL SELECT workflow_key, concat_ws(' ', payload, start_input) FROM durable.inbox
        WHERE workflow_key = ANY(:keys)
), direct AS MATERIALIZED (
    SELECT DISTINCT workflow_key, found[1] AS hash FROM texts, regexp_matches(written, :each, 'g') AS found
    WHERE written LIKE :any
), needed AS MATERIALIZED (
    SELECT workflow_key, hash FROM direct
    UNION SELECT workflow_key, unnest(holds) FROM direct JOIN durable.payloads USING (hash)
), confirmed AS (
    UPDATE durable.payload_uses u SET noted_at = (SELECT durable.now()) FROM needed
    WHERE (u.workflow_key, u.hash) = (needed.workflow_key, needed.hash)
)
DELETE FROM durable.payload_uses u WHERE workflow_key = ANY(:keys)
    AND NOT EXISTS (SELECT FROM needed WHERE (workflow_key, hash) = (u.workflow_key, u.hash))
""")
_FORGET = text("""
WITH old AS MATERIALIZED (
    SELECT hash, EXISTS (SELECT FROM durable.payload_uses u WHERE u.hash = p.hash) AS used FROM durable.payloads p
    WHERE noted_at < (SELECT durable.now()) - :age ORDER BY noted_at LIMIT :most FOR UPDATE SKIP LOCKED
), kept AS (
    UPDATE durable.payloads p SET noted_at = (SELECT durable.now()) FROM old WHERE p.hash = old.hash AND old.used
), forgotten AS (
    DELETE FROM durable.payloads p USING old WHERE p.hash = old.hash AND NOT old.used
)
SELECT count(*) FROM old
""")


def review_uses(connection: Connection, age: timedelta, *, most: int) -> int:
    """Look at the workflows of up to `most` uses noted longer than `age` ago, and forget those uses that no row of theirs
    bears out; returns how many workflows were looked at."""
    keys = list(connection.execute(_HOLD, {"age": age, "most": most}).scalars())
    if keys:
        connection.execute(_REVIEW, {"keys": keys, "any": _ANY_REFERENCE, "each": _EACH_REFERENCE})
    return len(keys)


def forget_unused(connection: Connection, age: timedelta, *, most: int) -> int:
    """Look at up to `most` contents noted longer than `age` ago, and forget those that nobody uses; returns how many were
    looked at."""
    looked_at: int = connection.execute(_FORGET, {"age": age, "most": most}).scalar_one()
    return looked_at
