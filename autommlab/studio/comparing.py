"""Comparisons of searchers, also while they go on, and runs side by side; nothing of them is changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from autommlab.common.errors import ResumeError
from autommlab.common.trial_status import is_scored
from autommlab.common.wording import duration
from autommlab.compare.curves import best_so_far
from autommlab.compare.records import (
    OPTIONS_FILE,
    RESULT_FILE,
    SUMMARY_FILE,
    CompareOptions,
    Comparison,
    Standing,
    StudySummary,
)
from autommlab.compare.show import cells
from autommlab.compare.standings import curve_of, paired, standings
from autommlab.report.rows import figure_text
from autommlab.report.verdict import verdict
from autommlab.storage.run_folder import RunFolder, read_record
from autommlab.studio.runs import DRAWING, ShownRun, folders_of, is_comparison
from autommlab.training.ledger import read_ledger

Record = TypeVar("Record", Comparison, CompareOptions, StudySummary)
#: Runs that a page shows side by side at most.
MOST_SIDES = 6


@dataclass(frozen=True)
class ShownComparison:
    """A comparison as far as it is.

    Attributes:
        name: its folder, relative to the one that is listed.
        options: what is compared; None where they are damaged.
        state: "running", "finished" or "stopped".
        studies: finished ones.
        under_way: (searcher and seed, trials so far) of each study that has begun and not finished.
        standings: of the seeds that every searcher has finished.
        val_name: what is shown of val.
    """

    name: str
    options: CompareOptions | None
    state: str
    studies: tuple[StudySummary, ...] = ()
    under_way: tuple[tuple[str, int], ...] = ()
    standings: tuple[Standing, ...] = ()
    val_name: str = "score"

    @property
    def title(self) -> str:
        """The request, or the folder where there is none."""
        return (self.options.run.text.strip() if self.options else "") or self.name

    @property
    def total(self) -> int:
        """Studies in all."""
        return len(self.options.searchers) * self.options.seeds if self.options else 0

    @property
    def columns(self) -> list[str]:
        """Heads of the table's columns."""
        after = [f"val after {count}" for count in self.standings[0].best_after] if self.standings else []
        return ["searcher", *after, "test", "regret", "wins", "p", "failed", "fallback", "LLM s"]

    @property
    def rows(self) -> list[list[str]]:
        """Lines of the table."""
        return [cells(standing) for standing in self.standings]


def shown_comparisons(root: Path) -> list[ShownComparison]:
    """All comparisons below a folder."""
    return [shown_comparison(root, folder) for folder in folders_of(root) if is_comparison(folder)]


def shown_comparison(root: Path, path: Path) -> ShownComparison:
    """One comparison; its figures grow with each seed that all searchers have finished."""
    name = path.resolve().relative_to(root.resolve()).as_posix()
    result = _read(path / RESULT_FILE, Comparison)
    state = "running" if RunFolder(path).is_held else "finished" if result is not None else "stopped"
    options = _read(path / OPTIONS_FILE, CompareOptions)
    if options is None:
        return ShownComparison(name, None, "damaged")
    studies, under_way = [], []
    for folder in sorted(path.glob("studies/*/seed-*")):
        if (done := _read(folder / SUMMARY_FILE, StudySummary)) is not None:
            studies.append(done)
        else:
            of = f"{folder.parent.name}, seed {folder.name.removeprefix('seed-')}"
            under_way.append((of, len(read_ledger(folder / "trials.jsonl").records)))
    found = standings(studies, options.searchers, options.run.budget.trials)
    val_name = result.val_name if result is not None else "score"
    return ShownComparison(name, options, state, tuple(studies), tuple(under_way), found, val_name)


def _read(file: Path, kind: type[Record]) -> Record | None:
    if not file.is_file():
        return None
    with contextlib.suppress(ResumeError):
        return read_record(file, kind)
    return None


def drawn_comparison(shown: ShownComparison) -> str:
    """Best so far of each searcher with its interval over seeds, as SVG text; "" before there is one."""
    if shown.options is None or not shown.standings:
        return ""
    trials = shown.options.run.budget.trials
    own = paired(shown.studies, shown.options.searchers)
    return _curves({name: [curve_of(study, trials) for study in studies] for name, studies in own.items()})


def drawn_sides(runs: Iterable[ShownRun]) -> str:
    """Best so far of several runs, as SVG text; "" while none has a trial."""
    scores = {
        run.listed.name: [trial.score if is_scored(trial.status) else 0.0 for trial in run.content.all_trials]
        for run in runs
    }
    return _curves({name: [best_so_far(own)] for name, own in scores.items() if own})


def _curves(curves: Mapping[str, Sequence[Sequence[float]]]) -> str:
    if not curves:
        return ""
    from autommlab.compare.show import draw_curves
    from autommlab.report.plots import plot

    with DRAWING, plot("sides", "best score on validation so far", width=7.0, height=3.6) as figure:
        draw_curves(figure.axes, curves)
        figure.axes.set_ylabel("best on val so far")
        figure.axes.legend(frameon=False)
    return figure.svg


def side_rows(runs: Sequence[ShownRun]) -> list[tuple[str, list[str]]]:
    """What runs are compared by: (what, its value in each run, "" where that has not come so far)."""
    sides = [_side(run) for run in runs]
    return [(name, [side[name] for side in sides]) for name in (sides[0] if sides else ())]


def _side(run: ShownRun) -> dict[str, str]:
    content, status = run.content, run.listed.status
    bag, choice, study, deployed, best = content.bag, content.choice, content.study, content.deployment, content.best
    measured = choice.measured if choice else None
    return {
        "State": run.listed.state,
        "Verdict": verdict(content).title if run.listed.state in ("finished", "stopped") else "",
        "Data": ", ".join(bag.datasets) if bag else "",
        "Classes": str(len(bag.classes)) if bag else "",
        "Model": choice.entry.title if choice else "",
        "Parameters": figure_text(measured.params_m, "M") if measured else "",
        "Searcher": run.folder.options().searcher,
        "Trials": f"{status.trials_done} of {status.trials_total}" if status else "",
        "Best on val": f"{content.score_name} {best.score:.3f}" if best else "",
        "Test": study.test_in_words if study and study.objective in study.test_metrics else "",
        "Engine": deployed.engine.value if deployed else "",
        "One image": figure_text(deployed.verification.p50_ms, "ms") if deployed else "",
        "Time": duration(sum(content.stage_seconds.values())) if content.stage_seconds else "",
    }
