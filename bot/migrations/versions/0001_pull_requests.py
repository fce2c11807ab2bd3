"""The pull requests that are or were watched, and the channels that were held for them."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE vigil.pull_requests (
    workflow_id TEXT NOT NULL,
    host TEXT NOT NULL,
    repository_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    owner TEXT NOT NULL,
    repo TEXT NOT NULL,
    title TEXT NOT NULL,
    url TEXT NOT NULL,
    outcome TEXT,
    watched_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pull_requests_pkey PRIMARY KEY (workflow_id),
    CONSTRAINT pull_requests_host_repository_id_number_key UNIQUE (host, repository_id, number)
);

CREATE INDEX pull_requests_named_idx ON vigil.pull_requests (lower(owner), lower(repo), number);

CREATE TABLE vigil.channels (
    channel_id TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    name TEXT NOT NULL,
    held_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT channels_pkey PRIMARY KEY (channel_id),
    CONSTRAINT channels_workflow_id_fkey FOREIGN KEY (workflow_id)
        REFERENCES vigil.pull_requests (workflow_id) ON DELETE CASCADE
);

CREATE INDEX channels_workflow_id_idx ON vigil.channels (workflow_id);
"""


def upgrade() -> None:
    """Create them."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE vigil.channels, vigil.pull_requests")
