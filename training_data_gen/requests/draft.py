"""A parse while it is being changed, and the values that its slots are written with."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from autommlab.tasks import Task
from autommlab.understanding.request import ModelRequest
from training_data_gen.requests.numbers import rounded
from training_data_gen.requests.quantities import Amount

#: Metrics of a task with their weights: rare ones come more often than people ask for them.
METRICS: dict[Task, dict[str, float]] = {
    Task.CLASSIFICATION: {"accuracy": 5, "top-5 accuracy": 2, "precision": 2, "recall": 3, "F1": 3, "AUC": 1.5},
    Task.DETECTION: {"mAP": 5, "AP": 3, "AP50": 5, "AR": 3, "recall": 3, "precision": 2, "F1": 1.5},
    Task.SEGMENTATION: {"mIoU": 4, "IoU": 4, "Dice coefficient": 4, "pixel accuracy": 3, "F1": 1.5, "recall": 1,
                        "precision": 1},
    Task.KEYPOINT: {"PCK": 4, "AP": 4, "AUC": 2, "AR": 3, "NME": 2},
}  # fmt: skip
SPELLINGS = {
    "accuracy": ("accuracy", "accuracy", "accuracy", "acc", "top-1 accuracy", "classification accuracy"),
    "top-5 accuracy": ("top-5 accuracy", "top-5 accuracy", "top 5 accuracy", "top5 accuracy"),
    "precision": ("precision",),
    "recall": ("recall", "recall", "recall", "sensitivity"),
    "F1": ("F1", "F1 score", "F1-score"),
    "mAP": ("mAP", "mAP", "mAP", "mean average precision", "COCO mAP"),
    "AP": ("AP", "AP", "AP", "average precision"),
    "AP50": ("AP50", "AP50", "mAP50", "AP_50"),
    "AR": ("AR", "average recall", "average recall"),
    "mIoU": ("mIoU", "mIoU", "mIoU", "mean IoU", "mean intersection over union"),
    "IoU": ("IoU", "IoU", "IoU", "intersection over union"),
    "Dice coefficient": ("Dice", "Dice coefficient", "Dice score", "dice"),
    "pixel accuracy": ("pixel accuracy", "pixel accuracy", "pixel acc"),
    "PCK": ("PCK", "PCK", "PCK", "percentage of correct keypoints"),
    "AUC": ("AUC", "AUC", "area under the curve"),
    "NME": ("NME", "NME", "normalised mean error", "normalized mean error"),
}
_RANGES = {
    "accuracy": (55, 99), "top-5 accuracy": (75, 99), "mAP": (20, 75), "AP": (35, 92), "AP50": (45, 95),
    "AR": (35, 85), "NME": (1, 12), "AUC": (60, 97),
}  # fmt: skip


@dataclass
class Draft:
    """What a text in the making asks for; the fields are those of the schema."""

    task: Task
    objects: list[str] = field(default_factory=list)
    scenario: str = ""
    modality: str = "rgb"
    data: list[str] = field(default_factory=list)
    model: str = "none"
    speed: Amount = (0, "none")
    flops: Amount = (0, "none")
    parameters: Amount = (0, "none")
    metrics: list[tuple[str, float]] = field(default_factory=list)
    gpu: str = "none"
    engine: str = "none"

    @classmethod
    def of(cls, parse: ModelRequest) -> Draft:
        """The draft that says what `parse` says."""
        data, model = parse.data, parse.model
        return cls(
            task=model.task,
            objects=list(data.object),
            scenario=data.scenario,
            modality=data.modality,
            data=list(data.specific),
            model=model.specific_model,
            speed=(model.speed.value, model.speed.unit.value),
            flops=(model.flops.value, model.flops.unit.value),
            parameters=(model.parameters.value, model.parameters.unit.value),
            metrics=[(metric.name, metric.value) for metric in model.metrics],
            gpu=parse.deploy.gpu.value,
            engine=parse.deploy.inference_engine.value,
        )

    def unset(self, fields: frozenset[str]) -> None:
        """Take back what a text without these fields' sentences no longer says."""
        empty = Draft(self.task)
        names = {"device": "gpu"}
        for name in fields - {"object", "scenario", "modality"}:
            setattr(self, names.get(name, name), getattr(empty, names.get(name, name)))

    def parse(self) -> ModelRequest:
        """The finished parse; the descriptions stay empty, as no answer holds them.

        Raises:
            RequestError: the draft is not valid.
        """
        amounts = {
            name: {"value": value, "unit": unit}
            for name, (value, unit) in (("speed", self.speed), ("flops", self.flops), ("parameters", self.parameters))
        }
        return ModelRequest.parse(
            {
                "data": {
                    "object": self.objects,
                    "scenario": self.scenario,
                    "modality": self.modality,
                    "specific": self.data,
                },
                "model": {
                    "task": self.task.value,
                    "specific_model": self.model,
                    "metrics": [{"name": name, "value": value} for name, value in self.metrics],
                    **amounts,
                },
                "deploy": {"gpu": self.gpu, "inference engine": self.engine},
            }
        )


def draw_metric(task: Task, rng: random.Random, without: frozenset[str] = frozenset()) -> str:
    """A metric of the task that is not in `without`."""
    weights = {name: weight for name, weight in METRICS[task].items() if name not in without}
    return rng.choices(list(weights), list(weights.values()))[0]


def draw_score(name: str, rng: random.Random) -> float:
    """A usual value of a metric, mostly round."""
    low, high = _RANGES.get(name, (50, 99))
    percent = float(rng.randint(low, high))
    if name == "NME":
        return rounded(rng.choice((percent, percent, percent / 2)) / 100, 4)
    kind = rng.random()
    if kind < 0.5:
        percent = min(5 * round(percent / 5), 95)
    elif kind > 0.94:
        percent += rng.choice((0.5, 0.2, 0.8, -0.5))
    return rounded(percent / 100, 4)
