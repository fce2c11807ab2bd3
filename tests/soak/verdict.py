"""Whether a series stayed flat: how much the second half rises, against the level it is at."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, linear_regression

MOST_GROWTH = 0.1
"""Of the level, in the time of half a soak."""
NOISE = {
    "memory, MB": 4.0,
    "threads and files": 4.0,
    "connections": 4.0,
    "tables, KB": 512.0,
    "indexes, KB": 256.0,
    "dead rows": 500.0,
    "workflows": 50.0,
    "due": 100.0,
    "lag, seconds": 10.0,
    "history": 3.0,
    "deliveries": 20.0,
}
"""What a value may rise by without that meaning anything, by panel. Two seconds' work may be due, because whatever else
the machine does makes the load wait."""


@dataclass(frozen=True)
class Verdict:
    """How a series went in the second half: its level, and how much it rose by the line that fits best."""

    name: str
    level: float
    growth: float

    @property
    def is_flat(self) -> bool:
        """Whether it rose by less than noise, or by less than a tenth of its level. What falls is flat, too."""
        return self.growth <= max(NOISE[panel_of(self.name)], MOST_GROWTH * self.level)


def panel_of(name: str) -> str:
    """Where a series is drawn: what stands before the colon of its name."""
    return name.partition(":")[0]


def judge(name: str, seconds: Sequence[float], values: Sequence[float]) -> Verdict:
    """The verdict on a series sampled at these times. Raises `ValueError` with fewer than two samples in its second half."""
    middle = (seconds[0] + seconds[-1]) / 2
    late = [(at, value) for at, value in zip(seconds, values, strict=True) if at >= middle]
    if len(late) < 2:
        raise ValueError(f"{name}: {len(values)} samples are too few to judge")
    times, levels = [at for at, _ in late], [value for _, value in late]
    slope = linear_regression(times, levels).slope
    return Verdict(name, fmean(levels), slope * (times[-1] - times[0]))
