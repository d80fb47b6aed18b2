"""The critical-difference diagram (Demsar 2006, JMLR 7): mean ranks on an axis, bars over arms that do not differ."""

from __future__ import annotations

from pathlib import Path

from training_data_gen.benchmarks.analysis import cliques
from training_data_gen.benchmarks.paired import Ranking

_LINE, _BAR = 0.06, 0.025


def draw_ranking(ranking: Ranking, path: Path, *, title: str) -> Path:
    """Draw it as a picture whose suffix says the format."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = sorted(ranking.ranks, key=lambda name: ranking.ranks[name])
    figure = Figure(figsize=(8, 1.6 + 0.22 * len(names)))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.25, 0.05, 0.5, 0.85))
    last = len(names)
    axes.set(xlim=(1, last), ylim=(0, 1), yticks=[])
    axes.set_title(title, fontsize=9)
    axes.xaxis.tick_top()
    for side in ("left", "right", "bottom"):
        axes.spines[side].set_visible(False)
    better = (last + 1) // 2
    for number, name in enumerate(names):
        is_left = number < better
        height = 0.75 - _LINE * 1.6 * (number if is_left else last - 1 - number)
        rank, edge = ranking.ranks[name], (1.0 if is_left else float(last))
        axes.plot([rank, rank, edge], [1, height, height], color="black", linewidth=0.8)
        axes.annotate(
            f"{name} ({rank:.2f})", (edge, height), xytext=(-4 if is_left else 4, 0), textcoords="offset points",
            ha="right" if is_left else "left", va="center", fontsize=8, annotation_clip=False,
        )  # fmt: skip
    for number, group in enumerate(cliques(ranking.ranks, ranking.critical_difference)):
        ends = [ranking.ranks[group[0]] - 0.03, ranking.ranks[group[-1]] + 0.03]
        axes.plot(ends, [0.96 - _BAR * number] * 2, color="black", linewidth=3, solid_capstyle="butt")
    figure.savefig(path, dpi=150)
    return path
