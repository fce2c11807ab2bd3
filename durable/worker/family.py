"""What a run has to do with other runs: children it starts, members it gathers, ends it waits for."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from durable.errors import Suspended
from durable.model import MEMBER_MARK, AwaitChild, Claim, Entry, Gather, Member, StartChild, member_id
from durable.postgres import journal, kin, steering
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
            new = kin.begin_members(
                connection,
                self._claim,
                step,
                self._household.members([(workflow_id, command.child)]),
                now,
                policy=command.on_parent_close,
                linked=False,
            )
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
            before = _answers(begun)
            if complete is None:
                self._begin(connection, step, command, now, before)
            if not complete and command.members:
                self._household.store(connection, begun, Wait(None, listening=True))
                return None
            rows = kin.results(connection, self._claim, step)
            if command.fail_late:
                done = self._late(step, begun, rows, at, before or [None] * len(rows))
            else:
                done = _collected(begun, command, rows, at)
            losers.extend(row.key for row in rows if row.outcome is None)
            kin.leave_behind(connection, losers)
            done_with = [row for row in rows if row.name.startswith(MEMBER_MARK) and row.outcome == "completed"]
            kin.fold(connection, self._claim, step, [row.key for row in done_with])
            self._household.store(connection, done, None)
            return done

        answered = _or_suspend(self._household.at_once("gather", look))
        if losers:
            self._household.settle_orphans()
        return answered

    def _begin(
        self, connection: Connection, step: int, command: Gather, now: datetime, before: Sequence[Any] | None
    ) -> None:
        """Begin the members; those of a rewound gather that had failed `before`, where a child is rewound as well."""
        numbers = [number for number in range(len(command.members)) if before is None or "ok" not in before[number]]
        missing = 1 if command.race else len(numbers)
        kin.open_fan(connection, self._claim, step, missing=missing, fail_fast=command.fail_fast)
        members = {self._id_of(step, number): command.members[number] for number in numbers}
        if before is not None:
            for again in steering.rewind_members(connection, self._claim, step, list(members), first=len(members)):
                del members[again]
        fresh = self._household.members(list(members.items()))
        kin.begin_members(connection, self._claim, step, fresh, now, policy="terminate", linked=True)

    def _late(self, step: int, begun: Entry, rows: Sequence[Any], now: datetime, before: Sequence[Any]) -> Entry:
        """One entry of all answers: of the members that ran, and those that a rewind has left as they were `before`."""
        ran = {row.workflow_id: row for row in rows}
        members = [ran.get(self._id_of(step, number)) for number in range(len(before))]
        answers = [_as_json(was) if row is None else _result(row) for was, row in zip(before, members, strict=True)]
        payload = f"[{','.join(answers)}]"
        failed = next((row for row in members if row is not None and row.outcome != "completed"), None)
        if failed is None:
            return replace(begun, state="done", payload=payload, at=now)
        failure = encode(_failure(failed.outcome, failed.reason))
        return replace(begun, state="failed", payload=f'{failure[:-1]},"answers":{payload}}}', at=now)

    def _id_of(self, step: int, member: int) -> str:
        return member_id(self._claim.workflow_id, self._claim.run, step, member)


def _answers(begun: Entry) -> list[Any] | None:
    """What the members of a gather had answered before it was rewound, in JSON's own values; None when it was not."""
    stored = None if begun.payload is None else json.loads(begun.payload)
    answers: list[Any] | None = stored.get("answers") if isinstance(stored, dict) else None
    return answers


def _as_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _or_suspend(entry: Entry | None) -> Entry:
    if entry is None:
        raise Suspended
    return entry


def _collected(begun: Entry, command: Gather, rows: Sequence[Any], now: datetime) -> Entry:
    """One entry of all results, in order; with `fail_fast` or in a race a failure is the whole outcome."""
    ended = [row for row in rows if row.outcome is not None]
    if command.race:
        first = min(ended, key=lambda row: row.updated_at)
        if first.outcome != "completed":
            return _failed(begun, first, now)
        return replace(begun, state="done", payload=f"[{first.member},{first.result or 'null'}]", at=now)
    failed = [row for row in ended if row.outcome != "completed"]
    if failed and command.fail_fast:
        return _failed(begun, min(failed, key=lambda row: row.updated_at), now)
    return replace(begun, state="done", payload="[" + ",".join(_result(row) for row in rows) + "]", at=now)


def _failed(begun: Entry, row: Any, now: datetime) -> Entry:
    return replace(begun, state="failed", payload=encode(_failure(row.outcome, row.reason)), at=now)


def _result(row: Any) -> str:
    if row.outcome == "completed":
        return f'{{"ok":{row.result or "null"}}}'
    return encode({"failed": _failure(row.outcome, row.reason) | {"name": row.name}})


def _failure(outcome: str, reason: str | None) -> dict[str, str]:
    """Error and message of a run that did not complete, from its reason."""
    if outcome != "failed":
        return {"error": outcome.capitalize(), "message": reason or outcome}
    error, _, message = (reason or "").partition(": ")
    return {"error": error, "message": message}
