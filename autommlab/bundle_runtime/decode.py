"""From raw outputs to answers: classes, boxes, masks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .images import Prepared

Outputs = list[NDArray[Any]]


def decode_scores(outputs: Outputs, info: dict[str, Any]) -> dict[str, Any]:
    """Class probabilities (1, classes) -> label, score and all scores."""
    scores, classes = outputs[0].reshape(-1), info["classes"]
    _require(len(scores) == len(classes), f"it gives {len(scores)} scores", classes)
    best = int(np.argmax(scores))
    return {
        "label": classes[best],
        "score": float(scores[best]),
        "scores": {name: float(score) for name, score in zip(classes, scores, strict=True)},
    }


def _require(fits: bool, found: str, classes: list[str]) -> None:
    """Raise what `Predictor` explains: a model of other classes than those of `bundle.json`."""
    if not fits:
        raise ValueError(f"{found}, and {len(classes)} classes are named")


def decode_boxes(outputs: Outputs, info: dict[str, Any], prepared: Prepared, threshold: float) -> dict[str, Any]:
    """Detections in network pixels -> labelled boxes in pixels of the original image, best first."""
    corners, scores, labels = detections(outputs, info["output"])
    limits = np.array([*prepared.size, *prepared.size], np.float32)
    corners = np.clip(corners / np.array([*prepared.scale, *prepared.scale], np.float32), 0, limits)
    kept = (scores >= threshold) & np.isfinite(corners).all(axis=1)
    known = (labels[kept] >= 0) & (labels[kept] < len(info["classes"]))
    _require(bool(known.all()), f"it finds class number {labels[kept].max(initial=0)}", info["classes"])
    found = []
    for (left, top, right, bottom), score, label in zip(corners[kept], scores[kept], labels[kept], strict=True):
        box = [float(left), float(top), float(right - left), float(bottom - top)]
        found.append({"label": info["classes"][int(label)], "score": float(score), "box": box})
    return {"boxes": found}


def detections(
    outputs: Outputs, output: dict[str, Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Corners (n, 4) as x1, y1, x2, y2 in network pixels, scores (n,) and labels (n,), best first."""
    if output["kind"] == "raw-boxes":
        return suppress(outputs[0].reshape(-1, 4), outputs[1].reshape(output["scores_shape"]), output["nms"])
    dets, labels = outputs[0].reshape(-1, 5), outputs[1].reshape(-1)
    real = dets[:, 4] > 0  # the fixed number of rows is filled up with zeros
    order = np.argsort(-dets[real, 4], kind="stable")
    return dets[real, :4][order], dets[real, 4][order], labels[real][order].astype(np.int64)


def suppress(
    corners: NDArray[np.float32], scores: NDArray[np.float32], rule: dict[str, Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Greedy non-maximum suppression of each class, as ONNX's NonMaxSuppression does it.

    Args:
        corners: (boxes, 4) as x1, y1, x2, y2.
        scores: (classes, boxes).
        rule: "score" and "iou" thresholds, most boxes "per_class" and "in_all".
    """
    chosen: list[tuple[int, int]] = []
    for label, of_class in enumerate(scores):
        candidates = np.flatnonzero(of_class > rule["score"])
        candidates = candidates[np.argsort(-of_class[candidates], kind="stable")]
        kept: list[int] = []
        while candidates.size and len(kept) < rule["per_class"]:
            best, rest = int(candidates[0]), candidates[1:]
            kept.append(best)
            candidates = rest[_overlaps(corners[best], corners[rest]) <= rule["iou"]]
        chosen += [(label, index) for index in kept]
    chosen.sort(key=lambda pair: -scores[pair])
    labels = np.array([label for label, _ in chosen[: rule["in_all"]]], np.int64)
    boxes = np.array([index for _, index in chosen[: rule["in_all"]]], np.int64)
    return corners[boxes], scores[labels, boxes], labels


def _overlaps(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of one box (4,) with others (n, 4)."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1)
    union = areas + np.prod(box[2:] - box[:2]) - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def decode_mask(outputs: Outputs, info: dict[str, Any], prepared: Prepared) -> dict[str, Any]:
    """Logits (1, classes, height, width) -> class index of every pixel of the original image.

    The logits are resized before the largest is taken, as mmseg does.
    """
    logits = outputs[0].astype(np.float32)
    logits, names = logits.reshape(logits.shape[-3:]), info["classes"]
    _require(len(logits) == len(names), f"it gives {len(logits)} maps", names)
    width, height = prepared.size
    best = np.full((height, width), -np.inf, np.float32)
    mask = np.zeros((height, width), np.uint8)
    for index, channel in enumerate(logits):
        resized = resize_bilinear(channel, (width, height), align_corners=info["output"]["align_corners"])
        better = resized > best
        mask[better] = index
        np.maximum(best, resized, out=best)
    counts = np.bincount(mask.reshape(-1), minlength=len(names))
    shares = {name: float(count) / mask.size for name, count in zip(names, counts, strict=True)}
    return {"mask": mask, "classes": shares}


def resize_bilinear(values: NDArray[np.float32], size: tuple[int, int], *, align_corners: bool) -> NDArray[np.float32]:
    """Bilinear resize of (height, width) to `size` = (width, height), as torch's interpolate does it."""
    rows, down = _places(values.shape[0], size[1], align_corners=align_corners)
    columns, right = _places(values.shape[1], size[0], align_corners=align_corners)
    next_rows, next_columns = (np.minimum(i + 1, n - 1) for i, n in zip((rows, columns), values.shape, strict=True))
    across = values[:, columns] * (1 - right) + values[:, next_columns] * right
    return across[rows] * (1 - down[:, None]) + across[next_rows] * down[:, None]


def _places(old: int, new: int, *, align_corners: bool) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Source index and fraction of each of `new` samples along an axis of `old`."""
    if align_corners:
        places = np.arange(new, dtype=np.float32) * np.float32((old - 1) / max(new - 1, 1))
    else:
        places = np.maximum((np.arange(new, dtype=np.float32) + 0.5) * np.float32(old / new) - 0.5, 0)
    index = np.minimum(places.astype(np.int64), old - 1)
    return index, (places - index).astype(np.float32)
