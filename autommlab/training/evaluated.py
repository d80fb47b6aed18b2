"""Takes what an evaluation measured of every picture out of the toolboxes' metrics, for `resampling`."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autommlab.tasks import Task
from autommlab.training.resampling import (
    ClassifiedPictures,
    ClassMatches,
    MatchedPictures,
    PictureStatistics,
    PosedPictures,
    SegmentedPictures,
)

#: Name of COCO's evaluation in the modules of mmdet's and mmpose's metric.
_EVALUATION = "COCOeval"
_COCO_METRIC = "CocoMetric"
#: See `MatchedPictures`.
_DETECTION, _KEYPOINT = ("mAP", "AP50", "AR"), ("AP", None, "AR")


@dataclass
class Evaluated:
    """What one run over a split left behind; empty in all processes but the first of a group.

    Attributes:
        results: metric's class name -> the metric and what it collected, one entry a data sample.
        matches: COCO's evaluation, after it has matched predictions with objects.
    """

    results: dict[str, tuple[Any, Sequence[Any]]] = field(default_factory=dict)
    matches: list[Any] = field(default_factory=list)

    def statistics(self, task: Task) -> PictureStatistics | None:
        """The figures' needs of every picture; None where there is nothing to work them out from."""
        if not self.results:
            return None
        match task:
            case Task.CLASSIFICATION:
                return _classified(self.results["Accuracy"][1])
            case Task.SEGMENTATION:
                return _segmented(self.results["IoUMetric"][1])
            case Task.DETECTION:
                if not self.matches:
                    return _nothing_found(len(self.results[_COCO_METRIC][1]))
                return _matched(self.matches[-1], _DETECTION)
            case Task.KEYPOINT:
                return self._posed() if self.matches else None

    def _posed(self) -> PosedPictures:
        evaluation = self.matches[-1]
        accuracy, results = self.results["PCKAccuracy"]
        area = self.results["AUC"][0]
        places = {image: place for place, image in enumerate(evaluation.params.imgIds)}
        samples = [prediction["img_id"] for prediction, _ in self.results[_COCO_METRIC][1]]
        said, true, known = (
            np.concatenate([one[key] for one in results]) for key in ("pred_coords", "gt_coords", "mask")
        )
        distance = np.linalg.norm(said - true, axis=-1)
        return PosedPictures(
            np.array([places[image] for image in samples]),
            np.where(known, distance, np.nan),
            np.concatenate([one["bbox_size"] for one in results])[:, 0],
            threshold=accuracy.thr,
            auc=(area.norm_factor, area.num_thrs),
            matches=_matched(evaluation, _KEYPOINT),
        )


@contextlib.contextmanager
def evaluated(evaluator: Any) -> Iterator[Evaluated]:
    """While it is open, everything that the evaluator's metrics collect is kept.

    Args:
        evaluator: of a Runner's validation or test loop.
    """
    kept = Evaluated()
    with contextlib.ExitStack() as stack:
        for metric in evaluator.metrics:
            compute = metric.compute_metrics
            metric.compute_metrics = functools.partial(_keep_results, kept, metric, compute)
            stack.callback(metric.__dict__.pop, "compute_metrics")
            if type(metric).__name__ == _COCO_METRIC:
                stack.enter_context(_kept_matches(sys.modules[type(metric).__module__], kept))
        yield kept


def _keep_results(
    kept: Evaluated, metric: Any, compute: Callable[[Sequence[Any]], dict[str, Any]], results: Sequence[Any]
) -> dict[str, Any]:
    kept.results[type(metric).__name__] = (metric, list(results))
    return compute(results)


@contextlib.contextmanager
def _kept_matches(module: Any, kept: Evaluated) -> Iterator[None]:
    """COCO's evaluation is a local variable of both toolboxes' metrics: one that tells of itself takes its place."""
    original: Any = getattr(module, _EVALUATION)

    class Telling(original):
        def accumulate(self, *args: Any, **kwargs: Any) -> None:
            super().accumulate(*args, **kwargs)
            kept.matches.append(self)

    setattr(module, _EVALUATION, Telling)
    try:
        yield
    finally:
        setattr(module, _EVALUATION, original)


def _classified(results: Sequence[Any]) -> ClassifiedPictures:
    import torch

    scores = torch.stack([one["pred_score"] for one in results])
    truth = torch.cat([one["gt_label"] for one in results])
    classes = scores.shape[1]
    return ClassifiedPictures(scores.topk(min(5, classes), dim=1).indices.numpy(), truth.numpy(), classes)


def _segmented(results: Sequence[Any]) -> SegmentedPictures:
    by_kind = zip(*results, strict=True)
    common, union, said, true = (np.stack([np.asarray(one) for one in part]).astype(float) for part in by_kind)
    return SegmentedPictures(common, union, said, true)


def _nothing_found(pictures: int) -> MatchedPictures:
    """Of a model that predicts nothing at all: mmdet then matches nothing."""
    nothing = np.zeros((1, 0), bool)
    return MatchedPictures(
        pictures, [ClassMatches(np.zeros(0, int), nothing, nothing, np.ones(pictures))], np.zeros(1), _DETECTION
    )


def _matched(evaluation: Any, names: tuple[str, str | None, str]) -> MatchedPictures:
    params = evaluation.params
    places = {image: place for place, image in enumerate(params.imgIds)}
    every = [each for each in evaluation.evalImgs if each is not None and list(each["aRng"]) == list(params.areaRng[0])]
    # pycocotools marks a detection without an object by 0, xtcocotools by -1; ids of objects count from 1 in a bag.
    classes = [
        _of_class([each for each in every if each["category_id"] == category], places, params)
        for category in params.catIds
    ]
    return MatchedPictures(len(places), classes, np.asarray(params.recThrs), names)


def _of_class(images: Sequence[Any], places: dict[Any, int], params: Any) -> ClassMatches:
    """The matches of one class; `images` in the order of COCO's evaluation, as it decides between equal scores."""
    most = params.maxDets[-1]
    wanted = np.zeros(len(places))
    for each in images:
        wanted[places[each["image_id"]]] = np.count_nonzero(np.asarray(each["gtIgnore"]) == 0)
    if not images:
        nothing = np.zeros((len(params.iouThrs), 0), bool)
        return ClassMatches(np.zeros(0, int), nothing, nothing, wanted)
    scores = np.concatenate([each["dtScores"][:most] for each in images])
    order = np.argsort(-scores, kind="mergesort")
    picture = np.concatenate([np.full(len(each["dtScores"][:most]), places[each["image_id"]]) for each in images])
    matched = np.concatenate([each["dtMatches"][:, :most] for each in images], axis=1)[:, order] > 0
    counts = ~np.concatenate([each["dtIgnore"][:, :most] for each in images], axis=1)[:, order].astype(bool)
    return ClassMatches(picture[order], matched & counts, ~matched & counts, wanted)
