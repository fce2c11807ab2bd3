"""The state machine of a workflow as data: which event leads from which state to which. Drawn in docs/state_machine.md.

`waiting` is a row with a due time, a signal it listens for, or both; one that is due is shown as "ready". The ends
(`completed`, `failed`, `cancelled`, `terminated`) are one state of the scheduling row, "closed", told apart by the run's outcome.
"""

from typing import NamedTuple

ABSENT = "[*]"
"""Before the first start, and after an ended workflow was forgotten."""
WAITING = "waiting"
RUNNING = "running"
PARKED = "parked"
PAUSED = "paused"
COMPLETED = "completed"
FAILED = "failed"
CANCELLED = "cancelled"
TERMINATED = "terminated"

ENDS = frozenset({COMPLETED, FAILED, CANCELLED, TERMINATED})


class Transition(NamedTuple):
    """`event` leads from the state `before` to the state `after`."""

    before: str
    event: str
    after: str


TRANSITIONS: frozenset[Transition] = frozenset(
    Transition(*line)
    for line in (
        (ABSENT, "start", WAITING),
        (ABSENT, "signal with start", WAITING),
        (WAITING, "signal", WAITING),
        (WAITING, "claim", RUNNING),
        (RUNNING, "sleep or receive", WAITING),
        (RUNNING, "retry later", WAITING),
        (RUNNING, "worker stops or dies", WAITING),
        (RUNNING, "continue as new", RUNNING),
        (RUNNING, "dependency refuses", PARKED),
        (RUNNING, "code diverges", PAUSED),
        (RUNNING, "too many deaths", PAUSED),
        (RUNNING, "return", COMPLETED),
        (RUNNING, "raise", FAILED),
        (RUNNING, "end with an unread start", WAITING),
        (PARKED, "gate opens", WAITING),
        (PAUSED, "resume", WAITING),
        *((alive, "terminate", TERMINATED) for alive in (WAITING, RUNNING, PARKED, PAUSED)),
        (RUNNING, "end when cancelled", CANCELLED),
        (WAITING, "cancel", WAITING),
        (PARKED, "cancel", WAITING),
        *((alive, "suspend", PAUSED) for alive in (WAITING, RUNNING, PARKED)),
        (FAILED, "rewind", WAITING),
        (TERMINATED, "rewind of its parent", WAITING),
        *((end, event, WAITING) for end in ENDS for event in ("start", "signal with start", "restart")),
        *((end, event, ABSENT) for end in ENDS for event in ("prune", "purge")),
    )
)
"""Every change of state there is. What is not here does not happen."""
