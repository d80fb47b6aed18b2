"""Makes an exported detector keep the boxes that mmdet keeps.

MMDeploy's rewrites filter scores at other places than mmdet's heads. Here a copied model is
changed before export, by hooks on its head's outputs, so that the same boxes reach the suppression.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

#: A class logit this low is a probability of zero; and a threshold that only zero stays below.
_NEVER, _ABOVE_ZERO = -1e4, 1e-6
#: Makes a step of a slope: comparison and selection are not in every engine.
_STEEP = 1e6
#: What comes before the class logits of each anchor of YOLOv3: four of the box, one of objectness.
_BOX_LOGITS, _OBJECTNESS = 4, 1


def test_rules(model: Any) -> dict[str, Any]:
    """The model's own thresholds and limits of detections: its last stage's `test_cfg`."""
    config = model.test_cfg or {}
    return config.get("rcnn") or config


def keep_what_mmdet_keeps(model: Any, size: tuple[int, int]) -> None:
    """Change a copied detector in place; two-stage detectors need nothing.

    - MMDeploy fills every level up to `nms_pre` boxes with zeros: that cut is left out.
    - FCOS, ATSS and their like: mmdet holds the threshold against class scores before they are
      multiplied by the centredness, MMDeploy after it.
    - YOLOv3: mmdet holds one against the objectness too, MMDeploy has none.
    - YOLOX: mmdet keeps the best class of a box, MMDeploy all.
    - RTMDet: mmdet cuts boxes at the image and drops what has no size, MMDeploy does neither.

    Args:
        size: (width, height) of the network input in pixels.
    """
    head = getattr(model, "bbox_head", None)
    rules = getattr(head, "test_cfg", None)
    if head is None or not rules:
        return
    if "nms_pre" in rules:
        rules["nms_pre"] = -1
    kind = {part.__name__ for part in type(head).__mro__}
    if "YOLOV3Head" in kind:
        _hook(head, lambda outputs: _filter_yolov3(outputs, head, rules))
    elif "YOLOXHead" in kind:
        _hook(head, lambda outputs: ([_best_class(level) for level in outputs[0]], *outputs[1:]))
    elif "RTMDetHead" in kind:
        _hook(head, lambda outputs: _cut_rtmdet(outputs, head, size))
    elif hasattr(head, "loss_centerness") and head.use_sigmoid_cls and rules.get("score_thr", 0) > 0:
        lowest = _logit(rules["score_thr"])
        _hook(head, lambda outputs: ([_drop_below(level, lowest) for level in outputs[0]], *outputs[1:]))
        rules["score_thr"] = _ABOVE_ZERO


def _hook(head: Any, change: Callable[[Any], Any]) -> None:
    head.register_forward_hook(lambda _module, _inputs, outputs: change(outputs))


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _drop_below(logits: Any, lowest: Any) -> Any:
    """Logits up to `lowest` become a probability of zero."""
    return _drop(logits, ((logits - lowest) * _STEEP).clamp(0, 1))


def _drop(logits: Any, keep: Any) -> Any:
    return logits * keep + (1 - keep) * _NEVER


def _best_class(logits: Any) -> Any:
    """(batch, classes, height, width): only the highest class of each place stays."""
    best = logits.amax(dim=1, keepdim=True)
    return _drop(logits, ((logits - best) * _STEEP + 1).clamp(0, 1))


def _cut_rtmdet(outputs: Any, head: Any, size: tuple[int, int]) -> Any:
    """Distances (left, top, right, bottom) from each point shortened to end at the image's border."""
    import torch

    scores, distances = [], []
    points = head.prior_generator.grid_priors([level.shape[-2:] for level in outputs[1]], device="cpu")
    for logits, level, places in zip(outputs[0], outputs[1], points, strict=True):
        height, width = level.shape[-2:]
        x, y = (places[:, axis].reshape(1, 1, height, width) for axis in (0, 1))
        left, top, right, bottom = level.split(1, dim=1)
        left, right = x - (x - left).clamp(0, size[0]), (x + right).clamp(0, size[0]) - x
        top, bottom = y - (y - top).clamp(0, size[1]), (y + bottom).clamp(0, size[1]) - y
        has_size = ((left + right) * _STEEP).clamp(0, 1) * ((top + bottom) * _STEEP).clamp(0, 1)
        scores.append(_drop(logits, has_size))
        distances.append(torch.cat([left, top, right, bottom], dim=1))
    return (scores, distances, *outputs[2:])


def _filter_yolov3(outputs: Any, head: Any, rules: dict[str, Any]) -> Any:
    import torch

    objectness, score = rules.get("conf_thr", 0), rules.get("score_thr", 0)
    changed = []
    for level in outputs[0]:
        parts = level.split([_BOX_LOGITS, _OBJECTNESS, head.num_classes] * head.num_base_priors, dim=1)
        parts = [
            _drop_below(part, _logit(threshold)) if threshold > 0 else part
            for part, threshold in zip(parts, [0, objectness, score] * head.num_base_priors, strict=True)
        ]
        changed.append(torch.cat(parts, dim=1))
    return (tuple(changed), *outputs[1:])
