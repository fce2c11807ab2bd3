"""Large payloads in a table of their own, by hash."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PAYLOADS = """
CREATE TABLE durable.payloads (
    hash TEXT NOT NULL,
    content BYTEA NOT NULL,
    characters INTEGER NOT NULL,
    holds TEXT[],
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT payloads_pkey PRIMARY KEY (hash)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);

CREATE INDEX payloads_noted ON durable.payloads (noted_at);

CREATE TABLE durable.payload_uses (
    workflow_key BIGINT NOT NULL,
    hash TEXT NOT NULL,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT payload_uses_pkey PRIMARY KEY (workflow_key, hash),
    CONSTRAINT payload_uses_workflow_key_fkey FOREIGN KEY (workflow_key) REFERENCES durable.workflows (key)
        ON DELETE CASCADE,
    CONSTRAINT payload_uses_hash_fkey FOREIGN KEY (hash) REFERENCES durable.payloads (hash)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);

CREATE INDEX payload_uses_hash ON durable.payload_uses (hash);

CREATE INDEX payload_uses_noted ON durable.payload_uses (noted_at);
"""


def upgrade() -> None:
    op.execute(PAYLOADS)
