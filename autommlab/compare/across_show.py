"""The HPO benchmark as a table for the terminal and as a plot, from its JSON alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from autommlab.common.provenance import read_stored
from autommlab.compare.across_records import HpoBenchResult
from autommlab.compare.across_tasks import mean_curves
from autommlab.compare.show import draw_curves
from autommlab.tasks import Task

if TYPE_CHECKING:
    from rich.table import Table


def read_hpo_bench(file: Path) -> HpoBenchResult:
    """What `autommlab bench hpo` wrote to `file`; see `read_stored`."""
    return read_stored(HpoBenchResult, file, "autommlab bench hpo")


def hpo_bench_table(result: HpoBenchResult) -> Table:
    """A line per kind of task and searcher, then over all."""
    from rich.table import Table

    columns = sorted({count for line in result.overall for count in line.after})
    title = "best so far on val, normalised score, mean over tasks [95 % interval over seeds]"
    drawn = Table(title=_with_source(title, result))
    for name in ("kind", "searcher"):
        drawn.add_column(name)
    for name in ("tasks", "seeds", *(f"after {count}" for count in columns), "test", "rank", "LLM s"):
        drawn.add_column(name, justify="right")
    for line in result.overall:
        cost = f"{line.llm_seconds:.1f}" if line.llm_seconds else ""
        after = [str(line.after.get(count, "")) for count in columns]
        test = "" if line.test is None else str(line.test)
        rank = "" if line.rank is None else f"{line.rank:.2f}"
        cells = [str(line.bags), str(line.seeds), *after, test, rank, cost]
        last = line.searcher == result.searchers[-1]
        drawn.add_row(line.task.value if line.task else "all", line.searcher, *cells, end_section=last)
    return drawn


def contrast_table(result: HpoBenchResult) -> Table:
    """A line per question."""
    from rich.table import Table

    drawn = Table(title=_with_source("is it better? [95 % interval over seeds]", result))
    for name in ("best of", "against the best of"):
        drawn.add_column(name)
    for name in ("better by", "tasks better", "equal", "worse", "on test better by"):
        drawn.add_column(name, justify="right")
    for line in result.contrasts:
        on_test = "" if line.on_test is None else line.on_test
        cells = (line.one, line.other, line.difference, line.better, line.equal, line.worse, on_test)
        drawn.add_row(*map(str, cells))
    return drawn


def _with_source(title: str, result: HpoBenchResult) -> str:
    """Nobody should take a surrogate's curve for trainings."""
    words = result.source.in_words()
    return f"{words}: {title}" if words else title


def draw_hpo_bench(result: HpoBenchResult, file: Path) -> Path:
    """Curves of all tasks side by side, as a PNG.

    Args:
        result: finished or not.
        file: where to.
    """
    from matplotlib.figure import Figure

    groups = {
        task.value: [comparison for comparison in result.comparisons.values() if comparison.task is task]
        for task in Task
    }
    groups = {name: own for name, own in {**groups, "all kinds": list(result.comparisons.values())}.items() if own}
    figure = Figure(figsize=(4.2 * len(groups), 4.2), dpi=120, layout="constrained")
    for number, (name, comparisons) in enumerate(groups.items(), start=1):
        axes = figure.add_subplot(1, len(groups), number)
        draw_curves(axes, mean_curves(comparisons, result.searchers, result.trials))
        axes.set_title(f"{name}, {len(comparisons)} held-out tasks", fontsize=9)
        if number == 1:
            axes.set_ylabel("best on val so far, normalised score")
            axes.legend(fontsize=7)
    if result.source.kind != "real trials":
        figure.suptitle(result.source.in_words(), fontsize=9)
    figure.savefig(file)
    return file
