"""Plots of an analysis as inline SVG: precision against recall, and whether scores can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

from autommlab.analysis.records import Calibration, ClassFigures
from autommlab.report.plots import Ink, plot

#: A curve of the many that are drawn thinly.
_THIN, _THICK = 1.2, 2.2


def precision_recall_plot(classes: Sequence[ClassFigures]) -> str:
    """Precision against recall of each class, the lowest and the highest AP in colour; "" without curves."""
    curves = [one for one in classes if one.curve is not None and one.figures.get("AP") is not None]
    if not curves:
        return ""
    ranked = sorted(curves, key=lambda one: one.figures["AP"] or 0.0)
    with plot("precision-recall", "precision against recall of each class") as drawing:
        axes = drawing.axes
        for one in ranked[1:-1] + ranked[-1:] + ranked[:1] if len(ranked) > 1 else ranked:
            if one.curve is None:
                continue
            stands_out = one in (ranked[0], ranked[-1])
            color = Ink.MUTED if not stands_out else Ink.GOOD if one is ranked[-1] else Ink.BAD
            (line,) = axes.plot(
                one.curve.recall,
                one.curve.precision,
                color=color,
                linewidth=_THICK if stands_out else _THIN,
                alpha=1.0 if stands_out else 0.55,
                label=f"{one.name}  AP {one.figures['AP']:.3f}" if stands_out else None,
            )
            mark = f"class-{ranked.index(one)}"
            line.set_gid(mark)
            drawing.tips[mark] = f"{one.name}: AP {one.figures['AP']:.3f}"
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.05)
        axes.legend(loc="lower left", frameon=False, fontsize=10)
    return drawing.svg


def calibration_plot(calibration: Calibration) -> str:
    """Fraction that is right against the score; on the diagonal a score means what it says."""
    with plot("calibration", f"fraction of {calibration.counted} that is right, against the score") as drawing:
        axes = drawing.axes
        axes.plot([0, 1], [0, 1], color=Ink.MUTED, linewidth=_THIN, linestyle="--")
        most = max(one.count for one in calibration.bins)
        axes.plot(
            [one.confidence for one in calibration.bins],
            [one.right for one in calibration.bins],
            color=Ink.ACCENT,
            linewidth=_THIN,
        )
        for number, one in enumerate(calibration.bins):
            mark = axes.scatter(
                [one.confidence],
                [one.right],
                s=24 + 130 * one.count / most,
                color=Ink.ACCENT,
                edgecolors=Ink.CARD,
                zorder=3,
            )
            mark.set_gid(f"bin-{number}")
            drawing.tips[f"bin-{number}"] = (
                f"{one.count:,} {calibration.counted} with a score of about {one.confidence:.2f}: {one.right:.0%} right"
            )
        axes.set_xlabel("score")
        axes.set_ylabel("fraction right")
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.05)
    return drawing.svg
