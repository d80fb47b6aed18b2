"""Fits an mmsegmentation config to a bag: class counts, losses, image size."""

from __future__ import annotations

from typing import Any

from autommlab.common.errors import ModelError
from autommlab.models.config_tree import bare, dicts, set_image_size

_SUPPORTED = {"EncoderDecoder", "CascadeEncoderDecoder"}
_OTHER_HEADS = {
    "PIDHead": "it learns from edge maps, which a bag does not hold",
    "SideAdapterCLIPHead": "it compares pixels with the text features of its benchmark's class names",
    "VPDDepthHead": "it estimates depth",
}
#: Their `out_channels` are features, not classes.
_FEATURE_HEADS = {"MaskFormerHead", "Mask2FormerHead", "KernelUpdateHead"}
#: What mmseg's loss for queries without an object weighs (arXiv 2107.06278).
_NO_OBJECT_WEIGHT = 0.1
#: PSANet's attention reaches over the whole map at stride 8.
_PSA_STRIDE = 8


def fit_segmentor(model: dict[str, Any], *, name: str, scope: str, classes: int, input_size: tuple[int, int]) -> None:
    """Change the config of a segmentor in place.

    Args:
        name: of the zoo entry, for messages.
        input_size: (width, height) in pixels.

    Raises:
        ModelError: the model needs more than images and index masks.
    """
    if bare(model.get("type")) not in _SUPPORTED:
        raise ModelError(
            f"{name}: {bare(model.get('type'))} cannot be trained on images and masks alone; "
            f"supported: {', '.join(sorted(_SUPPORTED))}."
        )
    for part in ("decode_head", "auxiliary_head"):
        for head in _as_list(model.get(part)):
            _fit_head(head, name, classes, input_size)
    set_image_size(model["backbone"], scope, input_size)
    width, height = input_size
    model["data_preprocessor"].update({"size": (height, width), "size_divisor": None, "batch_augments": None})
    model["data_preprocessor"].pop("test_cfg", None)
    model["test_cfg"] = {**(model.get("test_cfg") or {}), "mode": "whole"}
    for sliding in ("crop_size", "stride"):
        model["test_cfg"].pop(sliding, None)


def _as_list(part: Any) -> list[dict[str, Any]]:
    if part is None:
        return []
    return list(part) if isinstance(part, list | tuple) else [part]


def _fit_head(head: dict[str, Any], name: str, classes: int, input_size: tuple[int, int]) -> None:
    kind = bare(head.get("type"))
    if kind in _OTHER_HEADS:
        raise ModelError(f"{name}: its head {kind} cannot be used, {_OTHER_HEADS[kind]}.")
    for node in dicts(head):
        if "num_classes" in node:
            node["num_classes"] = classes
            if "out_channels" in node and bare(node.get("type")) not in _FEATURE_HEADS:
                node["out_channels"] = classes
            node.pop("threshold", None)  # of a single-channel binary output
        _fit_loss(node, classes)
    # Both count pixels of Cityscapes' large crops; on a bag's small ones they keep everything or nothing.
    head.pop("sampler", None)
    if "mask_size" in head:
        width, height = input_size
        head["mask_size"] = (-(-height // _PSA_STRIDE), -(-width // _PSA_STRIDE))


def _fit_loss(node: dict[str, Any], classes: int) -> None:
    """Drop the benchmark's class weights, keeping the weight of the extra class "no object"."""
    weights = node.get("class_weight")
    if weights is None:
        return
    if isinstance(weights, list | tuple) and weights[-1] == _NO_OBJECT_WEIGHT:
        node["class_weight"] = [1.0] * classes + [_NO_OBJECT_WEIGHT]
    else:
        node["class_weight"] = None
