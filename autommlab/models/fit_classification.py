"""Fits an mmpretrain config to a bag: class counts, losses, image size."""

from __future__ import annotations

from typing import Any

from autommlab.common.errors import ModelError
from autommlab.models.config_tree import bare, dicts, set_class_count, set_image_size

#: Several labels an image, or an embedding instead of classes.
_OTHER_HEADS = {"MultiLabelClsHead", "MultiLabelLinearClsHead", "CSRAClsHead", "ArcFaceClsHead"}

#: Heads with a second branch for a teacher's answers; the toolbox can only predict with it, not train.
_DISTILLED_HEADS = {"LeViTClsHead", "EfficientFormerClsHead"}


def fit_classifier(model: dict[str, Any], *, name: str, scope: str, classes: int, input_size: tuple[int, int]) -> None:
    """Change the config of a classifier in place.

    Args:
        name: of the zoo entry, for messages.
        input_size: (width, height) in pixels.

    Raises:
        ModelError: not a single-label classifier.
    """
    head = model.get("head")
    if bare(model.get("type")) != "ImageClassifier":
        raise ModelError(f"{name}: {bare(model.get('type'))} is not an image classifier (ImageClassifier).")
    if not isinstance(head, dict) or bare(head.get("type")) in _OTHER_HEADS:
        kind = bare(head.get("type")) if isinstance(head, dict) else "no head"
        raise ModelError(f"{name}: it has {kind}; a head with one label an image is needed.")
    _fit_head(head, classes)
    backbone = model["backbone"]
    if bare(head["type"]) == "ClsHead" and backbone.get("num_classes", -1) > 0:
        backbone["num_classes"] = classes  # VGG, AlexNet: the classifier is part of the backbone
    set_image_size(backbone, scope, input_size)
    _pad_small_windows(backbone)
    _fit_preprocessor(model, classes)


def topk(classes: int) -> tuple[int, ...]:
    """Which top-k accuracies make sense: top 5 needs at least 5 classes."""
    return (1, 5) if classes >= 5 else (1,)


def _fit_head(head: dict[str, Any], classes: int) -> None:
    set_class_count(head, classes)
    if bare(head["type"]) != "ClsHead":
        head["num_classes"] = classes
    head["topk"] = topk(classes)
    if bare(head["type"]) in _DISTILLED_HEADS:
        head["distillation"] = False
    loss = head.get("loss", {})
    if loss.get("use_sigmoid") or loss.get("use_soft"):
        # Both want the soft labels of batch mixing, which is taken out below.
        head["loss"] = {"type": "CrossEntropyLoss", "loss_weight": loss.get("loss_weight", 1.0)}
    for node in dicts(head):
        if bare(node.get("type")) == "LabelSmoothLoss":
            node["num_classes"] = classes
            node.pop("class_weight", None)


def _fit_preprocessor(model: dict[str, Any], classes: int) -> None:
    """Without Mixup and CutMix: they regularise hundreds of epochs, and a study's budget has a few."""
    preprocessor = model["data_preprocessor"]
    preprocessor.setdefault("type", "ClsDataPreprocessor")
    preprocessor["num_classes"] = classes
    preprocessor.pop("to_onehot", None)
    preprocessor.pop("batch_augments", None)
    model["train_cfg"] = None


def _pad_small_windows(backbone: dict[str, Any]) -> None:
    if bare(backbone["type"]) in {"SwinTransformer", "SwinTransformerV2"}:
        backbone["pad_small_map"] = True
