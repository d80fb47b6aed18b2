"""The four vision tasks, named as in the LAMP schema, and what they are measured by.

Canonical metric names, and which toolbox figure each of them is. All values inside this project
are fractions between 0 and 1. Names follow the project's labelling rules; a name that no rule
covers is kept as it was written.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Task(StrEnum):
    """What a model answers about an image."""

    CLASSIFICATION = "classification"
    DETECTION = "detection"
    SEGMENTATION = "segmentation"
    KEYPOINT = "keypoint"


_ALIASES: dict[str, tuple[str, ...]] = {
    "accuracy": ("accuracy", "acc", "top1", "top1accuracy", "top1acc", "classificationaccuracy"),
    "top-5 accuracy": ("top5accuracy", "top5", "top5acc"),
    "precision": ("precision", "ppv", "positivepredictivevalue"),
    "recall": ("recall", "sensitivity", "tpr", "truepositiverate"),
    "F1": ("f1", "f1score", "fscore", "fmeasure"),
    "mAP": ("map", "meanaverageprecision", "bboxmap", "cocomap"),
    "AP": ("ap", "averageprecision"),
    "AP50": ("ap50", "map50"),
    "AR": ("ar", "averagerecall"),
    "mIoU": ("miou", "meaniou", "meanintersectionoverunion"),
    "IoU": ("iou", "intersectionoverunion", "jaccard", "jaccardindex"),
    "Dice coefficient": ("dice", "dicecoefficient", "dicescore", "mdice"),
    "pixel accuracy": ("pixelaccuracy", "pixelacc", "aacc"),
    "PCK": ("pck", "percentageofcorrectkeypoints"),
    "AUC": ("auc", "areaunderthecurve", "areaundercurve"),
    "NME": ("nme", "normalisedmeanerror", "normalizedmeanerror"),
}
_CANONICAL = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}


def canonical_metric(name: str) -> str:
    """The canonical spelling of a metric ("F1-score" -> "F1"); an unknown name is only trimmed."""
    trimmed = " ".join(name.split())
    key = re.sub(r"[^a-z0-9]", "", trimmed.lower())
    return _CANONICAL.get(key, trimmed)


@dataclass(frozen=True, slots=True)
class MeasuredMetric:
    """A figure that a toolbox reports on a split.

    Attributes:
        name: canonical name.
        key: the toolbox's own key in the dict that its evaluator returns.
        scale: factor that brings the toolbox's figure to 0..1.
        higher_is_better: False for errors such as NME.
    """

    name: str
    key: str
    scale: float = 1.0
    higher_is_better: bool = True

    def lost(self, before: float, after: float) -> float:
        """How much worse the figure became; negative where it became better."""
        return before - after if self.higher_is_better else after - before


_PERCENT = 0.01
#: Fewest classes for which top-5 accuracy is measured: the best five of fewer are always right.
TOP_FIVE_CLASSES = 5

#: The figures that are measured for each task; the first one is the task's objective by default.
TASK_METRICS: dict[Task, tuple[MeasuredMetric, ...]] = {
    Task.CLASSIFICATION: (
        MeasuredMetric("accuracy", "accuracy/top1", _PERCENT),
        MeasuredMetric("top-5 accuracy", "accuracy/top5", _PERCENT),
        MeasuredMetric("precision", "single-label/precision", _PERCENT),
        MeasuredMetric("recall", "single-label/recall", _PERCENT),
        MeasuredMetric("F1", "single-label/f1-score", _PERCENT),
    ),
    Task.DETECTION: (
        MeasuredMetric("mAP", "coco/bbox_mAP"),
        MeasuredMetric("AP50", "coco/bbox_mAP_50"),
        MeasuredMetric("AR", "coco/bbox_AR@100"),
    ),
    Task.SEGMENTATION: (
        MeasuredMetric("mIoU", "mIoU", _PERCENT),
        MeasuredMetric("Dice coefficient", "mDice", _PERCENT),
        MeasuredMetric("pixel accuracy", "aAcc", _PERCENT),
    ),
    Task.KEYPOINT: (
        MeasuredMetric("AP", "coco/AP"),
        MeasuredMetric("AR", "coco/AR"),
        MeasuredMetric("PCK", "PCK"),
        MeasuredMetric("AUC", "AUC"),
        MeasuredMetric("NME", "NME", 1.0, False),
    ),
}

#: What people write for a figure that the toolbox reports under another name.
_SAME_FIGURE: dict[Task, dict[str, str]] = {
    Task.DETECTION: {"AP": "mAP"},
    Task.SEGMENTATION: {"IoU": "mIoU", "accuracy": "pixel accuracy"},
    Task.KEYPOINT: {"mAP": "AP"},
    Task.CLASSIFICATION: {},
}


def measured_metric(task: Task, name: str) -> MeasuredMetric | None:
    """The measured figure for a canonical metric name, None where the task has no such figure."""
    wanted = _SAME_FIGURE[task].get(name, name)
    return next((metric for metric in TASK_METRICS[task] if metric.name == wanted), None)


def objective(task: Task) -> MeasuredMetric:
    """The figure that a study maximises where the request names none: accuracy, mAP, mIoU or AP."""
    return TASK_METRICS[task][0]
