"""Children and fan-in, cancelling, deadlines, queues, schedules, and large payloads."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WORKFLOWS = """
ALTER TABLE durable.workflows
    ADD COLUMN queue TEXT DEFAULT 'default' NOT NULL,
    ADD COLUMN priority SMALLINT DEFAULT 0 NOT NULL,
    ADD COLUMN deadline_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN version TEXT,
    ADD COLUMN cancelling BOOLEAN DEFAULT false NOT NULL;
DROP INDEX durable.workflows_due;
CREATE INDEX workflows_due ON durable.workflows (name, queue, priority, coalesce(version, ''), wake_at)
    WHERE state = 'waiting';
CREATE INDEX workflows_deadline ON durable.workflows (deadline_at) WHERE deadline_at IS NOT NULL AND state <> 'closed';

ALTER TABLE durable.runs
    ADD COLUMN cancel_reason TEXT,
    ADD COLUMN keep_for INTERVAL,
    DROP CONSTRAINT runs_outcome_check,
    ADD CONSTRAINT runs_outcome_check CHECK (outcome IN ('completed', 'failed', 'terminated', 'cancelled'));

ALTER TABLE durable.history
    DROP CONSTRAINT history_state_check,
    ADD CONSTRAINT history_state_check CHECK (state IN ('started', 'retrying', 'done', 'failed', 'cancelled'));
"""

CHILDREN = """
CREATE TABLE durable.fans (
    parent_key BIGINT NOT NULL,
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,
    missing INTEGER NOT NULL,
    fail_fast BOOLEAN NOT NULL,
    failed BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT fans_pkey PRIMARY KEY (parent_key, run, step),
    CONSTRAINT fans_parent_key_fkey FOREIGN KEY (parent_key) REFERENCES durable.workflows (key) ON DELETE CASCADE
) WITH (fillfactor = 50);

CREATE TABLE durable.links (
    parent_key BIGINT NOT NULL,
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,
    member INTEGER NOT NULL,
    child_key BIGINT NOT NULL,
    CONSTRAINT links_pkey PRIMARY KEY (parent_key, run, step, member),
    CONSTRAINT links_parent_key_fkey FOREIGN KEY (parent_key) REFERENCES durable.workflows (key) ON DELETE CASCADE,
    CONSTRAINT links_child_key_fkey FOREIGN KEY (child_key) REFERENCES durable.workflows (key) ON DELETE CASCADE
);
CREATE INDEX links_child ON durable.links (child_key);

CREATE TABLE durable.children (
    child_key BIGINT NOT NULL,
    parent_key BIGINT NOT NULL,
    on_parent_close TEXT NOT NULL,
    left_behind BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT children_pkey PRIMARY KEY (child_key),
    CONSTRAINT children_child_key_fkey FOREIGN KEY (child_key) REFERENCES durable.workflows (key) ON DELETE CASCADE,
    CONSTRAINT children_parent_key_fkey FOREIGN KEY (parent_key) REFERENCES durable.workflows (key) ON DELETE CASCADE,
    CONSTRAINT children_on_parent_close_check CHECK (on_parent_close IN ('abandon', 'cancel', 'terminate'))
);
CREATE INDEX children_parent ON durable.children (parent_key);
"""

QUEUES = """
CREATE TABLE durable.queues (
    name TEXT NOT NULL,
    most_running INTEGER,
    rate DOUBLE PRECISION,
    burst INTEGER DEFAULT 1 NOT NULL,
    tokens DOUBLE PRECISION DEFAULT 1 NOT NULL,
    filled_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT queues_pkey PRIMARY KEY (name),
    CONSTRAINT queues_most_running_check CHECK (most_running > 0),
    CONSTRAINT queues_rate_check CHECK (rate > 0)
) WITH (fillfactor = 50);
CREATE INDEX workflows_queue_running ON durable.workflows (queue) WHERE state = 'running';
"""

SCHEDULES = """
CREATE TABLE durable.schedules (
    name TEXT NOT NULL,
    workflow TEXT NOT NULL,
    input TEXT NOT NULL,
    spec TEXT NOT NULL,
    paused BOOLEAN DEFAULT false NOT NULL,
    next_at TIMESTAMP WITH TIME ZONE,
    last_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT schedules_pkey PRIMARY KEY (name)
);
CREATE INDEX schedules_due ON durable.schedules (next_at) WHERE NOT paused;

CREATE TABLE durable.occurrences (
    schedule TEXT NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    workflow_id TEXT,
    CONSTRAINT occurrences_pkey PRIMARY KEY (schedule, due_at),
    CONSTRAINT occurrences_schedule_fkey FOREIGN KEY (schedule) REFERENCES durable.schedules (name) ON DELETE CASCADE
);
"""


def upgrade() -> None:
    for statements in (WORKFLOWS, CHILDREN, QUEUES, SCHEDULES):
        op.execute(statements)
