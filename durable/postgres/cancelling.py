"""Asking a workflow to end: a note on its row, which its code sees when it next waits or takes a step."""

from sqlalchemy import Connection, text

from durable.errors import WorkflowClosed, WorkflowNotFound

_LOCK = text("SELECT key, run, state FROM durable.workflows WHERE workflow_id = :workflow_id FOR NO KEY UPDATE")
_NOTE = text(
    "UPDATE durable.runs SET cancel_reason = :reason WHERE workflow_key = :key AND run = :run AND cancel_reason IS NULL"
)
_WAKE = text(
    "UPDATE durable.workflows SET cancelling = true, listening = false, wake_real = false, gate = NULL,"
    " state = CASE WHEN state = 'parked' THEN 'waiting' ELSE state END,"
    " wake_at = CASE WHEN state IN ('waiting', 'parked') THEN (SELECT durable.now()) ELSE wake_at END"
    " WHERE key = :key"
)


def request(connection: Connection, workflow_id: str, reason: str) -> bool:
    """Ask a workflow to end; False when it was asked before. Raises `WorkflowNotFound`, `WorkflowClosed`."""
    row = connection.execute(_LOCK, {"workflow_id": workflow_id}).one_or_none()
    if row is None:
        raise WorkflowNotFound(f"no workflow has the id {workflow_id!r}")
    if row.state == "closed":
        raise WorkflowClosed(f"workflow {workflow_id} has already ended; there is nothing to cancel")
    noted = connection.execute(_NOTE, {"key": row.key, "run": row.run, "reason": reason[:500]}).rowcount == 1
    if noted:
        connection.execute(_WAKE, {"key": row.key})
    return noted
