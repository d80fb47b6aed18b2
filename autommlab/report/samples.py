"""The pictures of a report: training images with annotations, test images with predictions."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab.data.records import Bag, Split
from autommlab.data.truths import Annotated, annotated_pictures
from autommlab.deployment.drawing import UNSURE_POINT, draw_prediction, side_by_side
from autommlab.deployment.predicting import DEFAULT_THRESHOLD, Predictor
from autommlab.report.content import Picture
from autommlab.tasks import Task

if TYPE_CHECKING:
    from PIL import Image


def training_pictures(bag: Bag, count: int = 8) -> tuple[Picture, ...]:
    """A few training images with their annotations drawn, each class shown before one is repeated."""
    meta = _meta(bag)
    return tuple(
        Picture(draw_prediction(image, truth, meta), _caption(bag.task, truth), path)
        for path, truth, image in _opened(bag, "train", count)
    )


def predicted_pictures(
    bag: Bag, predictor: Predictor, count: int = 8, threshold: float = DEFAULT_THRESHOLD
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
    for path, truth, image in _opened(bag, "test", count):
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


def _opened(bag: Bag, split: Split, count: int) -> Iterator[tuple[Path, dict[str, Any], Image.Image]]:
    """(path, annotation, image as training read it) of a few images; one that broke since is left out."""
    from autommlab.bundle_runtime import pictures

    for path, truth in sample_truths(bag, split, count, bag.seed):
        try:
            image = pictures.read(path, **bag.depth.model_dump())
        except pictures.PictureError:
            continue
        yield path, truth, image


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


#: An image and its annotation: `label`, `boxes`, `mask` or `instances` as in `drawing.draw_prediction`.
Truth = tuple[Path, dict[str, Any]]

#: COCO's visibility -> a score that is drawn the same way: hidden points as a ring, visible ones as a disc.
_SCORE_OF_SIGHT = {0: 0.0, 1: UNSURE_POINT, 2: 1.0}


def sample_truths(bag: Bag, split: Split, count: int, seed: int = 0) -> list[Truth]:
    """Up to `count` annotated images of a split, every class shown before one is shown twice.

    Args:
        bag: its canonical annotation files are read (formats in `data.records.BagSplit`).
        split: train, val or test.
        count: images wanted.
        seed: of the choice; the same seed gives the same images.
    """
    rng = random.Random(seed)  # noqa: S311 - draws the images of the report, not secrets
    listed = annotated_pictures(bag, split)
    if bag.task is Task.SEGMENTATION:
        chosen = rng.sample(listed, min(count, len(listed)))
    else:
        shown = [one for one in listed if one.labels]
        rng.shuffle(shown)
        chosen = _spread(((one, one.labels) for one in shown), count)
    return [(one.path, as_answer(one, bag.task, bag.classes)) for one in chosen]


def as_answer(picture: Annotated, task: Task, classes: Sequence[str]) -> dict[str, Any]:
    """An annotation in the form of a bundle's answer."""
    from autommlab.bundle_runtime import pictures

    if picture.label is not None:
        return {"label": classes[picture.label]}
    if picture.mask:
        return {"mask": pictures.values(picture.mask)}
    if task is Task.KEYPOINT:
        return {"instances": [_being(one, classes) for one in picture.objects]}
    return {"boxes": [_object(one, classes) for one in picture.objects]}


def _object(annotation: Mapping[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    return {"label": classes[annotation["category_id"] - 1], "box": annotation["bbox"]}


def _being(annotation: Mapping[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    flat = annotation["keypoints"]
    points = [[flat[i], flat[i + 1], _SCORE_OF_SIGHT[flat[i + 2]]] for i in range(0, len(flat), 3)]
    return _object(annotation, classes) | {"keypoints": points}


def _spread(candidates: Iterable[tuple[Any, set[int]]], count: int) -> list[Any]:
    """The first `count` candidates, those that show a class least shown so far first."""
    waiting, shown, chosen = list(candidates), dict[int, int](), list[Any]()
    while waiting and len(chosen) < count:
        rarest = min(range(len(waiting)), key=lambda i: min(shown.get(label, 0) for label in waiting[i][1]))
        name, labels = waiting.pop(rarest)
        chosen.append(name)
        for label in labels:
            shown[label] = shown.get(label, 0) + 1
    return chosen
