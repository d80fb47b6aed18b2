"""The pictures of a report: training images with annotations, test images with predictions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab.data.records import Bag
from autommlab.predicting import DEFAULT_THRESHOLD, Predictor
from autommlab.report.content import Picture
from autommlab.report.drawing import draw_prediction, side_by_side
from autommlab.report.truth import sample_truths
from autommlab.tasks import Task

if TYPE_CHECKING:
    from PIL import Image


def training_pictures(bag: Bag, count: int = 8) -> tuple[Picture, ...]:
    """A few training images with their annotations drawn, each class shown before one is repeated."""
    meta = _meta(bag)
    return tuple(
        Picture(draw_prediction(open_image(path), truth, meta), _caption(bag.task, truth), path)
        for path, truth in sample_truths(bag, "train", count, bag.seed)
    )


def predicted_pictures(
    bag: Bag, predictor: Predictor, count: int = 6, threshold: float = DEFAULT_THRESHOLD
) -> tuple[Picture, ...]:
    """A few test images with what the bundle says about them.

    For classification the caption holds the truth; for the other tasks the picture shows the
    annotation on the left and the prediction on the right.

    Args:
        bag: whose test split is shown.
        predictor: the bundle's own, see `predicting.load_bundle`.
        count: most pictures.
        threshold: lowest score of a box that is shown.
    """
    meta = _meta(bag)
    pictures = []
    for path, truth in sample_truths(bag, "test", count, bag.seed):
        image = open_image(path)
        boxes = [thing["box"] for thing in truth.get("instances", ())] or None
        prediction = predictor(path, threshold=threshold, boxes=boxes)
        drawn = draw_prediction(image, prediction, meta)
        if bag.task is Task.CLASSIFICATION:
            right = prediction["label"] == truth["label"]
            pictures.append(Picture(drawn, f"annotated: {truth['label']}", path, right))
        else:
            both = side_by_side(draw_prediction(image, truth, meta), drawn)
            pictures.append(Picture(both, "annotated · predicted", path))
    return tuple(pictures)


def open_image(path: Path) -> Image.Image:
    """The image in RGB, turned as its EXIF orientation says.

    Raises:
        OSError: the file is missing, truncated or no image.
    """
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def _meta(bag: Bag) -> dict[str, Any]:
    return {"classes": bag.classes, "keypoints": bag.keypoints.model_dump() if bag.keypoints else None}


def _caption(task: Task, truth: Mapping[str, Any]) -> str:
    if task is Task.CLASSIFICATION:
        return str(truth["label"])
    if task is Task.SEGMENTATION:
        return ""
    things = truth.get("boxes") or truth.get("instances") or ()
    labels = [thing["label"] for thing in things]
    return ", ".join(f"{labels.count(label)} {label}" for label in dict.fromkeys(labels))
