"""Workflows found by name, state and time among hundreds of thousands, without a new index on the hot rows."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# The members of a gather are no workflows that anybody looks for.
NAME = """
ALTER TABLE durable.runs ADD COLUMN name TEXT;
UPDATE durable.runs r SET name = w.name FROM durable.workflows w WHERE w.key = r.workflow_key;
ALTER TABLE durable.runs ALTER COLUMN name SET NOT NULL;
"""

INDEXES = """
CREATE INDEX runs_created ON durable.runs (created_at, workflow_key) WHERE name NOT LIKE '@%';
CREATE INDEX runs_named ON durable.runs (name, created_at, workflow_key) WHERE name NOT LIKE '@%';
CREATE INDEX runs_outcome ON durable.runs (outcome, created_at, workflow_key)
    WHERE outcome IS NOT NULL AND name NOT LIKE '@%';
CREATE INDEX runs_open ON durable.runs (created_at, workflow_key) WHERE outcome IS NULL AND name NOT LIKE '@%';
CREATE INDEX runs_flows ON durable.runs (created_at, workflow_key) WHERE name LIKE '%.%' AND name NOT LIKE '@%';
CREATE INDEX workflows_paused ON durable.workflows (key) WHERE state = 'paused';
"""

# Bytes, not a language's order: only so does the index find ids by how they begin.
ORDER_OF_IDS = 'ALTER TABLE durable.workflows ALTER COLUMN workflow_id TYPE TEXT COLLATE "C"'


def upgrade() -> None:
    op.execute(NAME)
    op.execute(INDEXES)
    op.execute(ORDER_OF_IDS)
