"""The task's figure from predictions, by the toolbox's own metric."""

from __future__ import annotations

from typing import Any

from autommlab.compat import quiet_toolboxes
from autommlab.deployment.trained import Trained
from autommlab.tasks import Task, objective


def score(trained: Trained, samples: list[Any]) -> float:
    """The objective over data samples that hold predictions, fraction 0..1."""
    from mmengine.evaluator import Evaluator

    wanted = objective(trained.task)
    with quiet_toolboxes():
        evaluator = Evaluator(trained.evaluators[:1])  # the first metric is the one that yields the objective
        evaluator.dataset_meta = trained.dataset.metainfo
        figures = evaluator.offline_evaluate(samples)
    return float(figures.get(wanted.key, 0.0)) * wanted.scale


def predict_with_bundle(trained: Trained, predictor: Any, index: int) -> Any:
    """What the bundle answers about a test item's image file, as the toolbox's data sample."""
    sample = trained.dataset[index]["data_samples"]
    match trained.task:
        case Task.CLASSIFICATION:
            return _classified(sample, predictor)
        case Task.DETECTION:
            return _detected(sample, predictor)
        case Task.SEGMENTATION:
            return _segmented(sample, predictor)
        case Task.KEYPOINT:
            return _posed(sample, predictor)


def _classified(sample: Any, predictor: Any) -> Any:
    import torch

    scores = predictor(sample.img_path)["scores"]
    values = torch.tensor([scores[name] for name in predictor.classes])
    return sample.set_pred_score(values).set_pred_label(values.argmax().reshape(1))


def _detected(sample: Any, predictor: Any) -> Any:
    import torch
    from mmengine.structures import InstanceData

    found = predictor(sample.img_path, threshold=0.0)["boxes"]
    boxes = torch.tensor([box["box"] for box in found], dtype=torch.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    sample.pred_instances = InstanceData(
        bboxes=boxes,
        scores=torch.tensor([box["score"] for box in found], dtype=torch.float32),
        labels=torch.tensor([predictor.classes.index(box["label"]) for box in found], dtype=torch.long),
    )
    return sample


def _segmented(sample: Any, predictor: Any) -> Any:
    import torch
    from mmengine.structures import PixelData

    mask = predictor(sample.img_path)["mask"]
    sample.pred_sem_seg = PixelData(data=torch.from_numpy(mask).long()[None])
    return sample


def _posed(sample: Any, predictor: Any) -> Any:
    import numpy as np
    from mmengine.structures import InstanceData

    truth = sample.gt_instances
    left, top, right, bottom = (float(value) for value in truth.bboxes[0])
    found = predictor(sample.img_path, boxes=[(left, top, right - left, bottom - top)])["instances"][0]
    points = np.array(found["keypoints"], np.float32)[None]
    sample.pred_instances = InstanceData(
        keypoints=points[..., :2],
        keypoint_scores=points[..., 2],
        keypoints_visible=points[..., 2],
        bboxes=truth.bboxes,
        bbox_scores=truth.bbox_scores,
    )
    return sample
