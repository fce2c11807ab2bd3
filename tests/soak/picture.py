"""The picture of a soak: one panel for each kind of value, the judged half shaded."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from tests.soak.verdict import panel_of

COLUMNS = 2
PANEL_INCHES = (7.0, 3.2)
MOST_NAMED = 10
HEADROOM = 1.4
"""Above the curves, for the names."""


def draw(path: Path, seconds: Sequence[float], series: Mapping[str, Sequence[float]]) -> None:
    """Write the picture as PNG or SVG, by the path's suffix. Of a crowded panel the largest series are named,
    the others grey."""
    panels: dict[str, list[str]] = defaultdict(list)
    for name in series:
        panels[panel_of(name)].append(name)
    rows = -(-len(panels) // COLUMNS)
    figure = Figure(figsize=(PANEL_INCHES[0] * COLUMNS, PANEL_INCHES[1] * rows), layout="tight")
    axes = figure.subplots(rows, COLUMNS, squeeze=False)
    minutes = [at / 60 for at in seconds]
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    for axis, (panel, names) in zip(axes.flat, panels.items(), strict=False):
        by_size = sorted(names, key=lambda name: -max(series[name]))
        largest, others = by_size[:MOST_NAMED], by_size[MOST_NAMED:]
        for name in others:
            axis.plot(minutes, series[name], linewidth=0.6, color="lightgrey")
        for name in largest:
            axis.plot(minutes, series[name], linewidth=1, label=name.partition(": ")[2])
        axis.axvspan(minutes[-1] / 2, minutes[-1], alpha=0.08)
        axis.set_title(panel, fontsize=10)
        axis.set_ylim(0, HEADROOM * max(1.0, *(max(series[name]) for name in names)))
        axis.legend(fontsize=6, ncols=2, loc="upper left")
    for axis in axes[-1]:
        axis.set_xlabel("minutes")
    figure.savefig(path, dpi=110)
