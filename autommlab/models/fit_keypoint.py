"""Fits an mmpose config to a bag: number of points, codec and heatmaps for the input size."""

from __future__ import annotations

import math
from typing import Any

from autommlab.common.errors import ModelError
from autommlab.models.config_tree import bare, dicts, set_image_size

_NOT_TOPDOWN = "it is not a top-down 2D estimator (one crop per object in, its points out)"
_CODECS = {"MSRAHeatmap", "UDPHeatmap", "SimCCLabel", "RegressionLabel", "IntegralRegressionLabel"}
_OTHER_HEADS = {"InternetHead", "VisPredictHead"}
_SMALLEST_SIGMA = 1.0
_OHKM_SHARE = 0.5


def fit_estimator(
    model: dict[str, Any],
    codec: Any,
    *,
    name: str,
    scope: str,
    points: int,
    input_size: tuple[int, int],
) -> dict[str, Any]:
    """Change the config of a top-down estimator in place.

    Args:
        codec: the config's own codec.
        name: of the zoo entry, for messages.
        points: key points of one object.
        input_size: (width, height) in pixels.

    Returns:
        The codec for `input_size`: heatmaps and their Gaussians keep their share of the image.

    Raises:
        ModelError: a bottom-up, 3D or multi-level model.
    """
    if bare(model.get("type")) != "TopdownPoseEstimator":
        raise ModelError(f"{name}: {bare(model.get('type'))} cannot be used, {_NOT_TOPDOWN}.")
    head = model.get("head")
    if not isinstance(codec, dict) or bare(codec.get("type")) not in _CODECS:
        kind = bare(codec.get("type")) if isinstance(codec, dict) else "a list of codecs (multi-level targets)"
        raise ModelError(f"{name}: its targets are {kind}; supported: {', '.join(sorted(_CODECS))}.")
    if not isinstance(head, dict) or bare(head.get("type")) in _OTHER_HEADS:
        raise ModelError(f"{name}: its head cannot be used, {_NOT_TOPDOWN}.")
    fitted = _fit_codec(codec, input_size)
    _fit_head(head, fitted, points, codec["input_size"])
    _fit_backbone(model["backbone"], scope, points, input_size)
    model.pop("metainfo", None)
    model["data_preprocessor"].pop("batch_augments", None)
    # Flipping doubles the time of a prediction, which the request may limit.
    model["test_cfg"] = {**(model.get("test_cfg") or {}), "flip_test": False}
    return fitted


def blur_kernel(sigma: float) -> int:
    """Odd width of the blur that decoding applies to heatmaps with Gaussians of `sigma` (mmpose's formula)."""
    width = 2 * ((sigma - 0.8) / 0.3 + 1) + 1
    return max(3, 2 * round((width - 1) / 2) + 1)


def _fit_codec(codec: dict[str, Any], input_size: tuple[int, int]) -> dict[str, Any]:
    fitted = dict(codec)
    before = codec["input_size"]
    ratio = input_size[0] / before[0]
    fitted["input_size"] = tuple(input_size)
    if "heatmap_size" in codec:
        fitted["heatmap_size"] = tuple(
            round(new * cells / old) for new, cells, old in zip(input_size, codec["heatmap_size"], before, strict=True)
        )
        if codec.get("heatmap_type") != "combined":
            fitted["sigma"] = max(_SMALLEST_SIGMA, codec.get("sigma", 2.0) * ratio)
            fitted["blur_kernel_size"] = blur_kernel(fitted["sigma"])
    elif bare(codec["type"]) == "SimCCLabel":
        # RTMPose's own widths (4.9 at 192 px, 6 at 288) grow with the root of the size.
        sigma = codec.get("sigma", 6.0)
        widths = [width * math.sqrt(ratio) for width in (sigma if isinstance(sigma, list | tuple) else [sigma])]
        fitted["sigma"] = tuple(widths) if len(widths) > 1 else widths[0]
    return fitted


def _fit_head(head: dict[str, Any], codec: dict[str, Any], points: int, size_before: tuple[int, int]) -> None:
    input_size = codec["input_size"]
    for key in ("num_joints", "num_keypoints"):
        if key in head:
            head[key] = points
    if "num_joints" not in head:
        # UDP's combined targets hold a heatmap and two offsets for each point.
        head["out_channels"] = points * (3 if codec.get("heatmap_type") == "combined" else 1)
    if "input_size" in head:
        head["input_size"] = tuple(input_size)
    if "in_featuremap_size" in head:
        head["in_featuremap_size"] = tuple(
            round(cells * new / old)
            for cells, new, old in zip(head["in_featuremap_size"], input_size, size_before, strict=True)
        )
    head["decoder"] = codec
    for node in dicts(head.get("loss")):
        _fit_loss(node, points)


def _fit_loss(node: dict[str, Any], points: int) -> None:
    if bare(node.get("type")) == "KeypointOHKMMSELoss":
        node["topk"] = max(1, min(node.get("topk", points), round(points * _OHKM_SHARE)))
    for per_point in ("mask", "mask_weight", "joint_parents"):
        node.pop(per_point, None)


def _fit_backbone(backbone: dict[str, Any], scope: str, points: int, input_size: tuple[int, int]) -> None:
    if "out_channels" in backbone and bare(backbone["type"]) == "CPM":
        backbone["out_channels"] = points
    set_image_size(backbone, scope, input_size)
