"""Counts parameters and FLOPs of the zoo's models, since most metafiles do not say them.

Each config is built on torch's meta device: shapes without memory or arithmetic, a fraction of a
second a model. FLOPs are multiply-adds of one forward pass at the entry's input size, as the
toolboxes count; models whose forward pass depends on values (two-stage detectors) have none.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from autommlab.common.errors import ModelError, StorageError
from autommlab.models.index import index_folder
from autommlab.models.records import ModelEntry
from autommlab.tasks import Task

COUNTED_FILE = Path(__file__).with_name("counted.json.gz")


#: What the toolboxes raise for configs that the installed packages cannot build or run.
_CANNOT_RUN = (RuntimeError, LookupError, TypeError, ValueError, AttributeError, AssertionError)
_CANNOT_BUILD = (*_CANNOT_RUN, ImportError, OSError)


class Counted(NamedTuple):
    """Millions of parameters and GFLOPs of a model with its benchmark's classes; None: keep the index's."""

    params_m: float
    flops_g: float | None


def entry_key(entry: ModelEntry) -> str:
    """Names are unique in a task only."""
    return f"{entry.task}/{entry.name}"


def read_counted(path: Path = COUNTED_FILE) -> dict[str, Counted]:
    """The committed counts by `entry_key`; empty where the file is missing."""
    if not path.is_file():
        return {}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return {key: Counted(*figures) for key, figures in json.load(file).items()}


def write_counted(counted: dict[str, Counted], path: Path = COUNTED_FILE) -> None:
    """Write the counts, byte for byte the same for the same content.

    Raises:
        StorageError: the package's folder cannot be written.
    """
    text = json.dumps(dict(sorted(counted.items())), separators=(",", ":"))
    try:
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; install from a writable folder") from error


def with_counted(entry: ModelEntry, counted: dict[str, Counted]) -> ModelEntry:
    """The entry with counted figures before the index's own: a few of those are wrong (ResNet-34 with 2.2 M)."""
    found = counted.get(entry_key(entry))
    if found is None:
        return entry
    flops_g = entry.flops_g if found.flops_g is None else found.flops_g
    return entry.model_copy(update={"params_m": found.params_m, "flops_g": flops_g})


def count_all(
    entries: Iterable[ModelEntry], failed: Callable[[ModelEntry, str], None] | None = None
) -> dict[str, Counted]:
    """Count every entry that has a config. About 0.3 s a model; imports the toolboxes.

    Args:
        entries: of any tasks.
        failed: told each entry that cannot be built and why; it keeps the index's figures.
    """
    counted: dict[str, Counted] = {}
    for entry in entries:
        if not entry.config:
            continue
        try:
            counted[entry_key(entry)] = count_model(entry)
        except ModelError as error:
            if failed:
                failed(entry, str(error))
    return counted


def count_model(entry: ModelEntry) -> Counted:
    """Build one entry's own config on the meta device; FLOPs only where the entry has none.

    Raises:
        ModelError: the config cannot be built with the installed packages.
    """
    model = _build(entry)
    params_m = round(sum(parameter.numel() for parameter in model.parameters()) / 1e6, 4)
    return Counted(params_m, _flops(model, entry) if entry.flops_g is None else None)


def _build(entry: ModelEntry) -> Any:
    import importlib

    import torch
    from mmengine.config import Config
    from mmengine.logging import MMLogger
    from mmengine.registry import DefaultScope
    from torch.overrides import TorchFunctionMode

    from autommlab.compat import import_toolboxes

    class RatesOnCpu(TorchFunctionMode):
        """Stochastic-depth rates are read back as numbers, which meta tensors do not hold."""

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            chosen = {"device": "cpu"} if func is torch.linspace else {}
            return func(*args, **{**(kwargs or {}), **chosen})

    import_toolboxes(entry.task)
    MMLogger.get_current_instance().setLevel("ERROR")
    registry = importlib.import_module(f"{entry.toolbox}.registry").MODELS
    config = Config.fromfile(index_folder(entry.toolbox) / entry.config)
    try:
        with DefaultScope.overwrite_default_scope(entry.toolbox), torch.device("meta"), RatesOnCpu():
            return registry.build(config.model).eval()
    except _CANNOT_BUILD as error:
        raise ModelError(f"{entry.name} cannot be built: {type(error).__name__}: {error}") from error


def _flops(model: Any, entry: ModelEntry) -> float | None:
    """GFLOPs of a forward pass on shapes; None where the pass needs real values or real weights."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    if entry.input_size is None:
        return None
    width, height = entry.input_size
    if entry.task is Task.DETECTION:
        # Feature pyramids add maps of two strides: the pipelines pad to a multiple of the largest.
        width, height = (-(-side // 32) * 32 for side in (width, height))
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), counter, torch.device("meta"):
            model(torch.empty(1, 3, height, width, device="meta"), None, mode="tensor")
    except _CANNOT_RUN:
        return None
    multiply_adds = counter.get_total_flops() / 2
    return round(multiply_adds / 1e9, 4) if multiply_adds else None
