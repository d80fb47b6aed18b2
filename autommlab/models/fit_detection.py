"""Fits an mmdetection config to a bag of boxes: class counts, no masks, image size."""

from __future__ import annotations

from typing import Any

from autommlab.common.errors import ModelError
from autommlab.models.config_tree import bare, dicts, set_image_size

_NEEDS_MASKS = "it learns from masks, which a bag of boxes does not hold"
#: What a model needs besides images and boxes.
_OTHER_MODELS = {
    **dict.fromkeys(
        ("SOLO", "SOLOv2", "CondInst", "BoxInst", "YOLACT", "PointRend", "MaskFormer", "Mask2Former", "QueryInst"),
        _NEEDS_MASKS,
    ),
    **dict.fromkeys(("PanopticFPN", "MaskScoringRCNN"), _NEEDS_MASKS),
    **dict.fromkeys(("GLIP", "GroundingDINO"), "its text encoder has to be downloaded"),
    **dict.fromkeys(("LAD", "KnowledgeDistillationSingleStageDetector"), "its teacher has to be downloaded"),
    **dict.fromkeys(("FastRCNN",), "it needs box proposals of another model"),
    **dict.fromkeys(("RPN",), "it proposes boxes without classes"),
    **dict.fromkeys(("SemiBaseDetector", "SoftTeacher"), "it learns from unlabelled images too"),
    **dict.fromkeys(("BaseReID", "CLRNet", "CrowdDet"), "it answers another question than boxes of classes"),
}
_MASK_HEADS = {"RTMDetInsHead", "RTMDetInsSepBNHead", "YOLACTHead", "CondInstBboxHead", "BoxInstBboxHead"}
#: Parts of two-stage models that only masks need.
_MASK_PARTS = (
    "mask_head", "mask_roi_extractor", "mask_iou_head", "semantic_head", "semantic_roi_extractor", "point_head",
)  # fmt: skip
_MASK_OPTIONS = ("interleaved", "mask_info_flow", "semantic_fusion")
#: Two-stage heads that do nothing without masks, and what they are then.
_WITHOUT_MASKS = {"HybridTaskCascadeRoIHead": "CascadeRoIHead", "MaskScoringRoIHead": "StandardRoIHead"}


def fit_detector(model: dict[str, Any], *, name: str, scope: str, classes: int, input_size: tuple[int, int]) -> None:
    """Change the config of a detector in place.

    Args:
        name: of the zoo entry, for messages.
        input_size: (width, height) in pixels.

    Raises:
        ModelError: the model needs more than images and boxes.
    """
    kind = bare(model.get("type"))
    if kind in _OTHER_MODELS:
        raise ModelError(f"{name}: {kind} cannot be used, {_OTHER_MODELS[kind]}.")
    if not any(part in model for part in ("bbox_head", "roi_head")):
        raise ModelError(f"{name}: {kind} has no head that finds boxes of classes.")
    masked = {bare(node.get("type")) for node in dicts(model.get("bbox_head"))} & _MASK_HEADS
    if masked:
        raise ModelError(f"{name}: its head {masked.pop()} cannot be used, {_NEEDS_MASKS}.")
    _drop_masks(model)
    for part in ("bbox_head", "roi_head"):
        if part in model:
            _set_classes(model[part], classes)
    if isinstance(model.get("rpn_head"), dict) and model["rpn_head"].get("num_classes", 1) > 1:
        model["rpn_head"]["num_classes"] = classes  # CenterNet2: the first stage knows classes too
    set_image_size(model["backbone"], scope, input_size)
    _fit_preprocessor(model)


def _drop_masks(model: dict[str, Any]) -> None:
    roi_head = model.get("roi_head")
    if isinstance(roi_head, dict):
        for part in _MASK_PARTS:
            roi_head.pop(part, None)
        for option in _MASK_OPTIONS:
            roi_head.pop(option, None)
        roi_head["type"] = _WITHOUT_MASKS.get(bare(roi_head["type"]), roi_head["type"])
    for node in dicts([model.get("train_cfg"), model.get("test_cfg")]):
        for key in ("mask_size", "mask_thr_binary", "mask_thr"):
            node.pop(key, None)


def _set_classes(head: Any, classes: int) -> None:
    for node in dicts(head):
        if "num_classes" in node:
            node["num_classes"] = classes
        weights = node.get("class_weight")
        if isinstance(weights, list | tuple):
            node["class_weight"] = None


def _fit_preprocessor(model: dict[str, Any]) -> None:
    """One fixed size: no random resizing of batches, no masks to pad."""
    preprocessor = model["data_preprocessor"]
    for key in ("batch_augments", "pad_mask", "mask_pad_value", "pad_seg", "seg_pad_value"):
        preprocessor.pop(key, None)
