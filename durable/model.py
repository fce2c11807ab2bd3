"""The plain facts of the engine: history entries, commands, signals, and what a worker has claimed."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from durable.retry import RetryPolicy
from durable.serde import serializable

EntryState = Literal["started", "retrying", "done", "failed", "cancelled"]
WorkflowState = Literal[
    "ready", "running", "waiting", "parked", "paused", "completed", "failed", "terminated", "cancelled"
]
ParentClose = Literal["abandon", "cancel", "terminate"]
Reuse = Literal["allow_closed", "reject", "terminate"]
"""What a start does when its workflow id was used before."""
MAX_WORKFLOW_ID = 256
_DIGEST = 40
MEMBER_MARK = "@"
"""Begins the names of workflows that run one activity for a `gather`."""


@serializable
@dataclass(frozen=True)
class Signal:
    """A message to a workflow. `key` makes it count once; `sent_at` is the engine's time of its commit."""

    name: str
    payload: Any
    key: str
    sent_at: datetime


@dataclass(frozen=True)
class Entry:
    """One step of a run's history.

    `state` is "started" (an intent, or a wait that began; found without a result the effect is in doubt), "retrying"
    (it surely did not happen and is due again at `due_at`), "done" (`payload` is the encoded result) or "failed"
    (`payload` is the encoded error). `attempt` counts calls. `at` is the time of the last change.
    """

    step: int
    kind: str
    name: str
    state: EntryState
    at: datetime
    payload: str | None = None
    arguments: str | None = None
    due_at: datetime | None = None
    attempt: int = 0

    @property
    def title(self) -> str:
        """How the entry is called when it is compared or shown, e.g. `activity post_message`."""
        return f"{self.kind} {self.name}".strip()


@serializable
@dataclass(frozen=True)
class WorkflowOptions:
    """What a workflow was declared with; see `durable.definitions.workflow`."""

    queue: str = "default"
    priority: int = 0
    deadline: timedelta | None = None
    retention: timedelta | None = None
    version: str | None = None
    reuse: Reuse = "allow_closed"


@dataclass(frozen=True)
class ActivitySpec:
    """What an activity was declared as. `verify` answers a `Found` or None; `timeout` is in seconds; a `transactional`
    one gets the journal's connection as its first argument."""

    name: str
    function: Callable[..., Any]
    verify: Callable[..., Any] | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    non_retryable: tuple[type[Exception], ...] = ()
    timeout: float = 10.0
    transactional: bool = False

    def __post_init__(self) -> None:
        """Refuse a time limit that no call could keep."""
        if self.timeout <= 0:
            raise ValueError(f"activity {self.name}: timeout is {self.timeout}, must be more than 0 seconds")


@dataclass(frozen=True)
class CallActivity:
    """The workflow calls an activity."""

    activity: ActivitySpec
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    kind = "activity"

    @property
    def name(self) -> str:
        """The activity's name."""
        return self.activity.name


@dataclass(frozen=True)
class Sleep:
    """The workflow waits for `seconds`."""

    seconds: float
    kind = "sleep"
    name = ""


@dataclass(frozen=True)
class Receive:
    """The workflow waits for one of the signals `names` (empty: any), at most `seconds` or until `until`."""

    names: tuple[str, ...]
    seconds: float | None = None
    until: datetime | None = None
    kind = "receive"

    @property
    def name(self) -> str:
        """The signals' names, joined."""
        return "|".join(self.names)


@dataclass(frozen=True)
class Patch:
    """The workflow marks that it runs with a change called `name`."""

    name: str
    kind = "patch"


@dataclass(frozen=True)
class Member:
    """One of several things to be run side by side: an activity or a child workflow, with its encoded input."""

    name: str
    input: str
    options: WorkflowOptions = field(default_factory=WorkflowOptions)


@dataclass(frozen=True)
class Gather:
    """The workflow waits for all `members`; with `fail_fast` for the first that fails; with `race` for the first. With
    `fail_late` it waits for all and the step then fails if one failed: a rewind runs only those again."""

    members: tuple[Member, ...]
    fail_fast: bool = True
    race: bool = False
    fail_late: bool = False

    @property
    def kind(self) -> str:
        """`gather` or `first_of`."""
        return "first_of" if self.race else "gather"

    @property
    def name(self) -> str:
        """Whom it waits for: the distinct names, and how many they are."""
        return f"{' '.join(sorted({member.name for member in self.members}))} x{len(self.members)}"


@dataclass(frozen=True)
class StartChild:
    """The workflow starts another one."""

    child: Member
    workflow_id: str | None
    on_parent_close: ParentClose
    kind = "child"

    @property
    def name(self) -> str:
        """The child's workflow."""
        return self.child.name


@dataclass(frozen=True)
class AwaitChild:
    """The workflow waits for a child's end."""

    workflow_id: str
    kind = "await"
    name = ""


def rewinds_before(rewound: Sequence[int], step: int) -> int:
    """Which life a step is in: 0 before any rewind, else the number of the last rewind that went back to before it.
    `rewound` are the steps that the run was rewound to, one after the other, where later ones were forgotten."""
    return max((number for number, to in enumerate(rewound, start=1) if to < step), default=0)


def member_id(workflow_id: str, run: int, step: int, member: int, rewinds: int = 0) -> str:
    """The id of a member or child that nobody named: its parent's, run, step and number, and which life that step is in;
    a digest of them where that would be too long."""
    full = f"{workflow_id}~{run}.{step}.{member}" + (f".{rewinds}" if rewinds else "")
    if len(full) <= MAX_WORKFLOW_ID:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()[:_DIGEST]
    return f"{full[: MAX_WORKFLOW_ID - _DIGEST - 1]}~{digest}"


Command = CallActivity | Sleep | Receive | Patch | Gather | StartChild | AwaitChild


@dataclass(frozen=True)
class ActivityInfo:
    """What an activity may know of the call it serves.

    `key` is (workflow id, run, step): the same on every repeat of one intended effect, and never used for another. A step
    that a rewind had forgotten and that is taken anew is another effect: `rewinds` tells such lives of a step apart.
    `timeout` is in seconds: a client's call has to be over by then.
    """

    workflow_id: str
    run: int
    step: int
    attempt: int
    timeout: float
    rewinds: int = 0

    @property
    def key(self) -> str:
        """The idempotency key of the effect."""
        return f"{self.workflow_id}/{self.run}/{self.step}" + (f"~{self.rewinds}" if self.rewinds else "")


@dataclass(frozen=True)
class Claim:
    """A workflow in this worker's hands. Every write carries `fence`; `now` is the engine's time of the claim; `cancel`
    is why it is to end, until its code has seen that; `seed` is what it draws its chance from, if not from its id;
    `rewound`: see `rewinds_before`."""

    key: int
    workflow_id: str
    name: str
    run: int
    fence: int
    attempts: int
    now: datetime
    created_at: datetime
    input: str
    history: dict[int, Entry]
    cancel: str | None = None
    seed: str | None = None
    rewound: Sequence[int] = ()


@dataclass(frozen=True)
class Description:
    """A workflow as seen from outside. `state` "ready" means due and not yet claimed; `reason` says why it is parked
    or paused; `status` is what the workflow set itself."""

    workflow_id: str
    name: str
    run: int
    state: WorkflowState
    status: Any
    result: Any
    error: str | None
    reason: str | None
    created_at: datetime
    updated_at: datetime
    wake_at: datetime | None
    history_length: int
    unread_signals: int


@dataclass(frozen=True)
class StatusIs:
    """That at `path`, keys from the outermost on, the status which a workflow set itself holds `value`, as text; also one
    item of a list there."""

    path: tuple[str, ...]
    value: str


@dataclass(frozen=True)
class Filter:
    """Which workflows are looked for: by the beginning of their id, by names and states (none: all), by when they
    were begun, from `created_from` up to and without `created_to`, and by their status.

    No index knows what is in a status: a page is then what is found among the next so many that fit otherwise, and may be
    short or empty although there are further ones, see `Page`.
    """

    prefix: str = ""
    names: Sequence[str] = ()
    states: Sequence[WorkflowState] = ()
    created_from: datetime | None = None
    created_to: datetime | None = None
    status: StatusIs | None = None


@dataclass(frozen=True)
class Page:
    """Workflows, the newest first. `next` is the place from which to go on, None at the end; only then are there no
    further ones."""

    items: list[Description]
    next: str | None


@dataclass(frozen=True)
class Started:
    """The answer to a start: the run that is there now, and whether this call began it."""

    workflow_id: str
    run: int
    is_new: bool


@dataclass(frozen=True)
class Gate:
    """A closed gate: the dependency that refuses us, why, since when, and how many workflows are parked there."""

    name: str
    reason: str
    since: datetime
    parked: int


@dataclass(frozen=True)
class WorkerRow:
    """A worker that has a row: `alive` while its lease holds, which is for `lease_left` seconds. Times are real. `slots`
    bounds what it runs at one time, None where that is not known; with `version` it also runs what is pinned to that."""

    id: int
    host: str
    pid: int
    started_at: datetime
    lease_until: datetime
    alive: bool
    running: int
    slots: int | None = None
    version: str | None = None
    lease_left: float = 0.0


@dataclass(frozen=True)
class Unapplied:
    """A delivery from outside that is not applied: `state` "received" waits, at the latest until `next_at`, "failed" was
    given up; `note` says what became of the last of its `attempts`. Times are real."""

    source: str
    id: str
    state: Literal["received", "failed"]
    attempts: int
    note: str | None
    received_at: datetime
    next_at: datetime


@dataclass(frozen=True)
class Overview:
    """The engine at a glance. `counts` by state; `due` workflows wait for a worker, the oldest for `lag_seconds`;
    `undispatched` deliveries wait for the dispatcher, `failed_deliveries` could not be applied."""

    counts: dict[str, int]
    due: int
    lag_seconds: float
    undispatched: int
    failed_deliveries: int
