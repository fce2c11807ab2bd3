"""The engine's first tables, and its clock."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE durable.clock (
    one BOOLEAN DEFAULT true NOT NULL,
    shift INTERVAL DEFAULT '0'::interval NOT NULL,
    CONSTRAINT clock_pkey PRIMARY KEY (one),
    CONSTRAINT clock_one_row_check CHECK (one)
);

CREATE TABLE durable.deliveries (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    source TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BYTEA NOT NULL,
    state TEXT DEFAULT 'received' NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    note TEXT,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    next_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT deliveries_pkey PRIMARY KEY (id),
    CONSTRAINT deliveries_source_delivery_id_key UNIQUE (source, delivery_id),
    CONSTRAINT deliveries_state_check CHECK (state IN ('received', 'applied', 'failed'))
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);

CREATE INDEX deliveries_age ON durable.deliveries (received_at) WHERE state = 'applied';

CREATE INDEX deliveries_received ON durable.deliveries (id) WHERE state = 'received';

CREATE TABLE durable.gates (
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT gates_pkey PRIMARY KEY (name)
);

CREATE TABLE durable.workers (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    pid_started BIGINT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT workers_pkey PRIMARY KEY (id)
);

CREATE TABLE durable.workflows (
    key BIGINT GENERATED ALWAYS AS IDENTITY,
    workflow_id TEXT NOT NULL,
    name TEXT NOT NULL,
    run INTEGER NOT NULL,
    state TEXT NOT NULL,
    wake_at TIMESTAMP WITH TIME ZONE,
    wake_real BOOLEAN DEFAULT false NOT NULL,
    listening BOOLEAN DEFAULT false NOT NULL,
    fence BIGINT DEFAULT 0 NOT NULL,
    worker_id BIGINT,
    claimed_until TIMESTAMP WITH TIME ZONE,
    attempts INTEGER DEFAULT 0 NOT NULL,
    gate TEXT,
    CONSTRAINT workflows_pkey PRIMARY KEY (key),
    CONSTRAINT workflows_state_check CHECK (state IN ('waiting', 'running', 'parked', 'paused', 'closed')),
    CONSTRAINT workflows_workflow_id_key UNIQUE (workflow_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);

CREATE INDEX workflows_due ON durable.workflows (wake_at) WHERE state = 'waiting';

CREATE INDEX workflows_parked ON durable.workflows (gate) WHERE state = 'parked';

CREATE INDEX workflows_running ON durable.workflows (worker_id) WHERE state = 'running';

CREATE TABLE durable.history (
    workflow_key BIGINT NOT NULL,
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    arguments TEXT,
    payload TEXT,
    attempt INTEGER NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT history_pkey PRIMARY KEY (workflow_key, run, step),
    CONSTRAINT history_state_check CHECK (state IN ('started', 'retrying', 'done', 'failed')),
    CONSTRAINT history_workflow_key_fkey FOREIGN KEY(workflow_key) REFERENCES durable.workflows (key) ON DELETE CASCADE
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);

CREATE TABLE durable.inbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workflow_key BIGINT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    payload TEXT NOT NULL,
    start_name TEXT,
    start_input TEXT,
    sent_at TIMESTAMP WITH TIME ZONE NOT NULL,
    read_run INTEGER,
    read_step INTEGER,
    read_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT inbox_pkey PRIMARY KEY (id),
    CONSTRAINT inbox_workflow_key_key_key UNIQUE (workflow_key, key),
    CONSTRAINT inbox_workflow_key_fkey FOREIGN KEY(workflow_key) REFERENCES durable.workflows (key) ON DELETE CASCADE
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);

CREATE INDEX inbox_read ON durable.inbox (read_at) WHERE read_at IS NOT NULL;

CREATE INDEX inbox_unread ON durable.inbox (workflow_key, id) WHERE read_at IS NULL;

CREATE TABLE durable.runs (
    workflow_key BIGINT NOT NULL,
    run INTEGER NOT NULL,
    input TEXT NOT NULL,
    outcome TEXT,
    status TEXT,
    result TEXT,
    error TEXT,
    reason TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    began_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT runs_pkey PRIMARY KEY (workflow_key, run),
    CONSTRAINT runs_outcome_check CHECK (outcome IN ('completed', 'failed', 'terminated')),
    CONSTRAINT runs_workflow_key_fkey FOREIGN KEY(workflow_key) REFERENCES durable.workflows (key) ON DELETE CASCADE
);

CREATE INDEX runs_ended ON durable.runs (updated_at) WHERE outcome IS NOT NULL;
"""

CLOCK = """
INSERT INTO durable.clock DEFAULT VALUES;

-- The engine's time: the database's clock, moved by tests. Every row of one statement sees one time when it is asked
-- for in a sub-select: (SELECT durable.now()).
CREATE FUNCTION durable.now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE
    AS 'SELECT clock_timestamp() + shift FROM durable.clock';
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(CLOCK)
