"""Effects after a rewound step have keys of their own, a start that waits in a signal keeps its options, and a queue may be
limited for each worker."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STATEMENTS = """
ALTER TABLE durable.runs ADD COLUMN rewound INTEGER[];
ALTER TABLE durable.inbox ADD COLUMN start_options TEXT;
ALTER TABLE durable.queues ADD COLUMN most_per_worker INTEGER
    CONSTRAINT queues_most_per_worker_check CHECK (most_per_worker > 0);
"""


def upgrade() -> None:
    op.execute(STATEMENTS)
