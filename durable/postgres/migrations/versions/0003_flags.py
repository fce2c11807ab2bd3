"""What a run's end has to look at beyond its own row is said on that row; what a forked run draws its chance from; and
what is old is found by its age, also where a workflow has a retention of its own."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FLAGS = """
ALTER TABLE durable.workflows
    ADD COLUMN awaited BOOLEAN DEFAULT false NOT NULL,
    ADD COLUMN recalled BOOLEAN DEFAULT false NOT NULL;
UPDATE durable.workflows SET awaited = true WHERE key IN (SELECT child_key FROM durable.links);
UPDATE durable.workflows SET recalled = true
    WHERE key IN (SELECT workflow_key FROM durable.inbox WHERE read_at IS NULL AND start_input IS NOT NULL);
"""

SEED = "ALTER TABLE durable.runs ADD COLUMN seed TEXT"

AGES = """
CREATE INDEX runs_kept ON durable.runs (((updated_at AT TIME ZONE 'UTC') + keep_for))
    WHERE outcome IS NOT NULL AND keep_for IS NOT NULL;
CREATE INDEX occurrences_age ON durable.occurrences (due_at);
"""


def upgrade() -> None:
    op.execute(FLAGS)
    op.execute(SEED)
    op.execute(AGES)
