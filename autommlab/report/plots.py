"""The figures of a study: best so far, learning curves, score against each hyperparameter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from autommlab.common.wording import hyperparameters_line
from autommlab.report.svg import Ink, plot
from autommlab.training.records import TrialRecord

_LOGARITHMIC = ("lr", "weight_decay")
_NAMES = {
    "lr": "learning rate",
    "weight_decay": "weight decay",
    "batch_size": "batch size",
    "iterations": "iterations",
    "optimizer": "optimizer",
    "lr_schedule": "learning-rate schedule",
}


def is_real(trial: TrialRecord) -> bool:
    """Whether the trial's score was measured, not put in for a failure."""
    return trial.status in ("ok", "stopped")


def best_so_far(trials: Sequence[TrialRecord], best: TrialRecord | None, metric: str) -> str:
    """Every trial as a dot, failed ones as a cross at the bottom, and the best so far as a line."""
    with plot("best", f"{metric} of each trial and the best so far") as drawing:
        axes = drawing.axes
        reached = list(itertools.accumulate((t.score if is_real(t) else 0.0 for t in trials), max))
        numbers = [trial.number for trial in trials]
        if best is not None:
            axes.step(numbers, reached, where="post", color=Ink.ACCENT, linewidth=2, zorder=2)
        for trial in trials:
            drawing.tips[f"trial-{trial.number}"] = _tip(trial, metric)
            _dot(axes, trial.number, trial, trial is best or trial == best)
        if best is not None:
            _label(axes, best.number, best.score, numbers)
        axes.set_xlabel("trial")
        axes.set_ylabel(f"{metric} on val")
        axes.set_xlim(min(numbers) - 0.6, max(numbers) + 0.6)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        _score_axis(axes, trials)
    return drawing.svg


def learning_curves(trials: Sequence[TrialRecord], best: TrialRecord | None, metric: str) -> str:
    """The objective at each report of each trial, the winner in colour; "" if nothing was reported."""
    curves = [trial for trial in trials if trial.curve]
    if not curves:
        return ""
    with plot("curves", f"{metric} over the iterations of each trial") as drawing:
        axes = drawing.axes
        for trial in sorted(curves, key=lambda trial: trial == best):
            chosen = trial == best
            color = Ink.ACCENT if chosen else Ink.MUTED if is_real(trial) else Ink.BAD
            finite = [point for point in trial.curve if math.isfinite(point[1])]
            (line,) = axes.plot(
                [iteration for iteration, _ in finite],
                [value for _, value in finite],
                color=color,
                linewidth=2.4 if chosen else 1.2,
                alpha=1.0 if chosen else 0.55,
                marker="o",
                markersize=4.5 if chosen else 3,
            )
            line.set_gid(f"curve-{trial.number}")
            drawing.tips[f"curve-{trial.number}"] = _tip(trial, metric)
        axes.set_xlabel("iteration")
        axes.set_ylabel(f"{metric} on val")
        axes.set_xlim(left=0)
        _score_axis(axes, trials)
    return drawing.svg


def against_hyperparameters(trials: Sequence[TrialRecord], best: TrialRecord | None, metric: str) -> tuple[str, ...]:
    """Six small figures: the score of every trial against one hyperparameter each."""
    return tuple(_against(name, trials, best, metric) for name in _NAMES)


def _against(name: str, trials: Sequence[TrialRecord], best: TrialRecord | None, metric: str) -> str:
    with plot(f"by-{name}", f"{metric} against {_NAMES[name]}", width=3.6, height=2.5) as drawing:
        axes = drawing.axes
        values = [getattr(trial.hyperparameters, name) for trial in trials]
        if isinstance(values[0], str):
            kinds = sorted(set(values))
            places = [kinds.index(value) for value in values]
            short = [kind.removesuffix("LR").replace("CosineAnnealing", "Cosine") for kind in kinds]
            axes.set_xticks(range(len(kinds)), short)
            axes.set_xlim(-0.5, len(kinds) - 0.5)
        else:
            places = values
            if name in _LOGARITHMIC and min(values) > 0:
                axes.set_xscale("log")
                axes.xaxis.set_major_locator(LogLocator(numticks=5))
                axes.xaxis.set_major_formatter(_power_of_ten)
                axes.xaxis.set_minor_formatter(NullFormatter())
            axes.margins(x=0.08)
        for place, trial in zip(places, trials, strict=True):
            drawing.tips[f"trial-{trial.number}"] = _tip(trial, metric)
            _dot(axes, place, trial, trial == best)
        axes.set_title(_NAMES[name], loc="left", fontsize=11)
        _score_axis(axes, trials)
    return drawing.svg


def _power_of_ten(value: float, _position: float = 0) -> str:
    exponent = math.floor(math.log10(value) + 1e-9)
    return f"{value / 10**exponent:.2g}e{exponent}"


def _dot(axes: Axes, x: float, trial: TrialRecord, chosen: bool) -> None:
    if not is_real(trial):
        mark = axes.scatter([x], [0], marker="x", s=42, color=Ink.BAD, linewidths=2, zorder=4, clip_on=False)
    else:
        mark = axes.scatter(
            [x],
            [trial.score],
            s=84 if chosen else 40,
            color=Ink.GOOD if chosen else Ink.ACCENT,
            edgecolors=Ink.CARD,
            linewidths=1.4,
            zorder=5 if chosen else 3,
            clip_on=False,
        )
    mark.set_gid(f"trial-{trial.number}")


def _label(axes: Axes, number: int, score: float, numbers: Sequence[int]) -> None:
    late = number > (min(numbers) + max(numbers)) / 2
    axes.annotate(
        f"{score:.3f}",
        (number, score),
        xytext=(-7 if late else 7, 8),
        textcoords="offset points",
        ha="right" if late else "left",
        color=Ink.GOOD,
        fontweight="bold",
    )


def _score_axis(axes: Axes, trials: Sequence[TrialRecord]) -> None:
    """Fractions start at 0, which is also where failed trials are marked."""
    seen = [trial.score for trial in trials if is_real(trial)]
    seen += [value for trial in trials for _, value in trial.curve if math.isfinite(value)]
    axes.set_ylim(0, min(1.05, max([*seen, 0.05]) * 1.18) if seen else 1.0)


def _tip(trial: TrialRecord, metric: str) -> str:
    result = f"{metric} {trial.score:.3f}" if is_real(trial) else trial.status
    return f"trial {trial.number}: {result}\n{hyperparameters_line(trial.hyperparameters.model_dump())}"
