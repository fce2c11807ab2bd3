"""What a run has to do with other runs: children it starts, members it gathers, ends it waits for."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from durable.errors import Suspended
from durable.model import (
    MEMBER_MARK,
    AwaitChild,
    Claim,
    Command,
    Entry,
    Gather,
    Member,
    ParentClose,
    StartChild,
    member_id,
    rewinds_before,
)
from durable.postgres import journal, kin, rewound
from durable.postgres.journal import Disposition, Wait
from durable.serde import encode

T = TypeVar("T")


class Household(Protocol):
    """What the family asks of its session."""

    claim: Claim

    def at_once(self, label: str, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction; what was kept back is its to write."""
        ...

    def store(self, connection: Connection, entry: Entry, disposition: Disposition | None) -> None:
        """Write an entry with what was kept back; without a disposition go on."""
        ...

    def members(self, members: Sequence[tuple[str, Member]]) -> list[tuple[str, Member]]:
        """(workflow id, member) pairs with inputs as they are stored. Raises `NotSerializable`."""
        ...

    def told(self, now: datetime) -> datetime:
        """What to note as the time of an entry, where the database says that it is `now`."""
        ...

    def settle_orphans(self) -> None:
        """See to children that nobody waits for any more."""
        ...


class Family:
    """Answers the commands that concern other workflows, for one session."""

    def __init__(self, household: Household) -> None:
        self._household = household

    @property
    def _claim(self) -> Claim:
        return self._household.claim

    def start(self, step: int, command: StartChild) -> Entry:
        """Start a child; the entry holds its id."""

        def begin(connection: Connection) -> Entry:
            now = journal.lock(connection, self._claim)
            at = self._household.told(now)
            workflow_id = command.workflow_id or self._id_of(step, 0)
            [member] = self._household.members([(workflow_id, command.child)])
            policy = command.on_parent_close
            new = kin.begin_members(connection, self._claim, step, {0: member}, now, policy=policy, linked=False)
            entry = Entry(step, command.kind, command.name, "done", at, payload=encode(workflow_id), attempt=1)
            if not new:
                taken = {"error": "WorkflowIdTaken", "message": f"a workflow has the id {workflow_id!r} already"}
                entry = replace(entry, state="failed", payload=encode(taken))
            self._household.store(connection, entry, None)
            return entry

        return self._household.at_once("child", begin)

    def await_child(self, step: int, command: AwaitChild, entry: Entry | None) -> Entry:
        """Wait for a child's end; the entry holds its result."""

        def look(connection: Connection) -> Entry | None:
            child = kin.lock_child(connection, command.workflow_id)
            kin.fan_is_complete(connection, self._claim, step)
            now = journal.lock(connection, self._claim)
            at = self._household.told(now)
            begun = entry or Entry(step, command.kind, command.name, "started", at)
            if child is not None and begun.payload is not None:  # it was rewound
                rewound.failed_child(connection, child, command.workflow_id)
                begun = replace(begun, payload=None)
            if child is None:
                gone = {"error": "WorkflowNotFound", "message": f"{command.workflow_id} was purged"}
                done: Entry | None = replace(begun, state="failed", payload=encode(gone), at=at)
            else:
                done = self._ended(connection, child, begun, at)
            if done is None and child is not None:
                kin.open_fan(connection, self._claim, step, missing=1, fail_fast=False)
                kin.link(connection, self._claim, step, child)
                self._household.store(connection, begun, Wait(None, listening=True))
                return None
            if done is not None:
                kin.fold(connection, self._claim, step, ())
                self._household.store(connection, done, None)
            return done

        return _or_suspend(self._household.at_once("await", look))

    def _ended(self, connection: Connection, child: int, begun: Entry, now: datetime) -> Entry | None:
        found = kin.ended_child(connection, child)
        if found is None:
            return None
        if found.outcome == "completed":
            return replace(begun, state="done", payload=found.result, at=now)
        failure = _failure(found.outcome, found.reason)
        return replace(begun, state="failed", name=begun.name, payload=encode(failure), at=now)

    def gather(self, step: int, command: Gather, entry: Entry | None) -> Entry:
        """Begin the members, wait for what is wanted of them, and collect their results as one entry."""
        losers: list[int] = []

        def look(connection: Connection) -> Entry | None:
            complete = kin.fan_is_complete(connection, self._claim, step)
            now = journal.lock(connection, self._claim)
            at = self._household.told(now)
            begun = entry or Entry(step, command.kind, command.name, "started", at)
            before = _before(begun, command)
            if complete is None:
                complete = self._begin(connection, step, command, now, before)
            if not complete:
                self._household.store(connection, begun, Wait(None, listening=True))
                return None
            rows = {row.workflow_id: row for row in kin.results(connection, self._claim, step)}
            members = [rows.get(self._id_of(step, number)) for number in range(len(command.members))]
            done = _first(begun, members, at) if command.race else _collected(begun, command, members, before, at)
            losers.extend(row.key for row in rows.values() if row.outcome is None)
            kin.leave_behind(connection, losers, _fare_of_losers(command, done))
            kin.fold(connection, self._claim, step, _done_with(command, done, rows.values()))
            self._household.store(connection, done, None)
            return done

        answered = _or_suspend(self._household.at_once("gather", look))
        if losers:
            self._household.settle_orphans()
        return answered

    def let_go(self, connection: Connection, step: int, command: Command) -> None:
        """Wait no more, because this run was cancelled while it waited: members are cancelled as well. Call it before
        the row of the run is locked, and see to the orphans after the commit."""
        kin.fan_is_complete(connection, self._claim, step)
        members = kin.results(connection, self._claim, step) if isinstance(command, Gather) else []
        kin.leave_behind(connection, [row.key for row in members if row.outcome is None], "cancel")
        kin.fold(connection, self._claim, step, [row.key for row in members if _is_spent(row)])

    def _begin(
        self, connection: Connection, step: int, command: Gather, now: datetime, before: Sequence[Any] | None
    ) -> bool:
        """Begin the members, or take up those of a rewound gather that had not completed `before`; returns whether
        nothing is missing."""
        numbers = [number for number in range(len(command.members)) if before is None or not _is_ok(before[number])]
        ids = {self._id_of(step, number): number for number in numbers}
        found: set[str] = set()
        completed = 0
        if before is not None:
            found, completed = rewound.members(connection, self._claim, step, ids, now)
        missing = (1 if command.race else len(ids)) - completed
        kin.open_fan(connection, self._claim, step, missing=missing, fail_fast=command.fail_fast)
        fresh = [(id_, command.members[number]) for id_, number in ids.items() if id_ not in found]
        members = {ids[id_]: (id_, member) for id_, member in self._household.members(fresh)}
        kin.begin_members(connection, self._claim, step, members, now, policy="terminate", linked=True)
        return missing <= 0

    def _id_of(self, step: int, member: int) -> str:
        claim = self._claim
        return member_id(claim.workflow_id, claim.run, step, member, rewinds_before(claim.rewound, step))


def _before(begun: Entry, command: Gather) -> list[Any] | None:
    """What the members of a gather had answered before it was rewound, in JSON's own values; None when it was not."""
    if begun.payload is None:
        return None
    stored = json.loads(begun.payload)
    return stored.get("answers") or [None] * len(command.members)


def _is_ok(answer: Any) -> bool:
    return answer is not None and "ok" in answer


def _as_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _or_suspend(entry: Entry | None) -> Entry:
    if entry is None:
        raise Suspended
    return entry


def _collected(
    begun: Entry, command: Gather, members: Sequence[Any], before: Sequence[Any] | None, now: datetime
) -> Entry:
    """One entry of all answers, in order: of `members` (rows), and where a rewind had left none as they were `before`.

    Where a failure is the outcome, the answers go with it: of what has completed a rewind does nothing again.
    """
    known = before or [None] * len(members)
    answers = [_as_json(was) if row is None else _answer(row) for was, row in zip(known, members, strict=True)]
    payload = f"[{','.join(answers)}]"
    failed = [row for row in members if row is not None and row.outcome not in (None, "completed")]
    if not failed or not (command.fail_fast or command.fail_late):
        return replace(begun, state="done", payload=payload, at=now)
    raised = failed[0] if command.fail_late else min(failed, key=_ended_at)
    return replace(begun, state="failed", payload=f'{_failure_of(raised)[:-1]},"answers":{payload}}}', at=now)


def _first(begun: Entry, members: Sequence[Any], now: datetime) -> Entry:
    """The first to end, and its number; when it has failed, that is the outcome."""
    first = min((row for row in members if row is not None and row.outcome is not None), key=_ended_at)
    if first.outcome != "completed":
        return replace(begun, state="failed", payload=_failure_of(first), at=now)
    return replace(begun, state="done", payload=f"[{first.member},{first.result or 'null'}]", at=now)


def _done_with(command: Gather, done: Entry, rows: Iterable[Any]) -> list[int]:
    """Which members nobody asks for any more: activities that have completed, and whose result stands in the entry."""
    if command.race and done.state == "failed":
        return []
    return [row.key for row in rows if _is_spent(row)]


def _is_spent(row: Any) -> bool:
    return bool(row.name.startswith(MEMBER_MARK) and row.outcome == "completed")


def _fare_of_losers(command: Gather, done: Entry) -> ParentClose:
    """Who has lost a race is told, and may clean up. Who is ended for the failure of another keeps what it has, so that
    it can go on after a rewind."""
    return "cancel" if command.race and done.state == "done" else "terminate"


def _ended_at(row: Any) -> datetime:
    at: datetime = row.updated_at
    return at


def _answer(row: Any) -> str:
    """What a member has to say: its result, its failure, or nothing yet."""
    if row.outcome is None:
        return "null"
    if row.outcome == "completed":
        return f'{{"ok":{row.result or "null"}}}'
    return encode({"failed": _failure(row.outcome, row.reason) | {"name": row.name}})


def _failure_of(row: Any) -> str:
    return encode(_failure(row.outcome, row.reason))


def _failure(outcome: str, reason: str | None) -> dict[str, str]:
    """Error and message of a run that did not complete, from its reason."""
    if outcome != "failed":
        return {"error": outcome.capitalize(), "message": reason or outcome}
    error, _, message = (reason or "").partition(": ")
    return {"error": error, "message": message}
