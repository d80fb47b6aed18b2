"""A comparison as a table for the terminal and as a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab.compare.curves import estimate
from autommlab.compare.records import Comparison, Standing
from autommlab.compare.standings import curve_of, paired

if TYPE_CHECKING:
    from rich.table import Table

PLOT_FILE = "comparison.png"


def comparison_table(result: Comparison) -> Table:
    """One line per searcher: best so far on VAL after some trials, TEST, regret, wins, failures, cost."""
    from rich.table import Table

    drawn = Table(title=f"{_figures(result)}, mean over {result.seeds} seeds [95 % bootstrap interval]")
    drawn.add_column("searcher")
    for count in result.standings[0].best_after if result.standings else ():
        drawn.add_column(f"val after {count}", justify="right")
    for name in ("test", "regret", "wins", "p", "failed", "fallback", "LLM s"):
        drawn.add_column(name, justify="right")
    for standing in result.standings:
        drawn.add_row(*cells(standing))
    return drawn


def _figures(result: Comparison) -> str:
    """What the columns hold."""
    same = result.val_name == result.objective
    return result.objective if same else f"{result.val_name} on val, {result.objective} on test"


def cells(standing: Standing) -> list[str]:
    """The texts of one line of the table."""
    return [
        standing.searcher,
        *(str(value) for value in standing.best_after.values()),
        "" if standing.test is None else str(standing.test),
        str(standing.regret),
        f"{standing.wins:.1f}",
        "" if standing.p_value is None else f"{standing.p_value:.3f}",
        f"{standing.failed:.0%}",
        f"{standing.fallbacks:.0%}",
        f"{standing.llm_seconds:.1f}" if standing.llm_tokens else "",
    ]


def draw_comparison(result: Comparison, file: Path) -> Path:
    """Best-so-far curves with their intervals, as a PNG.

    Args:
        result: a finished comparison.
        file: where to.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    shown = paired(result.studies, [standing.searcher for standing in result.standings])
    draw_curves(axes, {name: [curve_of(study, result.trials) for study in studies] for name, studies in shown.items()})
    axes.set_ylabel(f"best {result.val_name} on val so far")
    title = f"{result.model} on {result.data}, {result.seeds} seeds"
    axes.set_title(title, fontsize=9, wrap=True, parse_math=False)  # a class may be called "$5_"
    axes.legend()
    figure.savefig(file)
    return file


def draw_curves(axes: Any, curves: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """Mean and 95 % interval over seeds, one line a searcher.

    Args:
        axes: of matplotlib.
        curves: searcher -> for each seed the value after each trial.
    """
    from matplotlib.ticker import MaxNLocator

    for name, own in curves.items():
        values = [estimate(at_once) for at_once in zip(*own, strict=True)]
        numbers = list(range(1, len(values) + 1))
        (line,) = axes.plot(numbers, [v.mean for v in values], marker="o", markersize=3, label=name)
        if values and values[0].low is not None:
            lows, highs = [v.low or 0.0 for v in values], [v.high or 0.0 for v in values]
            axes.fill_between(numbers, lows, highs, alpha=0.15, color=line.get_color(), linewidth=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trial (failed ones count)")
    axes.grid(alpha=0.3)
