"""Who is signed in to the dashboard, what people did there, and what is drawn over time."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE vigil.sessions (
    secret_hash TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    origin TEXT NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (secret_hash),
    CONSTRAINT sessions_role_check CHECK (role IN ('viewer', 'admin'))
);

CREATE INDEX sessions_expires_at_idx ON vigil.sessions (expires_at);

CREATE TABLE vigil.acts (
    id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    outcome TEXT,
    CONSTRAINT acts_pkey PRIMARY KEY (id)
);

CREATE INDEX acts_subject_idx ON vigil.acts (subject, id);

CREATE TABLE vigil.samples (
    minute TIMESTAMP WITH TIME ZONE NOT NULL,
    due BIGINT NOT NULL,
    lag_seconds DOUBLE PRECISION NOT NULL,
    deliveries BIGINT NOT NULL,
    watched BIGINT NOT NULL,
    CONSTRAINT samples_pkey PRIMARY KEY (minute)
);

CREATE TABLE vigil.reminders (
    workflow_id TEXT NOT NULL,
    message TEXT NOT NULL,
    number BIGINT NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    posted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT reminders_pkey PRIMARY KEY (workflow_id, message)
);

CREATE INDEX reminders_posted_at_idx ON vigil.reminders (posted_at);
"""


def upgrade() -> None:
    """Create them."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE vigil.sessions, vigil.acts, vigil.samples, vigil.reminders")
