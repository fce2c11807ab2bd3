"""An operator's verbs: what a person does to a workflow that the program would not do to itself."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Connection

from durable.client import check_workflow_id
from durable.model import Started, WorkflowState
from durable.postgres import steering
from durable.postgres.database import Database

log = logging.getLogger(__name__)
PURGE_BATCH = 500


class Operator:
    """Suspends, resumes, rewinds, restarts, forks and purges workflows, from outside, each verb in one transaction.

    Every verb raises `WorkflowNotFound`, and `WrongState` where the workflow's state does not allow it; then nothing
    has changed. `hint` is called after each commit that made something due; a worker in the same process passes its
    `wake`.
    """

    def __init__(self, database: Database, *, hint: Callable[[], None] | None = None) -> None:
        self._database = database
        self._hint = hint

    def suspend(self, workflow_id: str, reason: str) -> None:
        """Pause an open workflow until `resume`; `reason` is shown by `describe`.

        Whoever runs it can write no more: an effect it has in hand is in doubt, and is looked into after the resume.
        Signals sent meanwhile are kept.
        """
        with self._writing("suspend") as connection:
            steering.suspend(connection, workflow_id, reason)
        log.info("suspended: %s", reason, extra={"workflow_id": workflow_id})

    def resume(self, workflow_id: str) -> None:
        """Let a paused workflow go on. A wait keeps the due time it had."""
        with self._writing("resume") as connection:
            steering.resume(connection, workflow_id)

    def rewind(self, workflow_id: str, reason: str, *, step: int | None = None) -> None:
        """Retry a failed workflow from the step that failed it; whatever it did after that step is forgotten.

        The failed step keeps its key and gets all its attempts again, and where it has a `verify` that looks first. Steps
        that are taken in the place of forgotten ones have keys of their own. A run whose own code raised is replayed to
        where it raised, so mend the code first; a failure that it had caught before counts as dealt with. To go back to
        that one all the same, name its `step`. Raises `StepNotFound` when that is no failed step.
        Members and children go on with it: those that failed are rewound, those that were terminated for the failure go
        on where they were, those that completed stay as they are.
        """
        with self._writing("rewind") as connection:
            taken = steering.rewind(connection, workflow_id, reason, step)
        log.info(
            "rewound to %s: %s", f"step {taken}" if taken else "its end", reason, extra={"workflow_id": workflow_id}
        )

    def restart(self, workflow_id: str, *, new_id: str | None = None) -> Started:
        """Begin an ended workflow once more with the input and options it had: as its next run or, with `new_id`, as
        another workflow. Raises `WorkflowIdTaken` when something has `new_id`."""
        if new_id is not None:
            check_workflow_id(new_id)
        with self._writing("restart") as connection:
            return steering.restart(connection, workflow_id, new_id)

    def fork(self, workflow_id: str, step: int, new_id: str) -> Started:
        """Begin a new workflow that has what this one did before `step` behind it and takes `step` itself anew.

        The workflow may be in any state and stays as it is; its signals stay with it. Effects of the new workflow have
        keys of their own; its `random` and `uuid4` draw what this one drew. Raises `StepNotFound` for a step that is not
        in the present run's history, `WorkflowIdTaken` when something has `new_id`.
        """
        check_workflow_id(new_id)
        with self._writing("fork") as connection:
            return steering.fork(connection, workflow_id, step, new_id)

    def purge(self, workflow_id: str) -> None:
        """Forget an ended workflow: its runs, its history, its signals and their keys, and the parts that a run of a flow
        consists of. There is no way back."""
        with self._writing("purge") as connection:
            steering.purge(connection, workflow_id)
        log.info("purged", extra={"workflow_id": workflow_id})

    def count_ended(self, older_than: timedelta, *, states: Sequence[WorkflowState] = steering.ENDED) -> int:
        """How many `purge_ended` would forget now. Raises `ValueError` for a state that is no end."""
        _check_ends(states)
        with self._database.reading() as connection:
            return steering.count_ended(connection, older_than, states)

    def purge_ended(
        self,
        older_than: timedelta,
        *,
        states: Sequence[WorkflowState] = steering.ENDED,
        progress: Callable[[int], object] = lambda _: None,
    ) -> int:
        """Forget what ended in one of `states` longer than `older_than` ago, batch by batch; returns how many.

        What a living parent still has to read the result of is left. `progress` is told of each batch how many it forgot.
        Raises `ValueError` for a state that is no end.
        """
        _check_ends(states)
        purged = 0
        while True:
            with self._database.transaction("purge") as connection:
                batch = steering.purge_ended(connection, older_than, states, most=PURGE_BATCH)
            purged += batch
            progress(batch)
            if batch < PURGE_BATCH:
                return purged

    @contextmanager
    def _writing(self, label: str) -> Iterator[Connection]:
        with self._database.transaction(label) as connection:
            yield connection
        if self._hint is not None:
            self._hint()


def _check_ends(states: Sequence[WorkflowState]) -> None:
    if wrong := sorted(set(states) - set(steering.ENDED)):
        raise ValueError(f"purge_ended: states has {', '.join(wrong)}; only {', '.join(steering.ENDED)} are ends")
