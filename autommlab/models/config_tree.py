"""Changes that apply anywhere inside a model config, whatever the task.

A config is a tree of plain dicts and lists; all functions here change it in place.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

_SYNCHRONISED_NORMS = {"SyncBN", "MMSyncBN", "NaiveSyncBN"}


def dicts(node: Any) -> Iterator[dict[str, Any]]:
    """Every dict in the tree, parents before children."""
    if isinstance(node, dict):
        yield node
        for child in list(node.values()):
            yield from dicts(child)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from dicts(child)


def bare(type_name: object) -> str:
    """A class name without the scope of its registry ("mmdet.FPN" -> "FPN")."""
    return str(type_name).rsplit(".", maxsplit=1)[-1]


def parameters_of(config: dict[str, Any], scope: str) -> dict[str, Any]:
    """Arguments that the class of `config` takes with their defaults, empty if the class is unknown.

    Args:
        scope: registry scope that a `type` without a scope belongs to.
    """
    from mmengine.registry import MODELS, DefaultScope

    type_name = str(config.get("type", ""))
    own_scope = config.get("_scope_", scope)
    with DefaultScope.overwrite_default_scope(own_scope):
        found = MODELS.get(type_name if "." in type_name else f"{own_scope}.{type_name}")
    taken = inspect.signature(found).parameters if found else {}
    return {name: parameter.default for name, parameter in taken.items()}


def drop_downloads(model: dict[str, Any]) -> None:
    """Remove every initialisation that would fetch a checkpoint: it fails offline and is not chosen here."""
    for node in dicts(model):
        if isinstance(node.get("pretrained"), str):
            node["pretrained"] = None
        elif node.get("pretrained") is True:  # timm's way to ask for a download
            node["pretrained"] = False
        init = node.get("init_cfg")
        if isinstance(init, dict) and bare(init.get("type")) == "Pretrained":
            del node["init_cfg"]
        elif isinstance(init, list | tuple):
            node["init_cfg"] = [step for step in init if bare(step.get("type")) != "Pretrained"]
        if "checkpoint" in node and bare(node.get("type")) != "Pretrained":
            node.pop("checkpoint")


def use_current_scopes(model: dict[str, Any]) -> None:
    """Rename mmclassification's registry scope: some mmpose configs still use it, mmpretrain took it over."""
    for node in dicts(model):
        if str(node.get("type", "")).startswith("mmcls."):
            node["type"] = "mmpretrain." + bare(node["type"])
        if node.get("_scope_") == "mmcls":
            node["_scope_"] = "mmpretrain"


def use_local_norms(model: dict[str, Any]) -> None:
    """Replace batch norms synchronised over processes: a trial is one process, often on a CPU."""
    for node in dicts(model):
        if bare(node.get("type")) in _SYNCHRONISED_NORMS:
            node["type"] = "BN"


def train_everything(model: dict[str, Any], scope: str) -> None:
    """Undo frozen stages and frozen batch norms: without pretrained weights they would freeze noise."""
    for node in dicts(model):
        if "type" in node and bare(node["type"]) in {"BN", "BN2d"} and node.get("requires_grad") is False:
            node["requires_grad"] = True
    backbone = model.get("backbone")
    if isinstance(backbone, dict):
        backbone.pop("frozen_stages", None)  # every backbone's own default freezes nothing
        if "norm_eval" in parameters_of(backbone, scope):
            backbone["norm_eval"] = False


def set_image_size(backbone: dict[str, Any], scope: str, input_size: tuple[int, int]) -> None:
    """Tell a backbone with position embeddings the size of its images.

    Args:
        input_size: (width, height) in pixels; the toolboxes' `img_size` is (height, width).
    """
    width, height = input_size
    defaults = parameters_of(backbone, scope)
    if "img_size" in defaults:
        # TinyViT takes a pair only, LeViT one number only, the others both: the default shows which.
        one_number = width == height and isinstance(defaults["img_size"], int)
        backbone["img_size"] = height if one_number else (height, width)


def set_class_count(node: Any, classes: int) -> None:
    """Set every `num_classes` in the tree."""
    for found in dicts(node):
        if "num_classes" in found:
            found["num_classes"] = classes
