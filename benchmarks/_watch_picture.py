"""Draw what watching costs over the number of runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

Curves = Mapping[str, Mapping[str, Mapping[int, float]]]
"""For each cost and each kind of trigger: the cost of so many runs."""

COLOURS = {"official": "#8c8c8c", "ours": "#ff694a"}
LEAST = 0.01
"""Of any cost; a logarithm has no zero."""


def picture(file: Path, curves: Curves, title: str) -> None:
    """Write a PNG with a panel for each cost, both scales logarithmic."""
    mpl.use("agg")
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=13)
    for axes, (cost, kinds) in zip(figure.subplots(2, 2).flat, curves.items(), strict=True):
        axes.set_title(cost, loc="left", fontsize=11)
        axes.set(xscale="log", yscale="log")
        axes.grid(visible=True, alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        for kind, values in kinds.items():
            counts, heights = list(values), [max(value, LEAST) for value in values.values()]
            axes.plot(counts, heights, "o-", color=COLOURS[kind], linewidth=2)
            where = {"xy": (counts[-1], heights[-1]), "xytext": (8, 0), "textcoords": "offset points"}
            axes.annotate(kind, **where, color=COLOURS[kind], va="center", fontweight="bold", annotation_clip=False)
        counts = sorted({count for values in kinds.values() for count in values})
        axes.set_xticks(counts, [f"{count:,}" for count in counts])
        axes.minorticks_off()
    figure.supxlabel("runs watched in one triggerer", fontsize=10)
    figure.savefig(file, dpi=110)
