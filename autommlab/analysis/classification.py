"""Classification: confusion, precision, recall and AP of each class, and the surest mistakes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autommlab.analysis.findings import (
    Findings,
    Reliability,
    confusion_of,
    fits_a_matrix,
    judged_picture,
    mean,
    most_confused,
    stored_curve,
)
from autommlab.analysis.records import ClassFigures, Curve, Figures, JudgedPicture
from autommlab.bundle_runtime import Predictor
from autommlab.data.truths import Annotated


class ClassificationJudge:
    """See `findings.Judge`.

    Args:
        predictor: of a bundle.
        classes: in the order of the annotation.
    """

    def __init__(self, predictor: Predictor, classes: Sequence[str]) -> None:
        self._predictor, self._classes = predictor, classes
        self._pictures: list[Annotated] = []
        self._scores: list[list[float]] = []

    def add(self, picture: Annotated) -> None:
        """See `findings.Judge`."""
        scores = self._predictor(picture.path)["scores"]
        self._scores.append([scores[name] for name in self._classes])
        self._pictures.append(picture)

    def findings(self) -> Findings:
        """See `findings.Judge`."""
        from sklearn.metrics import confusion_matrix

        scores = np.array(self._scores)
        truth = np.array([picture.label for picture in self._pictures])
        answer = scores.argmax(axis=1)
        classes = self._by_class(truth, answer, scores)
        counts = confusion_matrix(truth, answer, labels=range(len(self._classes)))
        reliability = Reliability("pictures")
        reliability.add(scores.max(axis=1), truth == answer)
        figures: Figures = {"accuracy": float((truth == answer).mean())}
        return Findings(
            figures=figures | {name: mean(c.figures[name] for c in classes) for name in ("precision", "recall", "F1")},
            judged=self._judged(truth, answer, scores),
            classes=classes,
            confusion=confusion_of(counts, self._classes, self._classes, "pictures")
            if fits_a_matrix(self._classes)
            else None,
            confused=most_confused(counts, self._classes),
            calibration=reliability.calibration(),
        )

    def _by_class(
        self, truth: NDArray[np.int64], answer: NDArray[np.int64], scores: NDArray[np.float64]
    ) -> tuple[ClassFigures, ...]:
        from sklearn.metrics import average_precision_score, precision_recall_fscore_support

        labels = range(len(self._classes))
        parts = precision_recall_fscore_support(truth, answer, labels=labels, zero_division=0)
        precision, recall, f1, support = (part.tolist() for part in parts)
        return tuple(
            ClassFigures(
                name=name,
                count=support[label],
                figures={
                    "precision": precision[label],
                    "recall": recall[label],
                    "F1": f1[label],
                    "AP": float(average_precision_score(truth == label, scores[:, label])) if support[label] else None,
                },
                curve=_curve(truth == label, scores[:, label])
                if support[label] and fits_a_matrix(self._classes)
                else None,
            )
            for label, name in enumerate(self._classes)
        )

    def _judged(
        self, truth: NDArray[np.int64], answer: NDArray[np.int64], scores: NDArray[np.float64]
    ) -> list[JudgedPicture]:
        """A mistake is the more suspicious, the further its score is above that of the annotated class."""
        judged = []
        for picture, label, said, own in zip(self._pictures, truth, answer, scores, strict=True):
            annotated, predicted = self._classes[label], self._classes[said]
            mistake = f"{predicted} {own[said]:.0%}, annotated as {annotated} ({own[label]:.0%})"
            judged.append(
                judged_picture(
                    picture,
                    truth=annotated,
                    answer=f"{predicted} {own[said]:.0%}",
                    mistake=mistake if said != label else "",
                    agreement=own[label],
                    confidence=own[said],
                    suspicion=own[said] - own[label],
                )
            )
        return judged


def _curve(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> Curve:
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(truth, scores, drop_intermediate=True)
    return stored_curve(recall[::-1], precision[::-1])
