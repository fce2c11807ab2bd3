"""What operators look at: how much a worker takes and for which version, and the deliveries that failed, by an index."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATEMENTS = """
ALTER TABLE durable.workers ADD COLUMN slots INTEGER;
ALTER TABLE durable.workers ADD COLUMN version TEXT;
CREATE INDEX deliveries_failed ON durable.deliveries (id) WHERE state = 'failed';
"""


def upgrade() -> None:
    op.execute(STATEMENTS)
