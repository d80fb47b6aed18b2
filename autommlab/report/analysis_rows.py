"""The tables of an analysis as rows of words, so that the template only lays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autommlab.analysis.records import Analysis, ClassFigures, Confusion, PointFigures, SizeFigures
from autommlab.tasks import Task
from autommlab.training.data_config import PCK_THRESHOLD

#: What the objects of a class are, by task.
COUNTED = {Task.CLASSIFICATION: "pictures", Task.DETECTION: "objects", Task.SEGMENTATION: "pixels"}
_FIRST = {Task.CLASSIFICATION: "F1", Task.DETECTION: "AP", Task.SEGMENTATION: "IoU"}


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its head, and rows of (name, count, bar of 0..1, cells)."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, str, float, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One count, and its part of the annotated ones of its row."""

    count: int
    share: float
    right: bool


def class_table(found: Analysis) -> Table | None:
    """The classes, the weakest first; None where the task has none."""
    if not found.classes or found.task not in COUNTED:
        return None
    first = _FIRST[found.task]
    weakest = sorted(found.classes, key=lambda one: (one.figures.get(first) is None, one.figures.get(first) or 0.0))
    return _table(weakest, COUNTED[found.task], first)


def size_table(found: Analysis) -> Table | None:
    """Figures by size of the objects; None where none was counted."""
    shown = [one for one in found.sizes if one.count]
    return _table(shown, "objects", "AP") if shown else None


def _table(rows: Sequence[ClassFigures | SizeFigures], counted: str, bar: str) -> Table:
    names = tuple(rows[0].figures)
    return Table(
        (counted, *names),
        tuple(
            (one.name, f"{one.count:,}", one.figures.get(bar) or 0.0, tuple(text(one.figures[name]) for name in names))
            for one in rows
        ),
    )


def point_table(points: Sequence[PointFigures]) -> Table | None:
    """The keypoints, those with the largest error first."""
    if not points:
        return None
    ranked = sorted(points, key=lambda one: -(one.error if one.error is not None else -1.0))
    head = ("annotated", f"within {PCK_THRESHOLD:g} of the box", "mean error", "median, pixels", "score", "swapped")
    return Table(
        head,
        tuple(
            (
                one.name,
                f"{one.count:,}",
                one.correct or 0.0,
                (
                    text(one.correct),
                    text(one.error),
                    "-" if one.error_px is None else f"{one.error_px:.1f}",
                    text(one.confidence),
                    "-" if one.swapped is None else f"{one.swapped:.1%}",
                ),
            )
            for one in ranked
        ),
    )


def matrix(confusion: Confusion) -> list[tuple[str, list[MatrixCell]]]:
    """The rows of a confusion matrix: annotated class, and a cell for each predicted one."""
    rows = []
    for at, (name, counts) in enumerate(zip(confusion.truths, confusion.counts, strict=True)):
        whole = sum(counts) or 1
        rows.append((name, [MatrixCell(n, n / whole, column == at) for column, n in enumerate(counts)]))
    return rows


def figures_line(found: Analysis) -> str:
    """The overall figures in one line."""
    return ", ".join(f"{name} {value:.3f}" for name, value in found.figures.items() if value is not None)


def text(value: float | None) -> str:
    """A figure with three decimals."""
    return "-" if value is None else f"{value:.3f}"
