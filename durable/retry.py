"""How often and after how long a failed activity is tried again. The delays are durable timers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential back-off: `first` seconds, then `factor` times longer each time, never longer than `longest`.

    `attempts` counts the calls in all; None goes on for ever.
    """

    first: float = 1.0
    factor: float = 2.0
    longest: float = 300.0
    attempts: int | None = 10

    def __post_init__(self) -> None:
        """Refuse what would never or always retry at once."""
        if self.first <= 0 or self.factor < 1 or self.longest < self.first:
            raise ValueError(f"RetryPolicy: need first > 0, factor >= 1, longest >= first; got {self}")
        if self.attempts is not None and self.attempts < 1:
            raise ValueError(f"RetryPolicy: attempts is at least 1, or None for no limit; got {self.attempts}")

    def delay(self, attempt: int) -> float | None:
        """Seconds to wait after the failure of the `attempt`-th call (from 1), or None when there is no further one."""
        if self.attempts is not None and attempt >= self.attempts:
            return None
        exponent = min(attempt - 1, 64)
        return float(min(self.first * self.factor**exponent, self.longest))


LOOK_AGAIN = RetryPolicy(first=0.5, factor=2.0, longest=60.0, attempts=None)
"""After an effect in doubt: the first look within a second, then ever more rarely, but never giving up."""
