"""Detection: AP of each class and size, what is taken for what, and the surest contradictions of the annotation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autommlab.analysis.coco import average, class_figures, coco_of, evaluated, size_figures
from autommlab.analysis.findings import (
    Findings,
    Reliability,
    confusion_of,
    fits_a_matrix,
    in_words,
    judged_picture,
    most_confused,
    ratio,
)
from autommlab.analysis.records import ClassFigures, Curve, JudgedPicture
from autommlab.bundle_runtime import Predictor
from autommlab.bundle_runtime.predictor import DEFAULT_THRESHOLD
from autommlab.data.truths import Annotated

#: Overlap from which a box counts as that of an object, in confusion, gallery and curves.
SAME_OBJECT_IOU = 0.5
NOTHING = "nothing"
#: Of an object that is not found, beside what is seen: detectors overlook far more than people invent.
_OVERLOOKED = 0.25
#: COCO's: most boxes of a picture.
_MOST_BOXES = 100


@dataclass(frozen=True, slots=True)
class _Match:
    """The boxes of a picture that `predict` would show, matched with its objects whatever their class.

    Attributes:
        pairs: indexes of (object, box).
        missed, extra: objects without a box, boxes without an object.
    """

    pairs: tuple[tuple[int, int], ...]
    missed: tuple[int, ...]
    extra: tuple[int, ...]


class DetectionJudge:
    """See `findings.Judge`.

    Args:
        predictor: of a bundle.
        classes: in the order of the annotation.
    """

    def __init__(self, predictor: Predictor, classes: Sequence[str]) -> None:
        self._predictor, self._classes = predictor, classes
        self._pictures: list[Annotated] = []
        self._boxes: list[list[dict[str, Any]]] = []

    def add(self, picture: Annotated) -> None:
        """See `findings.Judge`."""
        self._boxes.append(self._predictor(picture.path, threshold=0.0)["boxes"])
        self._pictures.append(picture)

    def findings(self) -> Findings:
        """See `findings.Judge`."""
        answers = [
            {"image_id": number, "category_id": 1 + self._classes.index(box["label"]), "bbox": box["box"],
             "score": box["score"], "area": box["box"][2] * box["box"][3]}
            for number, boxes in enumerate(self._boxes, start=1)
            for box in boxes
        ]  # fmt: skip
        many = len(self._pictures)
        truth = self._truth()
        evaluation = evaluated(truth, coco_of(many, len(self._classes), answers), "bbox")
        figures = class_figures(evaluation, slice(None))
        matches = self._matches([one for one in answers if one["score"] >= DEFAULT_THRESHOLD])
        counts, reliability = self._confusion(matches)
        names = (*self._classes, NOTHING)
        return Findings(
            figures={"mAP" if name == "AP" else name: value for name, value in figures.items()},
            judged=self._judged(matches, counts),
            classes=self._by_class(evaluation),
            sizes=size_figures(evaluation, truth),
            confusion=confusion_of(counts, names, names, "objects") if fits_a_matrix(self._classes) else None,
            confused=most_confused(counts, names),
            calibration=reliability.calibration(),
        )

    def _truth(self) -> Any:
        annotations = [
            {**thing, "image_id": number}
            for number, picture in enumerate(self._pictures, start=1)
            for thing in picture.objects
        ]
        return coco_of(len(self._pictures), len(self._classes), annotations)

    def _by_class(self, evaluation: Any) -> tuple[ClassFigures, ...]:
        seen = [thing["category_id"] for p in self._pictures for thing in p.objects if not thing.get("iscrowd")]
        return tuple(
            ClassFigures(
                name=name,
                count=seen.count(1 + label),
                figures=class_figures(evaluation, label),
                curve=_curve(evaluation, label) if fits_a_matrix(self._classes) else None,
            )
            for label, name in enumerate(self._classes)
        )

    def _matches(self, sure: Sequence[Mapping[str, Any]]) -> list[_Match]:
        """Each picture's boxes and objects, matched by COCO's evaluation without regard to classes."""
        truth = self._truth()
        evaluation = evaluated(
            truth, coco_of(len(self._pictures), len(self._classes), sure), "bbox",
            useCats=0, iouThrs=np.array([SAME_OBJECT_IOU]), areaRng=[[0, 1e10]], areaRngLbl=["all"],
            maxDets=[_MOST_BOXES],
        )  # fmt: skip
        found = {one["image_id"]: one for one in evaluation.evalImgs if one is not None}
        matches, first = [], 1
        for number, (boxes, picture) in enumerate(zip(self._boxes, self._pictures, strict=True), start=1):
            shown = sum(box["score"] >= DEFAULT_THRESHOLD for box in boxes)  # the first ones, as the best come first
            told = found.get(number)
            of_box = dict(zip(told["dtIds"], np.asarray(told["dtMatches"])[0].astype(int), strict=True)) if told else {}
            at_id = {thing["id"]: at for at, thing in enumerate(truth.imgToAnns[number])}
            pairs = {at_id[thing]: int(box) - first for box, thing in of_box.items() if thing}
            crowds = {at for at, thing in enumerate(picture.objects) if thing.get("iscrowd")}
            taken = {int(box) - first for box, thing in of_box.items() if thing}
            matches.append(
                _Match(
                    tuple((thing, box) for thing, box in pairs.items() if thing not in crowds),
                    tuple(at for at in range(len(picture.objects)) if at not in pairs and at not in crowds),
                    tuple(box - first for box in of_box if box - first not in taken),
                )
            )
            first += shown
        return matches

    def _confusion(self, matches: Sequence[_Match]) -> tuple[NDArray[np.int64], Reliability]:
        """Counts of (annotated, predicted) with "nothing" as the last class, and whether scores are to be trusted."""
        nothing = len(self._classes)
        counts = np.zeros((nothing + 1, nothing + 1), np.int64)
        reliability = Reliability("objects")
        for picture, boxes, match in zip(self._pictures, self._boxes, matches, strict=True):
            said = [self._classes.index(box["label"]) for box in boxes]
            true = [thing["category_id"] - 1 for thing in picture.objects]
            rows = [true[thing] for thing, _ in match.pairs] + [nothing] * len(match.extra)
            answered = [box for _, box in match.pairs] + list(match.extra)
            for row, box in zip(rows, answered, strict=True):
                counts[row, said[box]] += 1
            for thing in match.missed:
                counts[true[thing], nothing] += 1
            scores = np.array([boxes[box]["score"] for box in answered])
            reliability.add(scores, np.array([row == said[box] for row, box in zip(rows, answered, strict=True)]))
        return counts, reliability

    def _judged(self, matches: Sequence[_Match], counts: NDArray[np.int64]) -> list[JudgedPicture]:
        right = np.diag(counts)[:-1]
        recall = right / np.maximum(counts[:-1].sum(axis=1), 1)
        precision = ratio(right.sum(), counts[:, :-1].sum()) or 0.0
        return [
            self._judge(picture, boxes, match, recall, precision)
            for picture, boxes, match in zip(self._pictures, self._boxes, matches, strict=True)
        ]

    def _judge(
        self, picture: Annotated, boxes: Sequence[Mapping[str, Any]], match: _Match, recall: Any, precision: float
    ) -> JudgedPicture:
        true = [self._classes[thing["category_id"] - 1] for thing in picture.objects]
        shown = [box for box in boxes if box["score"] >= DEFAULT_THRESHOLD]
        hits = sum(true[thing] == boxes[box]["label"] for thing, box in match.pairs)
        wanted, said = len(match.pairs) + len(match.missed), len(match.pairs) + len(match.extra)
        suspicion, mistake = max(
            self._doubts(picture, true, boxes, match, recall, precision), key=lambda doubt: doubt[0], default=(0.0, "")
        )
        return judged_picture(
            picture,
            truth=in_words(true),
            answer=in_words(box["label"] for box in shown),
            mistake=mistake,
            agreement=2 * hits / (wanted + said) if wanted + said else 1.0,
            confidence=max((box["score"] for box in shown), default=0.0),
            suspicion=max(0.0, suspicion),
        )

    def _doubts(
        self,
        picture: Annotated,
        true: Sequence[str],
        boxes: Sequence[Mapping[str, Any]],
        match: _Match,
        recall: Any,
        precision: float,
    ) -> list[tuple[float, str]]:
        """Every disagreement of a picture: how surely it speaks against the annotation, and in words.

        Another class at the place of an object weighs by how far its score is above that of the annotated class, as a
        part of both: detectors differ in how high their scores are. A box where nothing is annotated weighs by how far
        it is above the threshold. A model that often finds things where there is nothing, or overlooks things, says
        little by doing so: these weigh by its precision, and by its recall of the class, and what is overlooked weighs
        less than what is seen.
        """
        near = _overlaps(picture, boxes) >= SAME_OBJECT_IOU  # (objects, boxes)
        right = {box: thing for thing, box in match.pairs if boxes[box]["label"] == true[thing]}
        doubts = []
        for thing in (*(pair[0] for pair in match.pairs), *match.missed):
            label = true[thing]
            here = [box for at, box in enumerate(boxes) if near[thing, at] and right.get(at, thing) == thing]
            own = max((box["score"] for box in here if box["label"] == label), default=0.0)
            other = max((box for box in here if box["label"] != label), key=lambda box: box["score"], default=None)
            if other is not None and other["score"] > own:
                seen = min(1.0, other["score"] / DEFAULT_THRESHOLD)
                words = f"{other['label']} {other['score']:.0%}, annotated as {label} ({own:.0%})"
                doubts.append((seen * (other["score"] - own) / (other["score"] + own), words))
            if thing in match.missed:
                weight = _OVERLOOKED * float(recall[self._classes.index(label)])
                doubts.append(((1 - own) * weight, f"the annotated {label} is not found ({own:.0%})"))
        for at in match.extra:
            box = boxes[at]
            above = (box["score"] - DEFAULT_THRESHOLD) / (1 - DEFAULT_THRESHOLD)
            doubts.append((above * precision, f"{box['label']} {box['score']:.0%}, where nothing is annotated"))
        return doubts


def _overlaps(picture: Annotated, boxes: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """(objects, boxes) intersection over union."""
    from pycocotools.mask import iou

    if not picture.objects or not boxes:
        return np.zeros((len(picture.objects), len(boxes)))
    said = np.array([box["box"] for box in boxes], np.float64)
    true = np.array([thing["bbox"] for thing in picture.objects], np.float64)
    return np.asarray(iou(said, true, [0] * len(true))).T


def _curve(evaluation: Any, category: int) -> Curve | None:
    """Precision at each recall, at an overlap of 0.5."""
    precision = evaluation.eval["precision"][0, :, category, 0, -1]
    if average(precision) is None:
        return None
    recalls = evaluation.params.recThrs
    return Curve(recall=tuple(np.round(recalls, 5).tolist()), precision=tuple(np.round(precision, 5).tolist()))
