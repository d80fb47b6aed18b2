"""The mistakes of a model as pictures: annotation and prediction drawn side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autommlab.analysis.records import JudgedPicture
from autommlab.bundle_runtime import BundleError, Predictor, pictures
from autommlab.data.records import Bag, Split
from autommlab.data.truths import Annotated, annotated_pictures
from autommlab.deployment.drawing import draw_prediction, side_by_side
from autommlab.report.content import Picture
from autommlab.report.samples import as_answer
from autommlab.tasks import Task

#: Longest side of a picture of the gallery, pixels: there are many of them.
_SIDE = 560


def mistake_pictures(
    judged: Sequence[JudgedPicture], bag: Bag, split: Split, predictor: Predictor
) -> tuple[Picture, ...]:
    """The judged pictures, drawn; one that cannot be read any more is left out.

    Args:
        judged: of an analysis of that split.
        bag: with the annotations.
        predictor: of the bundle that was judged.
    """
    truths = {one.path: one for one in annotated_pictures(bag, split)}
    drawn = (_drawn(one, truths.get(one.path), bag, predictor) for one in judged)
    return tuple(_present(drawn))


def _present(drawn: Iterable[Picture | None]) -> Iterable[Picture]:
    return (picture for picture in drawn if picture is not None)


def _drawn(judged: JudgedPicture, truth: Annotated | None, bag: Bag, predictor: Predictor) -> Picture | None:
    if truth is None:
        return None
    annotation = as_answer(truth, bag.task, bag.classes)
    boxes = [thing["box"] for thing in annotation.get("instances", ())] or None
    try:
        image = pictures.read(truth.path, **bag.depth.model_dump())
        answer = predictor(truth.path, boxes=boxes)
    except BundleError:
        return None
    meta = {"classes": bag.classes, "keypoints": bag.keypoints.model_dump() if bag.keypoints else None}
    shown = draw_prediction(image, answer, meta)
    if bag.task is not Task.CLASSIFICATION:
        shown = side_by_side(draw_prediction(image, annotation, meta), shown)
    shown.thumbnail((_SIDE, _SIDE))
    return Picture(shown, judged.mistake, truth.path)
