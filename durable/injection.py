"""Named points that every commit and every outward call passes, so that a test can crash or count there.

In production nothing is installed and `reach` costs one comparison.
"""

from collections.abc import Callable
from types import MappingProxyType

Hook = Callable[[str], None]
_hook: Hook | None = None
COMMITS = MappingProxyType(
    {
        "claim": "what was due is in a worker's hands",
        "journal": "an intent or a wait with the results and the round before it, or these alone",
        "transaction": "a @transaction with its result",
        "receive": "a signal that was read, or the wait for one",
        "cancel": "the request to end, and later that the code has seen it",
        "park": "a gate that closes, and the wait before it",
        "child": "a child that was started",
        "await": "the wait for a child's end, or its result",
        "gather": "the members and the wait for them, or their results",
        "terminate": "an end from outside",
        "continue": "the end of a run and the beginning of the next",
        "complete": "the end of a workflow",
        "orphan": "what becomes of a child whose parent has ended, or goes on without it as it lost a race",
        "release": "a workflow given back",
        "start": "a workflow that begins",
        "signal": "a signal, with its start where there is one",
        "payload": "a content too large for a row, before the row that refers to it",
        "intake": "deliveries as they came",
        "gate": "a gate that opens, and those woken who waited there, batch by batch",
        "suspend": "a workflow that an operator stops",
        "resume": "a workflow that goes on",
        "rewind": "a workflow that is back at its failed step",
        "restart": "a workflow's next run, asked for by an operator",
        "fork": "a workflow that begins with a part of another's history",
        "purge": "a workflow forgotten",
        "queues": "the limit of a queue",
        "register": "a worker that comes",
        "heartbeat": "a lease that goes on",
        "retire": "a worker that leaves",
        "reap": "what the dead held is due again",
        "dispatch": "deliveries turned into signals",
        "delivery": "a failed delivery that is to be tried again",
        "deadline": "runs past their deadline asked to end",
        "schedule": "an occurrence with its start, or what was asked of a schedule",
        "prune": "what is old forgotten",
        "advance": "the engine's time, moved by a test",
    }
)
"""What is committed under each label: the points are `commit.before` and `commit.after` it. The other points are
`call.before`, `call.after`, `look.before` and `look.after`, with the name of the activity that is called or verified."""


def install(hook: Hook | None) -> None:
    """Call `hook` with the name of every point from now on; None removes it."""
    global _hook  # noqa: PLW0603 - one process, one hook: a crash is not a matter of this or that object
    _hook = hook


def reach(point: str) -> None:
    """Say that the code has come to `point`, e.g. `commit.before journal` or `call.after post_message`."""
    if _hook is not None:
        _hook(point)
