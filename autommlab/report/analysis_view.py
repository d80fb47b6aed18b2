"""An analysis with its plots and pictures, ready for a page."""

from __future__ import annotations

from dataclasses import dataclass

from autommlab.analysis.records import Analysis
from autommlab.report import analysis_rows
from autommlab.report.analysis_rows import MatrixCell, Table
from autommlab.report.content import Picture

#: Pictures of the most confident mistakes, and of the least agreement, on a page.
MISTAKES, WORST = 30, 12


@dataclass(frozen=True, slots=True)
class AnalysisView:
    """What the template of an analysis shows.

    Attributes:
        figures: of all pictures, in one line.
        classes, sizes, points: tables; None where the task has none.
        matrix: rows of the confusion matrix; empty without one.
        curves, calibration: SVG text, "" without one.
        mistakes, worst: drawn pictures.
    """

    found: Analysis
    figures: str
    classes: Table | None
    sizes: Table | None
    points: Table | None
    matrix: list[tuple[str, list[MatrixCell]]]
    curves: str
    calibration: str
    mistakes: tuple[Picture, ...]
    worst: tuple[Picture, ...]


def view_of(found: Analysis, mistakes: tuple[Picture, ...], worst: tuple[Picture, ...]) -> AnalysisView:
    """The analysis with its plots.

    Args:
        found: the analysis.
        mistakes, worst: from `gallery.mistake_pictures`.
    """
    from autommlab.report import analysis_plots  # matplotlib: half a second

    return AnalysisView(
        found=found,
        figures=analysis_rows.figures_line(found),
        classes=analysis_rows.class_table(found),
        sizes=analysis_rows.size_table(found),
        points=analysis_rows.point_table(found.points),
        matrix=analysis_rows.matrix(found.confusion) if found.confusion else [],
        curves=analysis_plots.precision_recall_plot(found.classes),
        calibration=analysis_plots.calibration_plot(found.calibration) if found.calibration else "",
        mistakes=mistakes,
        worst=worst,
    )
