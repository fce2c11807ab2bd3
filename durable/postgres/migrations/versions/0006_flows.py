"""Runs of flows by their number: any page of them is found, and they are counted, without looking at the rows."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# A workflow that was restarted has several rows in `runs`, so an index of those tells nobody where a page begins.
INDEXES = """
DROP INDEX durable.runs_flows;
CREATE INDEX workflows_flows ON durable.workflows (key) WHERE name LIKE '%.%' AND name NOT LIKE '@%';
"""


def upgrade() -> None:
    op.execute(INDEXES)
