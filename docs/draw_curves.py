"""Draws the curves of the results page from the committed JSON: `python docs/draw_curves.py`."""

from __future__ import annotations

import numpy as np
from blocks import ROOT
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from searcher_tables import GRID, after, interval, tasks

_SHOWN = ("hpo-llama", GRID, "zero-shot", "surrogate", "tpe+default", "tpe", "random")


def main() -> None:
    """Write `docs/images/hpo-curves.png`."""
    figure = Figure(figsize=(7.6, 4.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name in _SHOWN:
        trials = range(1, next(iter(tasks().values())).best[name].shape[1] + 1)
        scores = [after(name, count) for count in trials]
        bounds = np.array([interval(values) for values in scores])
        (line,) = axes.plot(trials, [values.mean() for values in scores], marker=".", label=name)
        if name in ("hpo-llama", GRID, "tpe"):
            axes.fill_between(trials, bounds[:, 0], bounds[:, 1], color=line.get_color(), alpha=0.12, linewidth=0)
    axes.set(xlabel="trials", ylabel="best validation score so far, normalised", ylim=(0, 1), xlim=(1, 20))
    axes.set_xticks((1, 3, 5, 10, 15, 20))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")
    out = ROOT / "docs" / "images" / "hpo-curves.png"
    figure.savefig(out)
    print(f"wrote {out.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
