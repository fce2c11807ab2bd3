"""How the rest of a program talks to its workflows. Every call is one transaction, or part of the caller's."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, ParamSpec

from sqlalchemy import Connection

from durable.definitions import Workflow, checked_reuse
from durable.errors import Undecodable, WrongState
from durable.model import (
    MAX_WORKFLOW_ID,
    Description,
    Entry,
    Filter,
    Gate,
    Overview,
    Page,
    Reuse,
    Started,
    Unapplied,
    WorkerRow,
    WorkflowState,
)
from durable.payloads import is_reference
from durable.postgres import cancelling, commands, deliveries, gates, payloads, search, steering, views
from durable.postgres.database import Database
from durable.replay import encode_input
from durable.serde import decode, encode

P = ParamSpec("P")
FORBIDDEN_IN_IDS = frozenset("/\\#?")
GATE_BATCH = 500


def check_workflow_id(workflow_id: str) -> str:
    """The id itself. Raises `ValueError` that says what an id may be."""
    printable = all(character.isprintable() for character in workflow_id)
    if (
        not 0 < len(workflow_id) <= MAX_WORKFLOW_ID
        or workflow_id.startswith("@")
        or FORBIDDEN_IN_IDS & set(workflow_id)
        or not printable
    ):
        raise ValueError(
            f"workflow id {workflow_id[:300]!r}: 1 to {MAX_WORKFLOW_ID} printable characters, none of / \\ # ?, "
            "not beginning with @"
        )
    return workflow_id


class Client:
    """Starts, signals and reads workflows in one database.

    `hint` is called after each commit that made something due; a worker in the same process passes its `wake`.
    `timeout` (seconds) bounds each statement, for callers that cannot wait for a slow database.
    """

    def __init__(
        self, database: Database, *, hint: Callable[[], None] | None = None, timeout: float | None = None
    ) -> None:
        self._database = database
        self._hint = hint
        self._timeout = timeout

    def start(  # type: ignore[valid-type] # keywords of ours beside the workflow's own
        self,
        workflow: Workflow[P, Any],
        *args: P.args,
        workflow_id: str,
        reuse: Reuse | None = None,
        **kwargs: P.kwargs,
    ) -> Started:
        """Begin a workflow; while one with this id runs, this changes nothing and says so.

        `reuse` says what else becomes of an id that was used before, where it is not to be what the workflow was
        declared with, by default "allow_closed": an ended workflow begins its next run. "reject" raises
        `WorkflowIdTaken` for it; with "terminate" one that runs is ended at once and the next run begins. `workflow_id`
        and `reuse` are never passed on: give a workflow's own parameters of these names by position. Raises
        `ValueError` for any other value of `reuse`.
        """
        how = workflow.options.reuse if reuse is None else checked_reuse(reuse)
        beginning = self._beginning(workflow, workflow_id, encode_input(args, kwargs))
        if self._timeout is None and not is_reference(beginning.input):
            with self._database.statement("start") as connection:
                new = commands.begin(connection, beginning) is not None
            if new:
                self._something_is_due()
                return Started(workflow_id, 1, is_new=True)
        with self._writing("start") as connection:
            return commands.start(connection, beginning, how)

    def signal(self, workflow_id: str, name: str, payload: Any = None, *, key: str) -> bool:
        """Send a signal; False when `key` was counted before. Raises `WorkflowNotFound`, `WorkflowClosed`."""
        outgoing = commands.Outgoing(name, self._shortened(encode(payload)), key)
        with self._writing("signal") as connection:
            return commands.signal(connection, workflow_id, outgoing)

    def signal_with_start(
        self, workflow: Workflow[..., Any], *args: Any, workflow_id: str, signal: str, payload: Any = None, key: str
    ) -> bool:
        """Send a signal and begin the workflow, or its next run, where none runs; False when `key` was counted.

        A workflow that runs is never ended for it. If that one ends without reading the signal, the signal begins the
        next run; not so where the workflow is declared with `reuse="reject"`. Then an ended one raises
        `WorkflowIdTaken`.
        """
        beginning = self._beginning(workflow, workflow_id, encode_input(args, {}))
        outgoing = commands.Outgoing(signal, self._shortened(encode(payload)), key)
        with self._writing("signal") as connection:
            return commands.signal_with_start(connection, beginning, outgoing)

    def terminate(self, workflow_id: str, reason: str) -> None:
        """End a workflow at once. Raises `WorkflowNotFound`, `WorkflowClosed`."""
        with self._writing("terminate") as connection:
            commands.terminate(connection, workflow_id, reason)

    def cancel(self, workflow_id: str, reason: str) -> bool:
        """Ask a workflow to end: its code sees `Cancelled` once and may clean up; False when it was asked before.
        Raises `WorkflowNotFound`, `WorkflowClosed`."""
        with self._writing("cancel") as connection:
            return cancelling.request(connection, workflow_id, reason)

    def resume(self, workflow_id: str) -> bool:
        """Let a paused workflow go on; False when it is not paused. Raises `WorkflowNotFound`."""
        try:
            with self._writing("resume") as connection:
                steering.resume(connection, workflow_id)
        except WrongState:
            return False
        return True

    def describe(self, workflow_id: str) -> Description:
        """One workflow as it stands. Raises `WorkflowNotFound`."""
        with self._database.reading(timeout=self._timeout) as connection:
            return views.describe(connection, workflow_id)

    def describe_all(self, workflow_ids: Sequence[str]) -> dict[str, Description]:
        """Workflows as they stand, by their ids, in one query; without those that there are not. A large status or result
        is not read but named."""
        with self._database.reading(timeout=self._timeout) as connection:
            return views.describe_all(connection, workflow_ids)

    def history(self, workflow_id: str) -> list[Entry]:
        """The journal of the present run."""
        with self._database.reading(timeout=self._timeout) as connection:
            return views.history(connection, workflow_id)

    def overview(self) -> Overview:
        """Counts by state, what is due, and for how long."""
        with self._database.reading(timeout=self._timeout) as connection:
            return views.overview(connection)

    def due_by_queue(self) -> dict[str, int]:
        """How many workflows are due and wait for a worker, in each queue that has any."""
        with self._database.reading(timeout=self._timeout) as connection:
            return views.due_by_queue(connection)

    def workers(self) -> list[WorkerRow]:
        """Every worker that has a row."""
        with self._database.reading(timeout=self._timeout) as connection:
            return views.workers(connection)

    def unapplied_deliveries(self, limit: int = 50) -> list[Unapplied]:
        """Deliveries that are not applied, in the order they came: the latest `limit` that failed, and the `limit`
        oldest that wait."""
        with self._database.reading(timeout=self._timeout) as connection:
            return deliveries.unapplied(connection, limit)

    def retry_delivery(self, source: str, delivery_id: str) -> bool:
        """Try a delivery that failed again; False when there is none of this id that did."""
        with self._writing("delivery") as connection:
            return deliveries.retry(connection, source, delivery_id)

    def count_deliveries(self, since: datetime, until: datetime) -> int:
        """How many deliveries came from `since` up to and without `until`, by the engine's time."""
        with self._database.reading(timeout=self._timeout) as connection:
            return deliveries.count(connection, since, until)

    def gates(self) -> list[Gate]:
        """Every closed gate."""
        with self._database.reading(timeout=self._timeout) as connection:
            return gates.closed(connection)

    def open_gate(self, name: str) -> int:
        """Open a gate and make everything parked there due, batch by batch; returns how many workflows that were."""
        with self._writing("gate") as connection:
            gates.open_gate(connection, name)
        return self.wake_parked(name)

    def wake_parked(self, name: str) -> int:
        """Make everything parked at an open gate due; returns how many workflows that were."""
        woken = 0
        while True:
            with self._writing("gate") as connection:
                batch = gates.wake(connection, name, most=GATE_BATCH)
            woken += batch
            if batch < GATE_BATCH:
                return woken

    def list(
        self, *, prefix: str = "", states: Sequence[WorkflowState] = (), limit: int = 100, after: str | None = None
    ) -> list[Description]:
        """Workflows whose id begins with `prefix`, in the order of ids; page on with `after`, the last id seen."""
        with self._database.reading(timeout=self._timeout) as connection:
            return views.list_workflows(connection, prefix=prefix, states=states, limit=limit, after=after)

    def _beginning(self, workflow: Workflow[..., Any], workflow_id: str, input_: str) -> commands.Beginning:
        check_workflow_id(workflow_id)
        return commands.Beginning(workflow_id, workflow.name, self._shortened(input_), workflow.options)

    def _shortened(self, encoded: str) -> str:
        return payloads.shorten(self._database, self._database.payloads.fitting(encoded), timeout=self._timeout)

    def search(self, wanted: Filter = Filter(), *, limit: int = 100, after: str | None = None) -> Page:  # noqa: B008 - frozen
        """Workflows, the newest first, `limit` at most; go on with the `next` of the page before as `after`. Raises
        `ValueError` for an `after` that no page gave."""
        with self._database.reading(timeout=self._timeout) as connection:
            return search.search(connection, wanted, limit=limit, after=after)

    def input(self, workflow_id: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What the present run was given, as arguments by position and by name. Raises `WorkflowNotFound`."""
        with self._database.reading(timeout=self._timeout) as connection:
            args, kwargs = decode(views.input_of(connection, workflow_id))
        return tuple(args), kwargs

    def inputs(self, workflow_ids: Sequence[str]) -> dict[str, tuple[tuple[Any, ...], dict[str, Any]]]:
        """What the present run of each was given, by id; without those that have gone in between, and those
        whose input this process cannot read."""
        found: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {}
        with self._database.reading(timeout=self._timeout) as connection:
            stored = views.inputs_of(connection, workflow_ids)
        for workflow_id, input_ in stored.items():
            with suppress(Undecodable):
                args, kwargs = decode(input_)
                found[workflow_id] = tuple(args), kwargs
        return found

    @contextmanager
    def _writing(self, label: str) -> Iterator[Connection]:
        with self._database.transaction(label, timeout=self._timeout) as connection:
            yield connection
        self._something_is_due()

    def _something_is_due(self) -> None:
        if self._hint is not None:
            self._hint()
