"""What the analysis of each task collects and finds, and the parts that several tasks share."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autommlab.analysis.limits import MOST_CLASSES, MOST_PAIRS
from autommlab.analysis.records import (
    Calibration,
    CalibrationBin,
    ClassFigures,
    ConfusedPair,
    Confusion,
    Counted,
    Curve,
    Figures,
    JudgedPicture,
    PointFigures,
    SizeFigures,
)
from autommlab.data.truths import Annotated

_BINS = 10
#: Points of a stored curve, as COCO reads precision off.
_CURVE_POINTS = 101
#: Decimals of what is stored for each picture and each point of a curve.
_DECIMALS = 5


@dataclass(slots=True)
class Findings:
    """The parts of an `Analysis` that depend on the task."""

    figures: Figures
    judged: list[JudgedPicture]
    classes: tuple[ClassFigures, ...] = ()
    sizes: tuple[SizeFigures, ...] = ()
    points: tuple[PointFigures, ...] = ()
    confusion: Confusion | None = None
    confused: tuple[ConfusedPair, ...] = ()
    calibration: Calibration | None = None
    notes: list[str] = field(default_factory=list)


class Judge(Protocol):
    """Holds the answers for pictures against their annotations."""

    def add(self, picture: Annotated) -> None:
        """Predict a picture and keep what the figures need.

        Raises:
            BundleError: the picture, or its mask, cannot be read; nothing of it is kept.
        """

    def findings(self) -> Findings:
        """All figures of the pictures that were added; there is at least one."""


def defined(value: Any) -> float | None:
    """A figure as it is stored: None instead of NaN."""
    return float(value) if math.isfinite(value) else None


def ratio(part: float, whole: float) -> float | None:
    """None where there is nothing to be a part of."""
    return float(part / whole) if whole else None


def mean(values: Iterable[float | None]) -> float | None:
    """Of those that are defined."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def judged_picture(picture: Annotated, **said: Any) -> JudgedPicture:
    """The record of a picture, its numbers rounded."""
    rounded = {name: round(float(value), _DECIMALS) for name, value in said.items() if not isinstance(value, str)}
    return JudgedPicture.model_validate({"path": picture.path, **said, **rounded})


def stored_curve(recall: NDArray[Any], precision: NDArray[Any]) -> Curve:
    """A curve cut to as many points as are stored.

    Args:
        recall, precision: by ascending recall.
    """
    chosen = np.unique(np.linspace(0, len(recall) - 1, min(len(recall), _CURVE_POINTS)).round().astype(int))
    rounded = (tuple(np.round(values[chosen], _DECIMALS).tolist()) for values in (recall, precision))
    return Curve(**dict(zip(("recall", "precision"), rounded, strict=True)))


def confusion_of(
    counts: NDArray[np.int64], truths: Sequence[str], answers: Sequence[str], counted: Counted
) -> Confusion:
    """The matrix as it is stored."""
    rows = tuple(tuple(row) for row in counts.tolist())
    return Confusion(counted=counted, truths=tuple(truths), answers=tuple(answers), counts=rows)


def fits_a_matrix(classes: Sequence[str]) -> bool:
    """Whether a person can read a matrix of so many classes."""
    return len(classes) <= MOST_CLASSES


def most_confused(counts: NDArray[np.int64], names: Sequence[str]) -> tuple[ConfusedPair, ...]:
    """The pairs of different classes with the highest counts; rows are annotated, columns predicted."""
    rows, columns = np.nonzero(counts)
    pairs = Counter({(int(t), int(a)): int(counts[t, a]) for t, a in zip(rows, columns, strict=True) if t != a})
    return tuple(ConfusedPair(truth=names[t], answer=names[a], count=n) for (t, a), n in pairs.most_common(MOST_PAIRS))


def in_words(labels: Iterable[str]) -> str:
    """What is there, by class: "2 cat, 1 dog"; "nothing" for none."""
    counts = Counter(labels)
    return ", ".join(f"{count} {label}" for label, count in counts.items()) or "nothing"


class Reliability:
    """Collects scores of answers and whether these are right, without keeping each: masks have millions of pixels.

    Ten bins of equal width, as `sklearn.calibration.calibration_curve` has them, which wants all values at once.

    Args:
        counted: what the answers are about.
    """

    def __init__(self, counted: Counted) -> None:
        self._counted = counted
        self._sums = np.zeros((3, _BINS))

    def add(self, scores: NDArray[Any], right: NDArray[Any]) -> None:
        """Some answers.

        Args:
            scores: 0..1; what lies beyond is cut.
            right: of the same shape.
        """
        flat = np.clip(scores.reshape(-1).astype(np.float64), 0, 1)
        # A score on the border of two bins belongs to the lower one, as in scikit-learn.
        bins = np.searchsorted(np.linspace(0, 1, _BINS + 1)[1:-1], flat)
        weights = (None, flat, right.reshape(-1).astype(np.float64))
        self._sums += np.stack([np.bincount(bins, each, _BINS) for each in weights])

    def calibration(self) -> Calibration | None:
        """None where no answer was added."""
        counts, scores, right = self._sums[:, self._sums[0] > 0]
        if not len(counts):
            return None
        bins = (
            CalibrationBin(count=int(count), confidence=score / count, right=hits / count)
            for count, score, hits in zip(counts.tolist(), scores.tolist(), right.tolist(), strict=True)
        )
        error = float(np.abs(scores - right).sum() / counts.sum())
        return Calibration(counted=self._counted, error=error, bins=tuple(bins))
