"""The state machine of a workflow as data: which event leads from which state to which. Drawn in docs/state_machine.md.

`waiting` is a row with a due time, a signal it listens for, or both; one that is due is shown as "ready". The ends
(`completed`, `failed`, `terminated`) are one state of the scheduling row, "closed", told apart by the run's outcome.
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
TERMINATED = "terminated"

ENDS = frozenset({COMPLETED, FAILED, TERMINATED})


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
        *((end, "start", WAITING) for end in (COMPLETED, FAILED, TERMINATED)),
        *((end, "signal with start", WAITING) for end in (COMPLETED, FAILED, TERMINATED)),
        *((end, "prune", ABSENT) for end in (COMPLETED, FAILED, TERMINATED)),
    )
)
"""Every change of state there is. What is not here does not happen."""
