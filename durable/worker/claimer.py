"""The thread that takes what is due: it sleeps until the earliest timer, a hint or a free slot, whichever is first."""

import logging
import math
import threading
import time

from durable.postgres.database import in_short
from durable.postgres.scheduling import Outlook
from durable.worker.lease import Lease
from durable.worker.runner import Runner
from durable.worker.taking import Taking

log = logging.getLogger(__name__)
LEAST_S = 0.001
HELD_BY_OTHERS_S = 0.1
BACKLOG_S = 0.05
"""While claims get something, there is no need to look ahead more often than this."""
TROUBLED_S = 0.5
SOON_S = 0.02
"""What our own runs make due within this is waited for and claimed without a look."""
HELD_BACK_S = SOON_S
"""While a full queue holds something back, each run that ends makes for a look, but not more often than this. Not above
`SOON_S`, or what our own runs make due would be late."""


class Claimer:
    """Claims what `taking` takes, never more than the runner has free slots; looks at least every `poll` seconds."""

    def __init__(self, taking: Taking, lease: Lease, runner: Runner, poll: float) -> None:
        self._poll = poll
        self._taking = taking
        self._lease = lease
        self._runner = runner
        self._outlook = Outlook(None)
        self._looked_at = 0.0
        self._more = False
        self._is_full = False
        self._held_back = False
        self._hinted = False
        self._in_doubt = False
        self._looks_at = math.inf
        self._expects = False
        self._soon = math.inf
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._claim_until_stopped, name="durable-claim", daemon=True)

    def start(self) -> None:
        """Begin to claim."""
        self._thread.start()

    def stop(self) -> None:
        """Claim nothing more; returns when that is certain."""
        self._stopping = True
        self._wake.set()
        self._thread.join()

    def wake(self) -> None:
        """Claim now: something became due."""
        self._hinted = True
        self._wake.set()

    def slot_is_free(self, due_in: float | None) -> None:
        """Go on claiming, if that had to stop because no slot was free or a limited queue was full, and look by the time
        (in seconds) at which the run that left makes something due: itself, its members, its parent. None: nothing."""
        due_at = math.inf if due_in is None else time.monotonic() + due_in
        if due_in is not None and due_in < SOON_S:
            self._soon = min(self._soon, due_at)
        if self._is_full or self._held_back or due_at < self._looks_at:
            self._wake.set()

    def _claim_due(self, outlook: Outlook) -> int:
        """Claim what is due, as far as slots are free, and set it running; returns how many that were."""
        free = self._runner.free
        if free <= 0 or not self._lease.is_fresh:
            return 0
        asked = time.monotonic()
        self._in_doubt = True
        claims = self._taking.take(free, outlook)
        self._in_doubt = False
        self._more = len(claims) == free
        for claim in claims:
            self._runner.submit(claim, asked)
        return len(claims)

    def _claim_until_stopped(self) -> None:
        while not self._stopping:
            self._looks_at = math.inf
            self._expects = False
            self._wake.clear()
            try:
                pause = self._claim_or_wait()
            except Exception as error:  # noqa: BLE001 - this thread must outlive whatever goes wrong
                log.warning("cannot claim: %s: %s", type(error).__name__, in_short(error))
                pause = TROUBLED_S
            self._looks_at = time.monotonic() + pause
            if not self._stopping and pause > 0 and not self._wake.wait(pause) and self._expects:
                self._hinted = True

    def _claim_or_wait(self) -> float:
        """Claim what is due; returns the seconds to wait at most. Idle it costs one small query a poll."""
        if self._in_doubt:  # the answer to a claim was lost: what it took is ours, and nobody runs it
            self._taking.give_back_all_but(self._runner.held)
            self._in_doubt = False
        if not self._may_claim():
            return self._poll
        self._wait_for_what_is_soon_due()
        backlog = self._more and time.monotonic() < self._looked_at + BACKLOG_S
        hinted, self._hinted, self._more = self._hinted, False, False
        claimed = self._claim_due(self._outlook) if backlog or hinted else 0
        if claimed and backlog:
            return 0.0
        if not self._may_claim():
            return self._poll
        if (recently := self._looked_at + self._look_apart(claimed, hinted=hinted) - time.monotonic()) > 0:
            return recently
        return self._look_and_claim()

    def _look_apart(self, claimed: int, *, hinted: bool) -> float:
        """How many seconds a look comes after the one before."""
        if claimed:
            return BACKLOG_S
        return HELD_BACK_S if self._held_back and not hinted else 0.0

    def _look_and_claim(self) -> float:
        due_in = self._look().due_in
        if due_in is None or due_in > self._poll:
            return self._poll
        if due_in > 0:
            self._expects = True
            return max(due_in, LEAST_S)
        return 0.0 if self._claim_due(self._outlook) else HELD_BY_OTHERS_S

    def _wait_for_what_is_soon_due(self) -> None:
        soon, self._soon = self._soon, math.inf
        if soon < math.inf:
            self._wake.clear()
            self._wake.wait(max(soon - time.monotonic(), 0))
            self._hinted = True

    def _may_claim(self) -> bool:
        """Whether a slot is free and the lease fresh. Said first and looked at then, so that no slot is missed that
        becomes free in between."""
        self._is_full = True
        self._is_full = self._runner.free <= 0
        return not self._is_full and self._lease.is_fresh

    def _look(self) -> Outlook:
        """Look ahead. Whether a queue is full is said first and looked at then, so that no place in it is missed that
        becomes free in between."""
        self._looked_at = time.monotonic()
        self._held_back = self._outlook.held_back or bool(self._outlook.admitting)
        self._outlook = self._taking.outlook()
        self._held_back = self._outlook.held_back
        return self._outlook
