"""Somebody who starts the bot again whenever it dies, as systemd or a platform does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

from bot.demo.bot_process import BotProcess

_EVERY = 0.05
_CATCHING_UP = timedelta(seconds=1.5)


@dataclass
class Reviver:
    """Counts the deaths it saw. `outages` are the times without a ready bot, from a death to the next readiness."""

    bot: BotProcess
    deaths: int = 0
    outages: list[tuple[datetime, datetime]] = field(default_factory=list)
    trouble: list[BaseException] = field(default_factory=list)
    _stopped: Event = field(default_factory=Event)

    def run(self) -> None:
        """Until stopped: wait for a death, start, wait until ready."""
        died: datetime | None = None
        while not self._stopped.wait(_EVERY):
            if self.bot.exit_code is None:
                continue
            died = died or datetime.now(UTC)
            self.deaths += 1
            try:
                self.bot.start().wait_until_ready(within=60)
            except (AssertionError, RuntimeError) as error:
                if self.bot.exit_code is None:
                    self.trouble.append(error)
                    return
                continue  # killed again while it started
            self.outages.append((died, datetime.now(UTC)))
            died = None

    def down_between(self, earlier: datetime, later: datetime) -> float:
        """Seconds of outage between two times, each with a moment to catch up."""
        total, reached = timedelta(), earlier
        for died, back in self.outages:
            begin, end = max(died, reached), min(back + _CATCHING_UP, later)
            total += max(end - begin, timedelta())
            reached = max(reached, end)
        return total.total_seconds()

    def stop(self) -> None:
        """Revive it no more."""
        self._stopped.set()


@contextmanager
def revived(bot: BotProcess) -> Iterator[Reviver]:
    """Within this block a bot that dies is started again."""
    reviver = Reviver(bot)
    thread = Thread(target=reviver.run, name="reviver", daemon=True)
    thread.start()
    try:
        yield reviver
    finally:
        reviver.stop()
        thread.join(timeout=60)
    assert not reviver.trouble, reviver.trouble
