"""What a rewind means for those whom the rewound run had begun: they go on as if it had not failed.

Who had failed is rewound as well. Who was ended for the failure of others is open again and goes on where it was: a call
that it had under way is in doubt, and looked into. Who had completed stays so.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, text

from durable.model import Claim
from durable.postgres import kin, steering
from durable.postgres.reopening import REASON, open_again

_LOCK = text("SELECT 1 FROM durable.workflows WHERE workflow_id = ANY(:ids) ORDER BY key FOR NO KEY UPDATE")
# A statement of its own: joined to the lock it would still show who ended while the lock was waited for as open.
_FOUND = text(
    "SELECT w.key, w.workflow_id, w.state = 'closed' AS has_ended, r.outcome, r.reason = :left AS was_left"
    " FROM durable.workflows w JOIN durable.runs r ON r.workflow_key = w.key AND r.run = w.run"
    " WHERE w.workflow_id = ANY(:ids)"
)
_ADOPT = text("""
INSERT INTO durable.children (child_key, parent_key, on_parent_close)
SELECT child, :parent, 'terminate' FROM unnest(CAST(:keys AS bigint[])) AS child
ON CONFLICT (child_key) DO UPDATE SET left_behind = false
""")
_AWAIT = text("""
WITH taken_up AS (
    SELECT * FROM unnest(CAST(:keys AS bigint[]), CAST(:numbers AS integer[])) AS taken_up(child, number)
), awaited AS (
    UPDATE durable.workflows SET awaited = true FROM taken_up WHERE key = child
)
INSERT INTO durable.links (parent_key, run, step, member, child_key) SELECT :parent, :run, :step, number, child
FROM taken_up
""")


def failed_child(connection: Connection, key: int, workflow_id: str) -> None:
    """Rewind the child whose failure a rewound wait had ended with. Its row has to be locked."""
    ended = kin.ended_child(connection, key)
    if ended is not None and ended.outcome == "failed":
        steering.rewind(connection, workflow_id, REASON)


def members(
    connection: Connection, claim: Claim, step: int, numbers: Mapping[str, int], now: datetime
) -> tuple[set[str], int]:
    """Take up again what is left of a rewound gather's members, given as their numbers by workflow id, and let their
    ends count for it.

    Returns whom it has found, and how many of them have completed by now. The others are to be begun.
    """
    asked = {"ids": list(numbers), "left": kin.LEFT}
    connection.execute(_LOCK, asked)
    found = connection.execute(_FOUND, asked).all()
    keys = [row.key for row in found]
    connection.execute(_ADOPT, {"keys": keys, "parent": claim.key})
    left = {row.key for row in found if row.has_ended and row.outcome == "terminated" and row.was_left}
    open_again(connection, sorted(left), now)
    for row in found:
        if row.has_ended and row.outcome == "failed":
            steering.rewind(connection, row.workflow_id, REASON)
        elif row.has_ended and row.outcome != "completed" and row.key not in left:
            steering.restart(connection, row.workflow_id, None)
    link = {"parent": claim.key, "run": claim.run, "step": step}
    connection.execute(_AWAIT, link | {"keys": keys, "numbers": [numbers[row.workflow_id] for row in found]})
    return {row.workflow_id for row in found}, sum(row.has_ended and row.outcome == "completed" for row in found)
