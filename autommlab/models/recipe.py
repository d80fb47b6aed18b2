"""The toolbox's own training recipe of a zoo entry, as a point of our search space.

This is what a practitioner would run first, and the first trial of the searcher
`default`. Nothing in here is tuned on any of our data sets.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autommlab.models.config_tree import bare
from autommlab.models.own_training import main_schedule, optimizer_of, own_training
from autommlab.models.records import ModelEntry
from autommlab.models.toolbox_config import config_path, stated_further_off, toolbox_config
from searchers.space import Configuration, IntParameter, SearchSpace

#: PyTorch's own defaults of AdamW, for new heads on the packaged pretrained backbones. Those entries have
#: no recipe of their own: the toolboxes' recipes of their heads train 12 to 210 epochs on COCO.
_PACKAGED: Configuration = {"optimizer": "AdamW", "lr": 1e-3, "weight_decay": 1e-2, "lr_schedule": "CosineAnnealingLR"}

#: Optimisers outside the space and their nearest relative inside.
_NEAREST_OPTIMIZER = {"Lamb": "AdamW", "LAMB": "AdamW", "Adan": "AdamW", "Lion": "AdamW", "Adamax": "Adam"}
_OPTIMIZERS = ("SGD", "Adam", "AdamW", "RMSprop")
_SCHEDULES = ("MultiStepLR", "CosineAnnealingLR", "StepLR", "PolyLR")
_NEAREST_SCHEDULE = {
    "CosineRestartLR": "CosineAnnealingLR",
    "OneCycleLR": "CosineAnnealingLR",
    "ExponentialLR": "StepLR",
    "LinearLR": "PolyLR",
}
#: Their names follow "GPUs x images a GPU" ("resnet50_8xb32_in1k").
_BATCH_IN_NAME = re.compile(r"(?<![0-9a-z])(\d+)xb(\d+)(?![0-9a-z])")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe inside a search space, and what was changed to get it there (sentences for the report)."""

    point: Configuration
    notes: tuple[str, ...]


def default_configuration(entry: ModelEntry, *, space: SearchSpace) -> Configuration:
    """The entry's own recipe inside `space`; see `toolbox_recipe`.

    Raises:
        ModelError: the entry's config cannot be read.
    """
    return toolbox_recipe(entry, space=space).point


def toolbox_recipe(entry: ModelEntry, *, space: SearchSpace) -> Recipe:
    """The entry's own recipe, translated into the six hyperparameters and clipped into `space`.

    Iterations are the most that the space allows, the batch is the config's batch a GPU. The learning
    rate follows the batch: in proportion for SGD (arXiv 1706.02677; the toolboxes' `auto_scale_lr`), by
    the square root for adaptive optimisers (arXiv 2205.10287).

    Raises:
        ModelError: the entry's config cannot be read.
    """
    most = {p.name: p.high for p in space.parameters if isinstance(p, IntParameter)}
    if entry.packaged:
        point: Configuration = {**_PACKAGED, "iterations": most["iterations"], "batch_size": most["batch_size"]}
        return Recipe(space.clip(point), ("PyTorch's defaults of AdamW with a cosine schedule",))
    config = toolbox_config(entry)
    notes: list[str] = []
    settings = optimizer_of(config)
    optimizer = _known(str(settings.get("type")), _OPTIMIZERS, _NEAREST_OPTIMIZER, "optimizer", "AdamW", notes)
    wanted = int((config.get("train_dataloader") or {}).get("batch_size") or most["batch_size"])
    batch = int(space.clip({**_PACKAGED, "iterations": 1, "batch_size": wanted})["batch_size"])
    stale = stated_further_off(config_path(entry), "auto_scale_lr", than_lr_of="optim_wrapper")
    base = base_batch_size(config, entry.config or entry.name, wanted, believe_name=stale)
    lr = scaled_lr(float(settings.get("lr", 1e-3)), base, batch, optimizer)
    notes.append(f"learning rate {settings.get('lr')} for a batch of {base} became {lr:.2g} for {batch}")
    schedule = _schedule(config, notes)
    own: Configuration = {
        "iterations": most["iterations"],
        "batch_size": batch,
        "optimizer": optimizer,
        "lr": lr,
        "weight_decay": float(settings.get("weight_decay", 0.0)),
        "lr_schedule": schedule,
    }
    inside = space.clip(own)
    notes += [f"{name} {own[name]} became {value}, the bound" for name, value in inside.items() if value != own[name]]
    return Recipe(inside, tuple(notes))


def recipe_in_words(entry: ModelEntry, *, space: SearchSpace) -> str:
    """What the default configuration of a zoo model is made of, for the person; "" for a packaged backbone.

    Raises:
        ModelError: the entry's config cannot be read.
    """
    own = own_training(entry)
    if own is None:
        return ""
    told = "; ".join((*toolbox_recipe(entry, space=space).notes, own.in_words()))
    return f"default configuration of {entry.title}: {told}"


def base_batch_size(config: dict[str, Any], name: str, per_gpu: int, *, believe_name: bool = False) -> int:
    """The whole batch (images) that the config's learning rate was chosen for.

    Args:
        config: whole.
        name: of the config, which may tell GPUs and images a GPU.
        per_gpu: images a GPU, where nothing else is told.
        believe_name: whether the name is right where `auto_scale_lr` says something else. It is where a config sets a
            learning rate of its own and inherits `auto_scale_lr` from the file whose rate it replaced (all RTMDets).
    """
    stated = (config.get("auto_scale_lr") or {}).get("base_batch_size")
    found = _BATCH_IN_NAME.search(name.lower())
    in_name = int(found[1]) * int(found[2]) if found else None
    if in_name is not None and (believe_name or not stated):
        return in_name
    return int(stated or per_gpu)


def scaled_lr(lr: float, base_batch: int, batch: int, optimizer: str) -> float:
    """The learning rate for another batch size: linear for SGD, square root for adaptive optimisers."""
    ratio = batch / base_batch
    return lr * (ratio if optimizer == "SGD" else math.sqrt(ratio))


def _schedule(config: dict[str, Any], notes: list[str]) -> str:
    main = main_schedule(config)
    name = bare(main["type"]) if main else "none"
    return _known(name, _SCHEDULES, _NEAREST_SCHEDULE, "schedule", "MultiStepLR", notes)


def _known(
    name: str, known: Sequence[str], nearest: dict[str, str], what: str, otherwise: str, notes: list[str]
) -> str:
    if bare(name) in known:
        return bare(name)
    taken = nearest.get(bare(name), otherwise)
    notes.append(f"{what} {bare(name)} is not in the space: {taken} instead")
    return taken
