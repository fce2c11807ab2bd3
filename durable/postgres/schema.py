"""The engine's tables, all in the PostgreSQL schema `durable`.

`workflows` is the narrow, hot scheduling row: one per workflow id, and one partial index that serves the claim. What
is wide or cold (inputs, results, history, signals, deliveries) lives beside it. Times are the engine's time
(`durable.now()`, movable in tests) except leases and claims, which are the database's real time.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

SCHEMA = "durable"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    },
)

time = DateTime(timezone=True)
BATCHED_VACUUM = {"autovacuum_vacuum_scale_factor": "0.05", "autovacuum_vacuum_threshold": "500"}

clock = Table(
    "clock",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("shift", Interval, nullable=False, server_default=text("'0'::interval")),
    CheckConstraint("one", name="one_row"),
)
"""How far the engine's time is ahead of the database's: zero, except in tests."""

workers = Table(
    "workers",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("pid_started", BigInteger, nullable=False),
    Column("started_at", time, nullable=False),
    Column("lease_until", time, nullable=False),
    Column("slots", Integer),
    Column("version", Text),
)
"""One row per living worker. `host` names machine, boot and process namespace; `pid_started` is in seconds. `slots` and
`version` are what it was begun with, for people to see."""

LOOKED_FOR = "name NOT LIKE '@%'"
"""What people look for: not the members of a gather, which are named after their activity with an @."""

workflows = Table(
    "workflows",
    metadata,
    Column("key", BigInteger, Identity(always=True), primary_key=True),
    Column("workflow_id", Text(collation="C"), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("run", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("wake_at", time),
    Column("wake_real", Boolean, nullable=False, server_default=text("false")),
    Column("listening", Boolean, nullable=False, server_default=text("false")),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    Column("worker_id", BigInteger),
    Column("claimed_until", time),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("gate", Text),
    Column("queue", Text, nullable=False, server_default=text("'default'")),
    Column("priority", SmallInteger, nullable=False, server_default=text("0")),
    Column("deadline_at", time),
    Column("version", Text),
    Column("cancelling", Boolean, nullable=False, server_default=text("false")),
    Column("awaited", Boolean, nullable=False, server_default=text("false")),
    Column("recalled", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("state IN ('waiting', 'running', 'parked', 'paused', 'closed')", name="state"),
    Index(
        "workflows_due",
        "name",
        "queue",
        "priority",
        text("coalesce(version, '')"),
        "wake_at",
        postgresql_where=text("state = 'waiting'"),
    ),
    Index("workflows_running", "worker_id", postgresql_where=text("state = 'running'")),
    Index("workflows_parked", "gate", postgresql_where=text("state = 'parked'")),
    Index("workflows_paused", "key", postgresql_where=text("state = 'paused'")),
    Index("workflows_flows", "key", postgresql_where=text(f"name LIKE '%.%' AND {LOOKED_FOR}")),
    Index(
        "workflows_deadline",
        "deadline_at",
        postgresql_where=text("deadline_at IS NOT NULL AND state <> 'closed'"),
    ),
    Index("workflows_queue_running", "queue", postgresql_where=text("state = 'running'")),
    postgresql_with={"fillfactor": "70"} | BATCHED_VACUUM,
)
"""The scheduling row. `wake_real`: `wake_at` is due by the real clock, so moving the engine's time shifts it along.
`listening`: a signal may wake it early. `claimed_until`: a run that writes nothing until then is taken away. `awaited`: a
parent may wait for its end; `recalled`: a signal-with-start came while it was open. Without both it ends by itself."""

runs = Table(
    "runs",
    metadata,
    Column("workflow_key", BigInteger, ForeignKey("durable.workflows.key", ondelete="CASCADE"), primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("input", Text, nullable=False),
    Column("outcome", Text),
    Column("status", Text),
    Column("result", Text),
    Column("error", Text),
    Column("reason", Text),
    Column("created_at", time, nullable=False),
    Column("began_at", time, nullable=False),
    Column("updated_at", time, nullable=False),
    Column("cancel_reason", Text),
    Column("keep_for", Interval),
    Column("seed", Text),
    Column("name", Text, nullable=False),
    Column("rewound", ARRAY(Integer)),
    CheckConstraint("outcome IN ('completed', 'failed', 'terminated', 'cancelled')", name="outcome"),
    Index("runs_ended", "updated_at", postgresql_where=text("outcome IS NOT NULL")),
    Index(
        "runs_kept",
        text("((updated_at AT TIME ZONE 'UTC') + keep_for)"),
        postgresql_where=text("outcome IS NOT NULL AND keep_for IS NOT NULL"),
    ),
    Index("runs_created", "created_at", "workflow_key", postgresql_where=text(LOOKED_FOR)),
    Index("runs_named", "name", "created_at", "workflow_key", postgresql_where=text(LOOKED_FOR)),
    Index(
        "runs_outcome",
        "outcome",
        "created_at",
        "workflow_key",
        postgresql_where=text(f"outcome IS NOT NULL AND {LOOKED_FOR}"),
    ),
    Index("runs_open", "created_at", "workflow_key", postgresql_where=text(f"outcome IS NULL AND {LOOKED_FOR}")),
)
"""What a run was given and what came of it. Continue-as-new moves the row on to its next run; `created_at` stays,
`began_at` is when the present run began. `seed`: what it draws its chance from, where that is not its own id. `name`
and `created_at` are there to be found by. `rewound`: the steps it was rewound to, one after the other, where
later ones were forgotten."""

history = Table(
    "history",
    metadata,
    Column("workflow_key", BigInteger, ForeignKey("durable.workflows.key", ondelete="CASCADE"), primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("arguments", Text),
    Column("payload", Text),
    Column("attempt", Integer, nullable=False),
    Column("due_at", time),
    Column("at", time, nullable=False),
    CheckConstraint("state IN ('started', 'retrying', 'done', 'failed', 'cancelled')", name="state"),
    postgresql_with={"fillfactor": "85"} | BATCHED_VACUUM,
)
"""The journal: one row per step of the present run (and of the last one of a closed workflow)."""

inbox = Table(
    "inbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("workflow_key", BigInteger, ForeignKey("durable.workflows.key", ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("start_name", Text),
    Column("start_input", Text),
    Column("start_options", Text),
    Column("sent_at", time, nullable=False),
    Column("read_run", Integer),
    Column("read_step", Integer),
    Column("read_at", time),
    UniqueConstraint("workflow_key", "key"),
    Index("inbox_unread", "workflow_key", "id", postgresql_where=text("read_at IS NULL")),
    Index("inbox_read", "read_at", postgresql_where=text("read_at IS NOT NULL")),
    postgresql_with=BATCHED_VACUUM,
)
"""Signals, read and unread: a read one is kept a while, because its key still has to count once. `start_…` is what a
signal-with-start would have started, for the case that the workflow ends before reading it."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("source", Text, nullable=False),
    Column("delivery_id", Text, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'received'")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("note", Text),
    Column("received_at", time, nullable=False, server_default=text("clock_timestamp()")),
    Column("next_at", time, nullable=False, server_default=text("clock_timestamp()")),
    UniqueConstraint("source", "delivery_id"),
    CheckConstraint("state IN ('received', 'applied', 'failed')", name="state"),
    Index("deliveries_received", "id", postgresql_where=text("state = 'received'")),
    Index("deliveries_age", "received_at", postgresql_where=text("state = 'applied'")),
    Index("deliveries_failed", "id", postgresql_where=text("state = 'failed'")),
    postgresql_with=BATCHED_VACUUM,
)
"""What came in from outside, compressed as it came. Real time throughout."""

gates = Table(
    "gates",
    metadata,
    Column("name", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since", time, nullable=False, server_default=text("clock_timestamp()")),
)
"""The closed gates: dependencies that refuse us until somebody mends them."""

OF_WORKFLOW = "durable.workflows.key"

fans = Table(
    "fans",
    metadata,
    Column("parent_key", BigInteger, ForeignKey(OF_WORKFLOW, ondelete="CASCADE"), primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("missing", Integer, nullable=False),
    Column("fail_fast", Boolean, nullable=False),
    Column("failed", Boolean, nullable=False, server_default=text("false")),
    postgresql_with={"fillfactor": "50"},
)
"""What a parent waits for at one step: it is woken when `missing` comes to 0, or a member fails and `fail_fast`."""

links = Table(
    "links",
    metadata,
    Column("parent_key", BigInteger, ForeignKey(OF_WORKFLOW, ondelete="CASCADE"), primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("member", Integer, primary_key=True),
    Column("child_key", BigInteger, ForeignKey(OF_WORKFLOW, ondelete="CASCADE"), nullable=False),
    Index("links_child", "child_key"),
)
"""Whose end each member of a fan waits for."""

children = Table(
    "children",
    metadata,
    Column("child_key", BigInteger, ForeignKey(OF_WORKFLOW, ondelete="CASCADE"), primary_key=True),
    Column("parent_key", BigInteger, ForeignKey(OF_WORKFLOW, ondelete="CASCADE"), nullable=False),
    Column("on_parent_close", Text, nullable=False),
    Column("left_behind", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("on_parent_close IN ('abandon', 'cancel', 'terminate')", name="on_parent_close"),
    Index("children_parent", "parent_key"),
)
"""Who started whom, and what becomes of a child when its parent ends first. `left_behind`: the run that started it has
ended, although the parent has begun another one since."""

queues = Table(
    "queues",
    metadata,
    Column("name", Text, primary_key=True),
    Column("most_running", Integer),
    Column("rate", Double),
    Column("burst", Integer, nullable=False, server_default=text("1")),
    Column("tokens", Double, nullable=False, server_default=text("1")),
    Column("filled_at", time, nullable=False, server_default=text("clock_timestamp()")),
    Column("most_per_worker", Integer),
    CheckConstraint("most_running > 0", name="most_running"),
    CheckConstraint("rate > 0", name="rate"),
    CheckConstraint("most_per_worker > 0", name="most_per_worker"),
    postgresql_with={"fillfactor": "50"},
)
"""The queues with a limit: `most_running` workflows at one time, `rate` claims a second with `burst` at once, over all
workers; `most_per_worker` at one time on each worker. A queue without a row has none."""

schedules = Table(
    "schedules",
    metadata,
    Column("name", Text, primary_key=True),
    Column("workflow", Text, nullable=False),
    Column("input", Text, nullable=False),
    Column("spec", Text, nullable=False),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    Column("next_at", time),
    Column("last_at", time),
    Column("created_at", time, nullable=False),
    Index("schedules_due", "next_at", postgresql_where=text("NOT paused")),
)
"""What recurs: which workflow, with what input, by which encoded specification, and when it is due next."""

occurrences = Table(
    "occurrences",
    metadata,
    Column("schedule", Text, ForeignKey("durable.schedules.name", ondelete="CASCADE"), primary_key=True),
    Column("due_at", time, primary_key=True),
    Column("workflow_id", Text),
    Index("occurrences_age", "due_at"),
)
"""Each occurrence of a schedule that was decided on, once; without `workflow_id` it was skipped."""

payloads = Table(
    "payloads",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("characters", Integer, nullable=False),
    Column("holds", ARRAY(Text)),
    Column("noted_at", time, nullable=False),
    Index("payloads_noted", "noted_at"),
    postgresql_with=BATCHED_VACUUM,
)
"""What is too long for a row, compressed, by the SHA-256 of its text, and how long that is. `holds`: what it refers to
itself. `noted_at`: when it was last written or found in use."""

payload_uses = Table(
    "payload_uses",
    metadata,
    Column("workflow_key", BigInteger, ForeignKey(OF_WORKFLOW, ondelete="CASCADE"), primary_key=True),
    Column("hash", Text, ForeignKey("durable.payloads.hash"), primary_key=True),
    Column("noted_at", time, nullable=False),
    Index("payload_uses_hash", "hash"),
    Index("payload_uses_noted", "noted_at"),
    postgresql_with=BATCHED_VACUUM,
)
"""Which workflow's rows refer to what. `noted_at`: when that was written or last found to be so."""
