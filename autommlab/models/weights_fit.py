"""How much of a weights file a model takes, and which model of the zoo a file is of.

mmengine passes over tensors that a model does not know or has in another shape without a word.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab.common.checkpoint_loader import load_checkpoint
from autommlab.common.errors import ModelError
from autommlab.common.weights_files import Tell, fetched
from autommlab.data.records import Bag
from autommlab.models import zoo
from autommlab.models.config import build_model, model_config, reason_of
from autommlab.models.records import ModelEntry, Pretrained
from autommlab.models.weights import tensors_of
from autommlab.tasks import Task

if TYPE_CHECKING:
    from torch import Tensor

#: Least part of a model's tensors that a file must fill: a backbone does so in every task, a namesake does not.
_LEAST = 1 / 3
#: Where the models with a packaged backbone hold it.
_BACKBONE = "backbone"
#: Names of new tensors that are told one by one.
_TOLD = 4
#: Most models that are built to find the one that a file is of, and how far their parameters may be from the file's.
_TRIED, _PARAMETERS_WITHIN = 10, 0.3
#: Running figures of normalisation and others that are no parameters.
_BUFFERS = ("running_mean", "running_var", "num_batches_tracked", "relative_position_index")


@dataclass(frozen=True, slots=True)
class Fit:
    """What a model takes of a file.

    Attributes:
        taken, of: tensors of the model that the file fills, and all that it has.
        new: names of those that stay as they were made.
        offered: tensors in the file, without whole numbers.
    """

    taken: int
    of: int
    new: tuple[str, ...]
    offered: int

    def in_words(self, title: str, where: str = "file") -> str:
        """For instance "120 of 122 tensors of ResNet-18 are in the file; new: head.fc.bias, head.fc.weight"."""
        shown = ", ".join(self.new[:_TOLD]) + (f" and {len(self.new) - _TOLD} more" if len(self.new) > _TOLD else "")
        return f"{self.taken} of {self.of} tensors of {title} are in the {where}" + (f"; new: {shown}" if shown else "")


def with_fit(
    pretrained: Pretrained, entry: ModelEntry, bag: Bag, input_size: tuple[int, int], tell: Tell | None = None
) -> Pretrained:
    """The same weights with what the model takes of them; a file of the zoo is fetched for it.

    Args:
        tell: told how far a download is.

    Raises:
        ModelError: a file that was given is of another architecture, or one cannot be fetched or read.
        StorageError: there is no room for it.
    """
    if pretrained.kind == "package":
        fit = _fit_of_package(pretrained, entry, bag, input_size)
        return pretrained.model_copy(update={"fit": fit.in_words(entry.title, "package")})
    path = fetched(pretrained.source, tell) if pretrained.kind == "url" else Path(pretrained.source)
    fit = fit_of(path, entry, bag, input_size)
    told = fit.in_words(entry.title)
    if fit.taken < _LEAST * fit.of:
        if pretrained.kind == "url":  # the zoo's own, of an older version of the toolbox
            return pretrained.model_copy(update={"fit": f"only {told}"})
        raise ModelError(
            f"the weights file {pretrained.source} is of another architecture: {told} are in it with the same shape. "
            "Name its model with --model (`autommlab models list` shows all), or leave out --weights"
        )
    return pretrained.model_copy(update={"fit": told})


def _fit_of_package(pretrained: Pretrained, entry: ModelEntry, bag: Bag, input_size: tuple[int, int]) -> Fit:
    """A package brings a backbone, which the model's own initialisation loads."""
    config = model_config(
        entry, classes=bag.classes, keypoints=bag.keypoints, input_size=input_size, pretrained=pretrained
    )
    state = {n: v for n, v in build_model(config, name=entry.name).state_dict().items() if v.is_floating_point()}
    backbone = tensors_of(Path(config.model[_BACKBONE]["init_cfg"]["checkpoint"]))
    offered = {f"{_BACKBONE}.{name}": value.shape for name, value in backbone.items() if value.is_floating_point()}
    new = tuple(name for name, value in state.items() if offered.get(name) != value.shape)
    return Fit(len(state) - len(new), len(state), new, len(offered))


def fit_of(path: Path, entry: ModelEntry, bag: Bag, input_size: tuple[int, int]) -> Fit:
    """Load a file into the model and see which tensors it fills, after the conversions that the model does itself.

    Raises:
        ModelError: the model cannot be built, or the file cannot be read.
    """
    import torch
    from mmengine.runner import load_checkpoint as load_into

    from autommlab.compat import quiet_toolboxes

    offered = tensors_of(path)
    config = model_config(entry, classes=bag.classes, keypoints=bag.keypoints, input_size=input_size, pretrained=None)
    model = build_model(config, name=entry.name)
    state = {name: value for name, value in model.state_dict().items() if value.is_floating_point()}
    for value in state.values():
        value.fill_(math.nan)  # what is still no number afterwards was not in the file
    if offered:
        try:
            with quiet_toolboxes():
                load_into(model, str(path), map_location="cpu")
        except (RuntimeError, LookupError, TypeError, ValueError) as error:
            raise ModelError(f"{entry.title} cannot take the weights file {path}: {reason_of(error)}") from error
    new = tuple(name for name, value in state.items() if bool(torch.isnan(value).any()))
    return Fit(len(state) - len(new), len(state), new, sum(value.is_floating_point() for value in offered.values()))


def model_of(
    path: Path, bag: Bag, input_size: tuple[int, int], tell: Callable[[str], None] = lambda _: None
) -> tuple[ModelEntry, Fit]:
    """The model of the zoo that a weights file is of, for the dataset's task.

    Args:
        tell: told which model is tried.

    Raises:
        ModelError: none of the likely ones takes it; names the nearest.
    """
    likely = _likely(path, bag.task)
    best: tuple[float, ModelEntry, Fit] | None = None
    for number, entry in enumerate(likely, start=1):
        tell(f"which model is {path.name} of? {number} of {len(likely)}: {entry.title}")
        try:
            fit = fit_of(path, entry, bag, input_size)
        except ModelError:
            continue
        # Both ways: a small model takes all it has from a large one's file, and leaves most of the file.
        share = min(fit.taken / fit.of, fit.taken / max(1, fit.offered))
        if best is None or share > best[0]:
            best = share, entry, fit
        if share > 0.97:
            break
    if best is not None and best[0] >= _LEAST:
        return best[1], best[2]
    nearest = f"; the nearest is {best[1].title} ({best[1].name}): {best[2].in_words(best[1].title)}" if best else ""
    raise ModelError(
        f"the weights file {path} fits no {bag.task} model of the zoo{nearest}. Name its model with --model "
        "(`autommlab models list` shows all)"
    )


def _likely(path: Path, task: Task) -> Sequence[ModelEntry]:
    """First the models that the file's name or its own record tell, then those with as many parameters."""
    entries = zoo.entries(task)
    told = (path.name, _experiment(path))
    hinted = [entry for entry in entries if any(words.startswith(_stem(entry)) for words in told)]
    hinted.sort(key=lambda entry: -len(entry.name))
    wanted = _parameters(tensors_of(path)) / 1e6
    near = [e for e in entries if e.params_m and abs(e.params_m - wanted) <= _PARAMETERS_WITHIN * e.params_m]
    near.sort(key=lambda e: (round(abs((e.params_m or 0) - wanted), 3), len(e.name)))
    packaged = [entry for entry in entries if entry.packaged]
    return list(dict.fromkeys((*hinted, *packaged, *near)))[:_TRIED]


def _stem(entry: ModelEntry) -> str:
    """How the names of an entry's checkpoints begin."""
    return entry.weights_url.rpartition("/")[2].rpartition("-")[0] or entry.name


def _experiment(path: Path) -> str:
    """The name of the config that mmengine's runner trained with, "" if it is not told."""
    content: Any = load_checkpoint(path)
    meta = content.get("meta") if isinstance(content, dict) else None
    name = meta.get("experiment_name") if isinstance(meta, dict) else None
    return name if isinstance(name, str) else ""


def _parameters(tensors: dict[str, Tensor]) -> int:
    return sum(value.numel() for name, value in tensors.items() if not name.endswith(_BUFFERS))
