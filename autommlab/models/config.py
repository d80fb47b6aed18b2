"""Turns a zoo entry into a model config that builds for one bag.

The toolbox's own config is the source; what depends on its benchmark (classes,
key points, image size, weights to download, several GPUs) is fitted to the bag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autommlab.common.errors import ModelError
from autommlab.compat import import_toolboxes
from autommlab.data.records import KeypointMeta
from autommlab.models import fit_classification, fit_detection, fit_keypoint, fit_segmentation
from autommlab.models.config_tree import (
    bare,
    drop_downloads,
    train_everything,
    use_current_scopes,
    use_local_norms,
)
from autommlab.models.packaged import packaged_model
from autommlab.models.records import ModelEntry, Pretrained
from autommlab.models.toolbox_config import toolbox_config
from autommlab.tasks import Task

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The model part of an OpenMMLab config, fitted to a bag.

    Attributes:
        default_scope: registry scope, the name of the toolbox.
        model: complete `model` dict with its data preprocessor (normalisation, channel order).
        codec: mmpose's target codec for the input size, None for other tasks.
        load_from: checkpoint of the whole model (path or URL) to start from, "" if none. Tensors whose
            shapes differ (the classes of its benchmark) are left at their initial values by mmengine.
    """

    default_scope: str
    model: dict[str, Any]
    codec: dict[str, Any] | None = None
    load_from: str = ""


def model_config(
    entry: ModelEntry,
    *,
    classes: Sequence[str],
    keypoints: KeypointMeta | None,
    input_size: tuple[int, int],
    pretrained: Pretrained | None,
) -> ModelConfig:
    """The model config of a zoo entry for one bag.

    On a cluster call it on the node that trains: the weights of a packaged backbone are a path in that
    node's cache.

    Args:
        classes: target classes of the bag in label order.
        keypoints: key points of the bag (needed for `Task.KEYPOINT` only).
        input_size: (width, height) in pixels.
        pretrained: initial weights; None is the same as kind "none".

    Returns:
        A config whose `model` builds with `build_model`.

    Raises:
        ModelError: the entry cannot be built for this bag: what it needs that the bag does not hold.
    """
    import_toolboxes(entry.task)
    weights = pretrained or Pretrained(kind="none")
    if entry.task is Task.KEYPOINT and not (keypoints and keypoints.names):
        raise ModelError(f"{entry.name}: a key point model needs the bag's key points, and it names none.")
    if not classes:
        raise ModelError(f"{entry.name}: a model needs at least one class, the bag has none.")
    points = len(keypoints.names) if keypoints else 0
    load_from = weights.source if weights.kind in {"file", "url"} else ""
    if entry.packaged:
        model, codec = packaged_model(
            entry.packaged,
            entry.task,
            classes=len(classes),
            points=points,
            input_size=input_size,
            pretrained=weights.kind == "package",
        )
        return ModelConfig(entry.toolbox, model, codec, load_from)
    model, codec = _from_toolbox(entry, len(classes), points, input_size)
    if weights.kind == "none":
        train_everything(model, entry.toolbox)
    return ModelConfig(entry.toolbox, model, codec, load_from)


def build_model(config: ModelConfig, *, name: str) -> nn.Module:
    """Build the model on the CPU, weights at their construction values.

    Args:
        name: of the zoo entry, for messages.

    Raises:
        ModelError: the toolbox cannot build it; the text carries the toolbox's reason.
    """
    import copy

    from mmengine.config import ConfigDict
    from mmengine.registry import MODELS, DefaultScope

    with DefaultScope.overwrite_default_scope(config.default_scope):
        try:
            return MODELS.build(ConfigDict(copy.deepcopy(config.model)))
        except Exception as error:
            raise ModelError(f"{name} cannot be built for this bag: {reason_of(error)}") from error


def reason_of(error: BaseException) -> str:
    """Type and first lines of an error of a toolbox, on one line of at most 300 characters."""
    text = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {text[:300]}"


def _from_toolbox(
    entry: ModelEntry, classes: int, points: int, input_size: tuple[int, int]
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    source = toolbox_config(entry)
    model: dict[str, Any] = source.get("model") or {}
    if not isinstance(model.get("backbone"), dict):
        raise ModelError(f"{entry.name}: {bare(model.get('type'))} has no backbone of its own that can be trained.")
    shared = source.get("data_preprocessor") or {}
    model["data_preprocessor"] = {**shared, **(model.get("data_preprocessor") or {})}
    use_current_scopes(model)
    drop_downloads(model)
    use_local_norms(model)
    common: dict[str, Any] = {"name": entry.name, "scope": entry.toolbox, "input_size": input_size}
    codec = None
    if entry.task is Task.CLASSIFICATION:
        fit_classification.fit_classifier(model, classes=classes, **common)
    elif entry.task is Task.DETECTION:
        fit_detection.fit_detector(model, classes=classes, **common)
    elif entry.task is Task.SEGMENTATION:
        fit_segmentation.fit_segmentor(model, classes=classes, **common)
    else:
        codec = fit_keypoint.fit_estimator(model, source.get("codec"), points=points, **common)
    return model, codec
