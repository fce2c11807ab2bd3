"""Everything the engine raises, in one tree.

DurableError                     what a caller may catch
├── ActivityFailed               an activity failed for good; raised inside the workflow that called it
├── HistoryTooLong               a run has more steps than the engine keeps
├── NotSerializable              a value has no form in JSON; names the path to the culprit
├── NotDeterministic             a workflow's body did what replay cannot repeat; raised in tests only
├── Undecodable                  stored JSON that this code cannot read
├── OutsideWorkflow              a durable verb was used where there is no workflow
├── WorkflowNotFound             nothing has this workflow id
├── WorkflowClosed               the workflow has ended and takes no signal
├── WorkflowIdTaken              a workflow of this id is there already, and is not to be begun again
├── WrongState                   the workflow's state does not allow what an operator asked
├── ScheduleNotFound             nothing has this schedule name
├── StepNotFound                 the workflow's history has no such step
├── IntakeUnavailable            a delivery was not committed in time; it has to be sent again
└── SchemaMismatch               the database's schema is not the code's
    ├── SchemaTooOld
    └── SchemaTooNew
Steering                         what an activity raises to say how it ended
├── RetryAfter                   nothing happened, come back later
├── InDoubt                      it may have happened, look first
└── Park                         nothing will happen until somebody mends a dependency
ControlFlow(BaseException)       what `except Exception` in a workflow must not swallow
├── Suspended                    the workflow waits: give the thread back
├── ContinueAsNew                the run ends and a new one begins
├── Diverged                     the code does not match its history
├── Cancelled                    somebody asked the workflow to end; raised in its code once
└── Abandoned                    this worker may no longer write: stop, somebody else goes on
"""

from typing import Any


class DurableError(Exception):
    """Root of the errors a caller may catch."""


class ActivityFailed(DurableError):
    """An activity failed for good: its error is not retryable, or its attempts are used up.

    `activity` is its name, `error` the class name of what it raised, `message` the text of that.
    """

    def __init__(self, activity: str, error: str, message: str) -> None:
        super().__init__(f"{activity} failed with {error}: {message}")
        self.activity = activity
        self.error = error
        self.message = message


class HistoryTooLong(DurableError):
    """A run has more steps than the engine keeps: use `rounds` or `continue_as_new`."""


class NotSerializable(DurableError):
    """A value has no form in JSON. The message names the path to it, its type and the remedy."""


class NotDeterministic(DurableError):
    """A workflow's own body read a clock, drew a random number, opened a socket or started a thread. The message names
    the durable verb to use. Raised in tests, by `durable.guard`."""


class Undecodable(DurableError):
    """Stored JSON that this code cannot read: an unknown tag, or a type that is not registered."""


class OutsideWorkflow(DurableError):
    """A durable verb was used outside a workflow, or in a thread the workflow started by itself."""


class WorkflowNotFound(DurableError):
    """Nothing has this workflow id."""


class WorkflowClosed(DurableError):
    """The workflow has ended and takes no signal."""


class WorkflowIdTaken(DurableError):
    """A workflow of this id is there already, and whoever asked does not want it begun again."""


class WrongState(DurableError):
    """The workflow's state does not allow what an operator asked; nothing has changed. `state` is the one it has, and
    the message says which ones allow it."""

    def __init__(self, workflow_id: str, state: str, remedy: str) -> None:
        super().__init__(f"workflow {workflow_id} is {state}: {remedy}")
        self.workflow_id = workflow_id
        self.state = state


class StepNotFound(DurableError):
    """The workflow's history has no such step."""


class ScheduleNotFound(DurableError):
    """Nothing has this schedule name."""


class IntakeUnavailable(DurableError):
    """A delivery was not committed in time, so the sender has to send it again; should the commit come through after
    all, what is sent again is a duplicate."""


class SchemaMismatch(DurableError):
    """The database's schema is not the one this code was written for."""


class SchemaTooOld(SchemaMismatch):
    """The schema has to be upgraded first."""


class SchemaTooNew(SchemaMismatch):
    """A newer release has upgraded the schema: this code is too old for it."""


class Steering(Exception):
    """Root of what an activity raises to say how it ended."""


class RetryAfter(Steering):
    """Nothing happened; come back after `seconds`. A durable timer on the real clock; uses up no attempt."""

    def __init__(self, seconds: float, reason: str = "") -> None:
        super().__init__(reason or f"retry after {seconds:g} s")
        self.seconds = seconds


class InDoubt(Steering):
    """The effect may have happened. The engine looks with `verify` (after `settle` seconds, in which a call that
    is still under way may take effect) and repeats only what did not happen."""

    def __init__(self, reason: str, *, settle: float = 0.0) -> None:
        super().__init__(reason)
        self.settle = settle


class Park(Steering):
    """Nothing happened, and nothing will until somebody mends the dependency called `gate`. The workflow is parked
    there and goes on when the gate is opened."""

    def __init__(self, gate: str, reason: str) -> None:
        super().__init__(reason)
        self.gate = gate


class ControlFlow(BaseException):
    """Root of what the engine raises through a workflow's code. `except Exception` does not swallow it."""


class Suspended(ControlFlow):
    """The workflow waits for a time, a signal or a retry: its thread is given back."""


class ContinueAsNew(ControlFlow):
    """The run ends here and a new run of the same workflow begins with these arguments."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__("continue as new")
        self.args_ = args
        self.kwargs = kwargs


class Diverged(ControlFlow):
    """The code asked for something else than its history holds at this step."""

    def __init__(self, step: int, expected: str, found: str, where: str) -> None:
        place = f" ({where})" if where else ""
        super().__init__(f"step {step}: the history has {expected}, the code asks for {found}{place}")
        self.step = step
        self.expected = expected
        self.found = found
        self.where = where


class Cancelled(ControlFlow):
    """Somebody asked the workflow to end, for this reason. Raised once, where the code waits or takes its next step;
    what it does afterwards (`finally`, compensation) is as durable as everything before."""


class Abandoned(ControlFlow):
    """This worker gives the workflow up: its lease or fence is lost, it is stopping, or its database is away."""
