"""Judges a bundle on the annotated pictures of a split."""

from __future__ import annotations

import time
from typing import Literal

from autommlab.analysis.findings import Judge
from autommlab.analysis.limits import MOST_JUDGED, MOST_PICTURES
from autommlab.analysis.records import Analysis
from autommlab.bundle_runtime import BundleError, Predictor
from autommlab.common.errors import DataError
from autommlab.data.bag_part import evenly
from autommlab.data.records import Bag, Split
from autommlab.data.truths import annotated_pictures
from autommlab.tasks import Task


def split_to_judge(bag: Bag) -> Split:
    """TEST, which nothing has learnt from and nothing was chosen by; VAL where there is none."""
    return "test" if "test" in bag.splits and bag.splits["test"].images else "val"


def analyse(
    bag: Bag,
    predictor: Predictor,
    *,
    split: Split | None = None,
    images: int = MOST_PICTURES,
    name: Split | Literal["all"] | None = None,
    notes: tuple[str, ...] = (),
) -> Analysis:
    """Predict the pictures of a split with a bundle, and hold the answers against the annotations.

    Args:
        bag: with the classes of the bundle, in its order.
        predictor: of the bundle.
        split: of the bag; None = `split_to_judge`.
        images: most pictures, spread evenly over the split.
        name: what the split is called in the record, where the bag has another name for it.
        notes: sentences for the record.

    Raises:
        DataError: not one picture can be read.
    """
    began = time.monotonic()
    split = split or split_to_judge(bag)
    listed = annotated_pictures(bag, split)
    judge = _judge(bag, predictor)
    unreadable: list[str] = []
    chosen = evenly(listed, images)
    for picture in chosen:
        try:
            judge.add(picture)
        except BundleError as error:
            unreadable.append(str(error))
    if len(unreadable) == len(chosen):
        reason = f": {unreadable[0]}" if unreadable else ""
        raise DataError(f"none of the {len(chosen)} {split} pictures can be judged{reason}")
    found = judge.findings()
    judged = sorted(found.judged, key=lambda one: (-one.suspicion, one.agreement, str(one.path)))
    return Analysis(
        task=bag.task,
        split=name or split,
        pictures=len(chosen) - len(unreadable),
        listed=len(listed),
        unreadable=len(unreadable),
        seconds=round(time.monotonic() - began, 2),
        figures=found.figures,
        classes=found.classes,
        sizes=found.sizes,
        points=found.points,
        confusion=found.confusion,
        confused=found.confused,
        calibration=found.calibration,
        judged=tuple(judged[:MOST_JUDGED]),
        notes=(*notes, *found.notes),
    )


def _judge(bag: Bag, predictor: Predictor) -> Judge:
    match bag.task:
        case Task.CLASSIFICATION:
            from autommlab.analysis.classification import ClassificationJudge

            return ClassificationJudge(predictor, bag.classes)
        case Task.DETECTION:
            from autommlab.analysis.detection import DetectionJudge

            return DetectionJudge(predictor, bag.classes)
        case Task.SEGMENTATION:
            from autommlab.analysis.segmentation import SegmentationJudge

            return SegmentationJudge(predictor, bag.classes)
        case Task.KEYPOINT:
            from autommlab.analysis.keypoints import KeypointJudge

            if bag.keypoints is None:
                raise DataError("the data names no keypoints, so none can be judged")
            return KeypointJudge(predictor, bag.keypoints)
