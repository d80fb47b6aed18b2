"""A bundle's engine against PyTorch: raw outputs on the same input tensor, and the task's figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autommlab.bundle_runtime.decode import detections
from autommlab.compat import quiet_toolboxes
from autommlab.deployment.trained import Trained
from autommlab.tasks import MeasuredMetric, Task, objective
from autommlab.understanding.request import Engine

#: Largest difference allowed, as a share of the largest output (at least 1) of a network. ncnn
#: computes convolutions by Winograd's transform, which costs digits.
TOLERANCE = {Engine.ONNXRUNTIME: 1e-3, Engine.OPENVINO: 1e-3, Engine.NCNN: 1e-2}
#: Detections that score less than this, and less than half of PyTorch's best, are not compared: near
#: the threshold a rounding error decides whether a box is there at all.
_CONFIDENT = 0.1
#: Boxes of no size come from untrained models; toolboxes treat them differently. Pixels.
_SMALLEST_SIDE = 1.0
_UNMATCHED = 1.0
_SAME_OBJECT_IOU = 0.5

Arrays = Sequence[NDArray[Any]]


def torch_outputs(trained: Trained, tensor: Any, sample: Any) -> list[NDArray[Any]]:
    """PyTorch's raw outputs in the form in which the exported graph gives them.

    For detection: corners (n, 4) in network pixels, scores (n,) and labels (n,).

    Args:
        tensor: (1, 3, height, width).
        sample: the item's data sample with PyTorch's prediction in it.
    """
    import torch

    with torch.no_grad():
        match trained.task:
            case Task.CLASSIFICATION:
                return [sample.pred_score.numpy()[None]]
            case Task.DETECTION:
                found = sample.pred_instances
                scale = np.array([*sample.scale_factor, *sample.scale_factor], np.float32)
                return [found.bboxes.numpy() * scale, found.scores.numpy(), found.labels.numpy()]
            case Task.SEGMENTATION:
                metas = [{**sample.metainfo, "img_shape": tuple(tensor.shape[2:])}]
                return [trained.model.encode_decode(tensor, metas).numpy()]
            case Task.KEYPOINT:
                outputs = trained.model(tensor, [sample], mode="tensor")
                outputs = outputs if isinstance(outputs, list | tuple) else (outputs,)
                return [output.numpy() for output in outputs]


class OutputComparison:
    """Collects the largest difference over images.

    Attributes:
        largest: absolute difference; for detection of scores (0..1) and of corners as shares of the
            network input's longer side, 1 for a box that only one side has.
        magnitude: largest absolute output of PyTorch, at least 1.
    """

    def __init__(self, task: Task, output: dict[str, Any], longer_side: int) -> None:
        self.largest = 0.0
        self.magnitude = 1.0
        self._task = task
        self._output = output
        self._side = longer_side

    def add(self, expected: Arrays, got: Arrays) -> None:
        """Compare one image: PyTorch's outputs with the engine's."""
        if self._task is Task.DETECTION:
            self._note(detection_difference(expected, detections(list(got), self._output), self._side))
            return
        if len(got) < len(expected) or any(e.size != g.size for e, g in zip(expected, got, strict=False)):
            shapes = ([e.shape for e in expected], [g.shape for g in got])
            raise ValueError(f"the engine's outputs have shapes {shapes[1]}, PyTorch's {shapes[0]}")
        for mine, theirs in zip(expected, got, strict=False):
            self.magnitude = max(self.magnitude, float(np.abs(mine).max()))
            self._note(float(np.abs(mine - theirs.reshape(mine.shape)).max()))

    def _note(self, difference: float) -> None:
        # NaN compares as neither larger nor smaller, and must not pass.
        self.largest = max(self.largest, difference) if np.isfinite(difference) else float("inf")

    def tolerance(self, engine: Engine) -> float:
        """What is allowed for the outputs seen so far."""
        return TOLERANCE[engine] * self.magnitude


def detection_difference(expected: Arrays, got: Arrays, longer_side: int) -> float:
    """Largest difference of confident detections, matched by class and overlap; 0 if there are none.

    Args:
        expected, got: corners (n, 4), scores (n,), labels (n,).
        longer_side: of the network input in pixels.
    """
    level = min(_CONFIDENT, float(max(expected[1], default=1.0)) / 2)
    ours, theirs = (_inside(side, longer_side) for side in (expected, got))
    return max(_one_way(ours, theirs, level, longer_side), _one_way(theirs, ours, level, longer_side))


def _inside(found: Arrays, longer_side: int) -> Arrays:
    """Boxes cut at the network input, as far as anything is left of them."""
    corners = np.clip(found[0], 0, longer_side)
    kept = (corners[:, 2:] - corners[:, :2] >= _SMALLEST_SIDE).all(axis=1)
    return [corners[kept], found[1][kept], found[2][kept]]


def _one_way(ours: Arrays, others: Arrays, level: float, longer_side: int) -> float:
    worst = 0.0
    for corners, score, label in zip(*ours, strict=True):
        if score < level:
            continue
        same = (others[2] == label) & (_iou(corners, others[0]) >= _SAME_OBJECT_IOU)
        apart = np.maximum(np.abs(others[0] - corners).max(axis=1) / longer_side, np.abs(others[1] - score))
        worst = max(worst, float(apart[same].min()) if same.any() else _UNMATCHED)
    return worst


def _iou(box: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    union = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - common
    return common / np.maximum(union, 1e-9)


def score(trained: Trained, samples: list[Any], wanted: MeasuredMetric) -> float:
    """A figure over data samples that hold predictions, as a fraction; 0 where it is missing."""
    from mmengine.evaluator import Evaluator

    # The first metric yields the task's own objective.
    needed = trained.evaluators[:1] if wanted == objective(trained.task) else trained.evaluators
    with quiet_toolboxes():
        evaluator = Evaluator(needed)
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
