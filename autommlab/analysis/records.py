"""Typed records of the analysis of a bundle's predictions."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from autommlab.common.run_path import PossiblePath
from autommlab.data.records import Split
from autommlab.tasks import Task

#: Canonical name -> fraction; None where it is not defined, as the AP of a class without an object.
Figures = dict[str, float | None]
Counted = Literal["pictures", "objects", "pixels", "keypoints"]


class Curve(BaseModel):
    """Precision against recall, at most 101 points, by ascending recall."""

    model_config = ConfigDict(frozen=True)

    recall: tuple[float, ...]
    precision: tuple[float, ...]


class ClassFigures(BaseModel):
    """One class.

    Attributes:
        count: annotated pictures (classification), objects (detection) or pixels (segmentation) of it.
        figures: classification: precision, recall, F1, AP; detection: AP, AP50, AR and AP by size; segmentation: IoU,
            Dice coefficient, precision, recall.
        curve: of detection at an overlap of 0.5; None where the task has none, or beyond `MOST_CLASSES` classes.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    count: int
    figures: Figures
    curve: Curve | None = None


class SizeFigures(BaseModel):
    """Objects of one size; COCO's bounds are 32 and 96 pixels squared."""

    model_config = ConfigDict(frozen=True)

    name: str
    count: int
    figures: Figures


class PointFigures(BaseModel):
    """One keypoint.

    Attributes:
        count: annotated ones.
        correct: fraction within `PCK_THRESHOLD` of the longer side of the object's box.
        error: mean distance as a fraction of that side (NME).
        error_px: median distance in pixels.
        confidence: mean score.
        swapped: fraction that lies where another keypoint of the same object is annotated.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    count: int
    correct: float | None = None
    error: float | None = None
    error_px: float | None = None
    confidence: float | None = None
    swapped: float | None = None


class Confusion(BaseModel):
    """How often each annotated class (row) was predicted as each class (column).

    For detection the last row is what was found where nothing is annotated, the last column what was not found.
    """

    model_config = ConfigDict(frozen=True)

    counted: Counted
    truths: tuple[str, ...]
    answers: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class ConfusedPair(BaseModel):
    """Two classes that are taken for each other: annotated as one, predicted as the other."""

    model_config = ConfigDict(frozen=True)

    truth: str
    answer: str
    count: int


class CalibrationBin(BaseModel):
    """Answers of about the same score: how many, their mean score, and the fraction that is right."""

    model_config = ConfigDict(frozen=True)

    count: int
    confidence: float
    right: float


class Calibration(BaseModel):
    """Whether a score of 0.8 means right in 8 of 10 cases.

    Attributes:
        counted: what the answers are about.
        error: expected calibration error: mean distance of score and fraction right, weighted by the answers.
        bins: non-empty ones of ten, by ascending score.
    """

    model_config = ConfigDict(frozen=True)

    counted: Counted
    error: float
    bins: tuple[CalibrationBin, ...]


class JudgedPicture(BaseModel):
    """What the model says of a picture, held against its annotation.

    Attributes:
        path: of the picture.
        truth, answer: in words.
        mistake: the gravest disagreement in words; "" if there is none.
        agreement: with the annotation, 0..1: the score of the annotated class, F1 of the boxes, IoU, or PCK.
        confidence: of the answer, 0..1.
        suspicion: how surely the model contradicts the annotation, 0..1: what is high is a confident mistake, or a
            wrong annotation.
    """

    model_config = ConfigDict(frozen=True)

    path: PossiblePath
    truth: str
    answer: str
    mistake: str = ""
    agreement: float
    confidence: float
    suspicion: float


class Analysis(BaseModel):
    """Predictions of a bundle held against the annotations of one split.

    Attributes:
        split: that was looked at.
        pictures: that were judged, of the `listed` ones; `unreadable` could not be read.
        seconds: wall-clock, predictions included.
        figures: of all pictures.
        sizes: detection and keypoints: by size of the objects.
        points: keypoints only.
        confusion: None for keypoints, and beyond `MOST_CLASSES` classes.
        confused: the pairs that are confused most.
        judged: at most `MOST_JUDGED` pictures, the most suspicious first.
        notes: sentences for a person.
    """

    model_config = ConfigDict(frozen=True)

    task: Task
    split: Split | Literal["all"]
    pictures: int
    listed: int
    unreadable: int = 0
    seconds: float
    figures: Figures
    classes: tuple[ClassFigures, ...] = ()
    sizes: tuple[SizeFigures, ...] = ()
    points: tuple[PointFigures, ...] = ()
    confusion: Confusion | None = None
    confused: tuple[ConfusedPair, ...] = ()
    calibration: Calibration | None = None
    judged: tuple[JudgedPicture, ...] = ()
    notes: tuple[str, ...] = ()

    def mistakes(self, count: int) -> tuple[JudgedPicture, ...]:
        """The pictures on which the model contradicts the annotation most surely."""
        return tuple(one for one in self.judged if one.mistake and one.suspicion > 0)[:count]

    def worst(self, count: int) -> tuple[JudgedPicture, ...]:
        """The pictures that agree least with their annotation."""
        wrong = [one for one in self.judged if one.mistake]
        return tuple(sorted(wrong, key=lambda one: one.agreement)[:count])
