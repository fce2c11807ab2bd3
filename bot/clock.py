"""The bot's metronome: what recurs beside the engine's own upkeep. Nothing here has to happen at a certain time."""

from collections.abc import Callable, Mapping

import structlog

from durable.worker.metronome import Metronome

_log = structlog.get_logger(__name__)


class Clock:
    """Calls each duty every so many seconds, one call of each at a time; the first after that time."""

    def __init__(self, duties: Mapping[str, Callable[[], object]], every: float) -> None:
        self._metronome = Metronome()
        for name, duty in duties.items():
            self._metronome.every(every, _tolerant(name, duty), name)

    def start(self) -> None:
        """Begin to tick."""
        self._metronome.start()

    def stop(self) -> None:
        """Stop ticking; does not wait for a duty under way."""
        self._metronome.stop()


def _tolerant(name: str, duty: Callable[[], object]) -> Callable[[], None]:
    def call() -> None:
        try:
            duty()
        except Exception:  # noqa: BLE001 - the outermost boundary of a duty: it is logged and tried again at the next tick
            _log.warning("duty.failed", duty=name, exc_info=True)

    return call
