"""The figures of a study as inline SVG: best so far, learning curves, score against each hyperparameter."""

from __future__ import annotations

import html
import io
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from autommlab.common.trial_status import is_scored
from autommlab.common.wording import hyperparameters_line
from autommlab.training.loss_curve import LossPoint
from autommlab.training.records import TrialRecord

_LOGARITHMIC = ("lr", "weight_decay")
#: Points of a line of training losses, and the range from which on their axis is logarithmic.
_POINTS_DRAWN, _WIDE = 60, 20
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
    return is_scored(trial.status)


def best_so_far_plot(trials: Sequence[TrialRecord], best: TrialRecord | None, metric: str) -> str:
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


def loss_curves(
    trials: Sequence[TrialRecord], best: TrialRecord | None, losses: Mapping[str, Sequence[LossPoint]]
) -> str:
    """The training loss of each trial, the winner in colour; "" if none is known.

    Args:
        trials, best: of the search.
        losses: by Ray's ids.
    """
    known = [(trial, _thinned(losses[trial.trial_id])) for trial in trials if losses.get(trial.trial_id)]
    if not known:
        return ""
    with plot("losses", "training loss over the iterations of each trial") as drawing:
        axes = drawing.axes
        for trial, points in sorted(known, key=lambda pair: pair[0] == best):
            chosen = trial == best
            (line,) = axes.plot(
                [point.iteration for point in points],
                [point.loss for point in points],
                color=Ink.ACCENT if chosen else Ink.MUTED if is_real(trial) else Ink.BAD,
                linewidth=2.4 if chosen else 1.2,
                alpha=1.0 if chosen else 0.55,
            )
            line.set_gid(f"loss-{trial.number}")
            drawing.tips[f"loss-{trial.number}"] = f"trial {trial.number}: loss {points[-1].loss:.3g} at the end"
        axes.set_xlabel("iteration")
        axes.set_ylabel("training loss")
        axes.set_xlim(left=0)
        seen = [point.loss for _, points in known for point in points]
        if min(seen) > 0 and max(seen) / min(seen) > _WIDE:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(_plain)
            axes.yaxis.set_minor_formatter(NullFormatter())
    return drawing.svg


def _thinned(points: Sequence[LossPoint]) -> Sequence[LossPoint]:
    """Few enough for a small picture; the last one stays."""
    step = math.ceil(len(points) / _POINTS_DRAWN)
    return points[::-1][::step][::-1]


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


def _plain(value: float, _position: float = 0) -> str:
    return f"{value:g}"


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
    return f"trial {trial.number}: {result}\n{hyperparameters_line(trial.as_trained.model_dump())}"


class Ink:
    """Marker colours; no reader ever sees these values."""

    TEXT = "#010301"
    MUTED = "#010302"
    LINE = "#010303"
    ACCENT = "#010304"
    GOOD = "#010305"
    BAD = "#010306"
    CARD = "#010307"


_VARIABLES = {
    Ink.TEXT: "var(--ink)",
    Ink.MUTED: "var(--muted)",
    Ink.LINE: "var(--line)",
    Ink.ACCENT: "var(--accent)",
    Ink.GOOD: "var(--good)",
    Ink.BAD: "var(--bad)",
    Ink.CARD: "var(--card)",
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 11,
    "axes.edgecolor": Ink.LINE,
    "axes.labelcolor": Ink.MUTED,
    "axes.titlecolor": Ink.TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": Ink.LINE,
    "grid.linewidth": 0.8,
    "text.color": Ink.TEXT,
    "xtick.color": Ink.LINE,
    "ytick.color": Ink.LINE,
    "xtick.labelcolor": Ink.MUTED,
    "ytick.labelcolor": Ink.MUTED,
}
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


class Plot:
    """One figure being drawn; `svg` is there once the `with plot(...)` block ends.

    Attributes:
        axes: to draw on.
        tips: id given with `set_gid` -> text that a mouse pointer on that mark shows.
    """

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self.tips: dict[str, str] = {}
        self.svg = ""


@contextmanager
def plot(name: str, description: str, width: float = 5.4, height: float = 3.0) -> Iterator[Plot]:
    """Draw a figure with the page's look.

    Args:
        name: unique on the page; keeps the ids of several SVGs apart.
        description: what a screen reader says.
        width, height: inches at 72 dots; the page scales the figure to its column.

    Yields:
        The `Plot` to draw on.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.patch.set_visible(False)
        drawing = Plot(figure.subplots())
        drawing.axes.patch.set_visible(False)
        yield drawing
        text = io.StringIO()
        FigureCanvasSVG(figure).print_svg(text, metadata=_NO_METADATA)
    drawing.svg = _for_page(text.getvalue(), name, description, drawing.tips)


def _for_page(svg: str, name: str, description: str, tips: Mapping[str, str]) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style.*?</style>", "", svg, count=1, flags=re.DOTALL)  # would reach the whole page
    svg = re.sub(r' xmlns(?::xlink)?="[^"]*"', "", svg)
    svg = re.sub(r" font-family: [^;]*;", "", svg)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r'id="((?:figure|axes|patch|text|matplotlib|xtick|ytick|line2d)[\w.]*)"', rf'id="{name}-\1"', svg)
    for marker, variable in _VARIABLES.items():
        svg = svg.replace(marker, variable)
    for mark, tip in tips.items():
        svg = svg.replace(f'<g id="{mark}">', f'<g id="{name}-{mark}"><title>{html.escape(tip)}</title>')
    label = html.escape(description, quote=True)
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}" class="plot"', 1)
