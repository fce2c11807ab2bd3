"""Somebody who starts the bot again whenever it dies, as systemd or a platform does."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

from bot.demo.bot_process import BotProcess

_EVERY = 0.05


@dataclass
class Reviver:
    """Counts the deaths it saw; `longest_down` is the longest time without a ready bot, in seconds."""

    bot: BotProcess
    deaths: int = 0
    longest_down: float = 0.0
    trouble: list[BaseException] = field(default_factory=list)
    _stopped: Event = field(default_factory=Event)

    def run(self) -> None:
        """Until stopped: wait for a death, start, wait until ready."""
        while not self._stopped.wait(_EVERY):
            if self.bot.exit_code is None:
                continue
            died = time.monotonic()
            self.deaths += 1
            try:
                self.bot.start().wait_until_ready()
            except (AssertionError, RuntimeError) as error:
                if self.bot.exit_code is None:
                    self.trouble.append(error)
                    return
                continue  # killed again while it started
            self.longest_down = max(self.longest_down, time.monotonic() - died)

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
