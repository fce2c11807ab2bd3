"""How people look closely at one workflow: its runs, steps, signals and kin, each read by itself and within limits."""

from durable.model import Entry
from durable.postgres import inspection
from durable.postgres.database import Database
from durable.postgres.inspection import ReceivedSignal, Relative, RunDetail, RunRow

LONGEST = 4 * 1024
"""Bytes of one encoded value that are read where many are; a longer one is named, and read by `step` alone."""
LONGEST_ALONE = 64 * 1024
"""Bytes that are read of a run's own input, status and result."""


class Inspector:
    """Looks at workflows in one database and changes nothing. `timeout` (seconds) bounds each statement."""

    def __init__(self, database: Database, *, timeout: float | None = None) -> None:
        self._database = database
        self._timeout = timeout

    def run(self, workflow_id: str, number: int | None = None) -> RunDetail:
        """The present run, or a former one by its number. Raises `WorkflowNotFound`, also when that run is not kept."""
        with self._database.reading(timeout=self._timeout) as connection:
            return inspection.run(connection, workflow_id, number, longest=LONGEST_ALONE)

    def runs(self, workflow_id: str, *, limit: int = 50) -> list[RunRow]:
        """The latest runs of a workflow id that are kept, the present one first; empty when there is none."""
        with self._database.reading(timeout=self._timeout) as connection:
            return inspection.runs(connection, workflow_id, most=limit)

    def steps(self, workflow_id: str, run: int, *, before: int | None = None, limit: int = 200) -> list[Entry]:
        """The last `limit` steps of a run below step `before`, in their order, long values named and not read."""
        with self._database.reading(timeout=self._timeout) as connection:
            return inspection.steps(connection, workflow_id, run, before=before, most=limit, longest=LONGEST)

    def step(self, workflow_id: str, run: int, step: int) -> Entry:
        """One step with its whole arguments and result. Raises `StepNotFound`."""
        with self._database.reading(timeout=self._timeout) as connection:
            return inspection.step(connection, workflow_id, run, step)

    def signals(self, workflow_id: str, *, limit: int = 100) -> list[ReceivedSignal]:
        """The latest signals of a workflow, read and unread, the newest first."""
        with self._database.reading(timeout=self._timeout) as connection:
            return inspection.signals(connection, workflow_id, most=limit, longest=LONGEST)

    def parent(self, workflow_id: str) -> Relative | None:
        """Who started a workflow; None for nobody, or one that is gone."""
        with self._database.reading(timeout=self._timeout) as connection:
            return inspection.parent(connection, workflow_id)

    def children(self, workflow_id: str, *, limit: int = 100) -> list[Relative]:
        """The latest workflows that this one has started, the newest first."""
        with self._database.reading(timeout=self._timeout) as connection:
            return inspection.children(connection, workflow_id, most=limit)
