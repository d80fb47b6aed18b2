"""How many of its tensors a model takes from weights: those of another architecture would be passed over silently."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab.common.checkpoint_loader import load_checkpoint
from autommlab.common.errors import ModelError
from autommlab.data.records import Bag
from autommlab.models.config import ModelConfig, build_model, model_config
from autommlab.models.records import ModelEntry, Pretrained

if TYPE_CHECKING:
    from torch import Tensor

#: Least part of a model's tensors that a file must fill: a backbone does so in every task, a namesake does not.
_LEAST = 1 / 3
#: Before the names of a model that was trained in parallel, and counters that say nothing of an architecture.
_PARALLEL, _COUNTER = "module.", "num_batches_tracked"
#: Where the models with a packaged backbone hold it.
_BACKBONE = "backbone"


def with_fit(pretrained: Pretrained, entry: ModelEntry, bag: Bag, input_size: tuple[int, int]) -> Pretrained:
    """The same weights with how many tensors the model takes; weights by URL are fetched for that.

    Raises:
        ModelError: they cannot be read or fetched, or the person's file is of another architecture.
    """
    config = model_config(
        entry, classes=bag.classes, keypoints=bag.keypoints, input_size=input_size, pretrained=pretrained
    )
    wanted = _shapes(build_model(config, name=entry.name).state_dict())
    offered = _shapes(_offered(config))
    taken = sum(offered.get(name) == shape for name, shape in wanted.items())
    told = f"{taken} of {len(wanted)} tensors of {entry.title}"
    if pretrained.kind == "file" and taken < _LEAST * len(wanted):
        raise ModelError(
            f"the weights file {pretrained.source} is of another architecture: {told} are in it with the same shape. "
            "Name its model with --model (`autommlab models list` shows all), or leave out --weights"
        )
    return pretrained.model_copy(update={"fit": told})


def _offered(config: ModelConfig) -> Mapping[str, Tensor]:
    """What training will load, under the names of the whole model."""
    if config.load_from:
        return tensors_of(config.load_from)
    backbone = tensors_of(config.model[_BACKBONE]["init_cfg"]["checkpoint"])
    return {f"{_BACKBONE}.{name}": value for name, value in backbone.items()}


def tensors_of(source: str | Path) -> Mapping[str, Tensor]:
    """The named tensors of a checkpoint (path or URL), under the names that mmengine's loader gives them."""
    import torch

    content: Any = load_checkpoint(source)
    if isinstance(content, Mapping):
        content = content.get("state_dict", content)
    items = content.items() if isinstance(content, Mapping) else ()
    return {str(name).removeprefix(_PARALLEL): value for name, value in items if isinstance(value, torch.Tensor)}


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in tensors.items() if not name.endswith(_COUNTER)}
