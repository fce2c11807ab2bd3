"""An activity's attempt: intent, call, result; and what each way of ending means for the next attempt.

An entry found "started" is in doubt: the call may have happened. Only `verify` can settle it; while `verify` itself
fails the call is never repeated.
"""

import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NoReturn, Protocol

from sqlalchemy import Connection

from durable.context import serving
from durable.errors import Abandoned, InDoubt, NotSerializable, Park, RetryAfter
from durable.injection import reach
from durable.model import ActivityInfo, CallActivity, Claim, Entry, rewinds_before
from durable.postgres.journal import Disposition, Wait
from durable.replay import encode_input
from durable.retry import LOOK_AGAIN
from durable.serde import encode
from durable.worker.lease import Lease

log = logging.getLogger(__name__)
LEASE_SHARE = 0.9
"""A call may take this share of what is left of the lease, so that it is over before somebody else may begin it."""
CRASH_SETTLE_S = 0.5
"""After a crash in the middle of a call, a request that was under way may still take effect for this long."""
MOST_TRACEBACK = 20_000
"""Characters of a traceback that are stored."""


class Journal(Protocol):
    """What an effect asks of its session."""

    claim: Claim

    def now(self) -> datetime:
        """The engine's time."""
        ...

    def write(self, entry: Entry, *, hold: float) -> None:
        """Commit an entry before going on; the claim may then stay silent for `hold` seconds more than usual."""
        ...

    def beat(self, *, hold: float) -> None:
        """Hold the claim for `hold` seconds more than usual, from now."""
        ...

    def fitting(self, text: str) -> str:
        """The text itself. Raises `NotSerializable` when it is longer than what is stored."""
        ...

    def keep(self, entry: Entry) -> Entry:
        """Keep an entry for the next commit."""
        ...

    def suspend(self, entry: Entry, disposition: Disposition) -> NoReturn:
        """Commit an entry and give the thread back."""
        ...

    def park(self, entry: Entry, gate: str, reason: str) -> NoReturn:
        """Close a gate, commit an entry and wait there."""
        ...

    def transact(self, work: Callable[[Connection], Entry]) -> Entry:
        """Run `work` in the transaction that stores the entry it returns."""
        ...


class Effects:
    """Answers calls of activities for one session."""

    def __init__(self, session: Journal, lease: Lease, resources: Mapping[type, Any]) -> None:
        self._session = session
        self._lease = lease
        self._resources = resources

    def answer(self, step: int, command: CallActivity, entry: Entry | None) -> Entry:
        """The finished entry of this call, made now or settled from the world; suspends when it has to wait."""
        if entry is not None and entry.due_at is not None and entry.due_at > self._session.now():
            self._session.suspend(entry, Wait(entry.due_at))
        if command.activity.transactional:
            return self._transact(step, command, entry)
        if entry is None:
            arguments = self._session.fitting(encode_input(command.args, command.kwargs))
            entry = Entry(step, command.kind, command.name, "retrying", self._session.now(), arguments=arguments)
        if entry.state == "started":
            return self._settle(command, entry)
        return self._call(command, entry)

    def _settle(self, command: CallActivity, entry: Entry) -> Entry:
        """Find out about a call that may have happened."""
        verify = command.activity.verify
        if verify is None and command.activity.retry.delay(entry.attempt) is None:
            return self._failed(entry, InDoubt("it may have happened, and its attempts are used up"))
        if verify is None:
            return self._call(command, entry)
        if entry.due_at is None:
            settled_at = entry.at + timedelta(seconds=CRASH_SETTLE_S)
            if settled_at > self._session.now():
                self._session.suspend(replace(entry, due_at=settled_at), Wait(settled_at, real=True))
        try:
            info = self._info(entry.step, entry.attempt, command.activity.timeout)
            reach(f"look.before {command.name}")
            with serving(info, self._resources):
                found = verify(*command.args, **command.kwargs)
            reach(f"look.after {command.name}")
        except Exception as error:  # noqa: BLE001 - whatever the look ended with, it must not fall through to the call
            self._look_again(command, entry, error)
            return self._failed(entry, error)
        if found is None:
            return self._call(command, entry)
        log.info("adopted what had happened", extra=self._extra(entry))
        return self._done(entry, found.value)

    def _look_again(self, command: CallActivity, entry: Entry, error: Exception) -> None:
        """Suspend until the next look; returns only when the error can never become an answer."""
        if isinstance(error, Park):
            self._session.park(replace(entry, due_at=None), error.gate, str(error))
        if isinstance(error, command.activity.non_retryable):
            return
        waited = (self._session.now() - entry.at).total_seconds()
        delay = (
            error.seconds if isinstance(error, RetryAfter) else min(max(waited, LOOK_AGAIN.first), LOOK_AGAIN.longest)
        )
        log.warning("cannot look whether it happened: %s", error, extra=self._extra(entry))
        due = self._session.now() + timedelta(seconds=delay)
        self._session.suspend(replace(entry, due_at=due), Wait(due, real=True))

    def _call(self, command: CallActivity, entry: Entry) -> Entry:
        """Write the intent, make the call, and keep its result for the next commit."""
        self._time_for(command, entry)
        attempt = entry.attempt + 1
        intent = replace(entry, state="started", attempt=attempt, due_at=None, at=self._session.now())
        self._session.write(intent, hold=command.activity.timeout)
        info = self._info(entry.step, attempt, self._time_for(command, entry))
        reach(f"call.before {command.name}")
        try:
            with serving(info, self._resources, lambda: self._session.beat(hold=command.activity.timeout)):
                result = command.activity.function(*command.args, **command.kwargs)
        except Exception as error:  # noqa: BLE001 - what an activity ends with is an outcome, decided in one place
            return self._ended_with(command, intent, error)
        reach(f"call.after {command.name}")
        return self._done(intent, result)

    def _ended_with(self, command: CallActivity, entry: Entry, error: Exception) -> Entry:
        """What an error of the call means: later, in doubt, parked, again, or failed."""
        untried = replace(entry, state="retrying", attempt=entry.attempt - 1)
        if isinstance(error, RetryAfter):
            self._wait(untried, error.seconds, error, real=True)
        if isinstance(error, Park):
            self._session.park(untried, error.gate, str(error))
        if isinstance(error, InDoubt) and command.activity.verify is not None:
            self._wait(entry, max(error.settle, LOOK_AGAIN.first), error, real=True)
        delay = command.activity.retry.delay(entry.attempt)
        if isinstance(error, command.activity.non_retryable) or delay is None:
            return self._failed(entry, error)
        # Without verify a repeat is safe; with it, an unforeseen error leaves open whether the effect happened.
        state = entry.state if command.activity.verify is not None else "retrying"
        self._wait(replace(entry, state=state), delay, error)

    def _wait(self, entry: Entry, seconds: float, error: Exception, *, real: bool = False) -> NoReturn:
        log.info("%s: %s; again in %.3g s", type(error).__name__, error, seconds, extra=self._extra(entry))
        due = self._session.now() + timedelta(seconds=seconds)
        self._session.suspend(replace(entry, due_at=due), Wait(due, real=real))

    def _transact(self, step: int, command: CallActivity, entry: Entry | None) -> Entry:
        attempt = (entry.attempt if entry else 0) + 1
        arguments = self._session.fitting(encode_input(command.args, command.kwargs))
        trying = Entry(
            step, command.kind, command.name, "retrying", self._session.now(), arguments=arguments, attempt=attempt
        )

        def work(connection: Connection) -> Entry:
            result = command.activity.function(connection, *command.args, **command.kwargs)
            payload = self._session.fitting(encode(result))
            return replace(trying, state="done", payload=payload, at=self._session.now())

        try:
            with serving(self._info(step, attempt, command.activity.timeout), self._resources):
                return self._session.transact(work)
        except Exception as error:  # noqa: BLE001 - as in _call
            delay = command.activity.retry.delay(attempt)
            if isinstance(error, NotSerializable) or delay is None:
                return self._failed(trying, error)
            self._wait(trying, delay, error)

    def _done(self, entry: Entry, result: Any) -> Entry:
        try:
            payload = self._session.fitting(encode(result))
        except NotSerializable as error:
            return self._failed(entry, error)
        return self._session.keep(replace(entry, state="done", payload=payload, due_at=None, at=self._session.now()))

    def _failed(self, entry: Entry, error: Exception) -> Entry:
        name, message = type(error).__name__, str(error)
        log.warning("%s: %s", name, message, extra=self._extra(entry))
        payload = encode({"error": name, "message": message[:2000], "traceback": _traceback_of(error)})
        return self._session.keep(replace(entry, state="failed", payload=payload, due_at=None, at=self._session.now()))

    def _time_for(self, command: CallActivity, entry: Entry) -> float:
        """The seconds a call may take. An effect that must not happen twice has to be over before the lease is, so that
        nobody else begins it meanwhile; with too little of the lease left nothing is begun."""
        remaining = self._lease.remaining()
        if not self._lease.is_fresh:
            log.warning("lease too short for an effect: %.2f s left", remaining, extra=self._extra(entry))
            raise Abandoned
        bound = remaining * LEASE_SHARE if command.activity.verify else command.activity.timeout
        return min(command.activity.timeout, bound)

    def _info(self, step: int, attempt: int, timeout: float) -> ActivityInfo:
        claim = self._session.claim
        return ActivityInfo(claim.workflow_id, claim.run, step, attempt, timeout, rewinds_before(claim.rewound, step))

    def _extra(self, entry: Entry) -> dict[str, Any]:
        claim, step = self._session.claim, entry.step
        which = {"workflow_id": claim.workflow_id, "run": claim.run, "step": step}
        return which | {"activity": entry.name, "attempt": entry.attempt}


def _traceback_of(error: Exception) -> str:
    """The traceback from where the engine's own frames end. Of a long one the middle is left out."""
    frame = error.__traceback__
    while frame is not None and str(frame.tb_frame.f_globals.get("__name__")).startswith("durable."):
        frame = frame.tb_next
    told = "".join(traceback.format_exception(type(error), error, frame))
    half = MOST_TRACEBACK // 2
    return told if len(told) <= MOST_TRACEBACK else f"{told[:half]}\n[…]\n{told[-half:]}"
