"""Repairs that let the pinned toolboxes work together, and silence for their chatter. The only place for them.

Call `import_toolboxes` (or `apply_repairs`) before anything of OpenMMLab is
imported. Each repair has a test that fails once the repair is no longer needed.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import io
import logging
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from autommlab.common.quick_imports import without_collector
from autommlab.tasks import Task

TOOLBOX_OF_TASK = {
    Task.CLASSIFICATION: "mmpretrain",
    Task.DETECTION: "mmdet",
    Task.SEGMENTATION: "mmseg",
    Task.KEYPOINT: "mmpose",
}


@dataclass(frozen=True, slots=True)
class Repair:
    """One repair: its name, the reason for it, and what it does.

    `toolbox`: applied once that toolbox is imported; "" = before anything is.
    """

    name: str
    reason: str
    apply: Callable[[], None]
    toolbox: str = ""


#: Modules of toolboxes that only models and data outside of our zoo use, with the names that others import from them.
_MULTIMODAL = {
    "mmpretrain.models.multimodal": (),
    "mmpretrain.models.utils.huggingface": (
        "no_load_hf_pretrained_model",
        "register_hf_model",
        "register_hf_tokenizer",
    ),
    "mmpretrain.models.utils.tokenizer": ("Blip2Tokenizer", "BlipTokenizer", "FullTokenizer", "OFATokenizer"),
}
_LANES: dict[str, tuple[str, ...]] = {
    "mmdet.datasets.transforms.generate_line": ("ImageAug", "LinesToArray", "PackLineDetectionInputs")
}
#: Libraries that toolboxes import where they find them, and that nothing needs which we train: mmengine's Adafactor,
#: mmdet's BERT, the interpolation of its tracking, and its artificial noise.
_DISPENSABLE = ("transformers", "sklearn", "imagecorruptions")


def _leave_out(modules: dict[str, tuple[str, ...]]) -> None:
    for name, contents in modules.items():
        empty = types.ModuleType(name, "Left out by autommlab.compat.")
        empty.__dict__.update(dict.fromkeys(contents))
        sys.modules.setdefault(name, empty)


@contextlib.contextmanager
def light_imports() -> Iterator[None]:
    """Inside the block, toolboxes do without the libraries that they can do without: a third of a worker's start.

    Whatever imports mmengine's optimisers or a toolbox first in a process has to do it in such a block.
    """
    hidden = [name for name in _DISPENSABLE if name not in sys.modules]
    # None is Python's own mark: the import fails.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def _mixture_when_needed() -> None:
    class Mixture:
        """Stands in for the module `sklearn.mixture`."""

        def __getattr__(self, name: str) -> Any:
            return getattr(importlib.import_module("sklearn.mixture"), name)

    paa: Any = importlib.import_module("mmdet.models.dense_heads.paa_head")
    paa.skm = paa.skm or Mixture()


def _export_by_tracing() -> None:
    import torch

    if getattr(torch.onnx.export, "by_tracing", False):
        return
    exported = torch.onnx.export

    @functools.wraps(exported)
    def by_tracing(*args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("dynamo", False)
        return exported(*args, **kwargs)

    by_tracing.by_tracing = True  # type: ignore[attr-defined]
    torch.onnx.export = by_tracing


def _give_back_cast_long() -> None:
    # By its full name: the attribute of torch.onnx is another, internal module.
    operators: Any = importlib.import_module("torch.onnx.symbolic_opset9")
    if hasattr(operators, "_cast_Long"):
        return

    def cast_long(graph: Any, value: Any, _non_blocking: bool) -> Any:
        int64 = 7  # onnx.TensorProto.INT64
        return graph.op("Cast", value, to_i=int64)

    operators._cast_Long = cast_long


def _ssd_without_loss_cls() -> None:
    dense_heads: Any = importlib.import_module("mmdet.models.dense_heads")
    dense_heads.SSDHead.loss_cls = None


def _read_tensors_only() -> None:
    from autommlab.common.checkpoint_loader import load_checkpoint

    # By its full name: `mmengine.runner.checkpoint` is imported for its classes as well.
    reading: Any = importlib.import_module("mmengine.runner.checkpoint")

    def load_plain(filename: str, map_location: Any = None) -> Any:
        return load_checkpoint(filename, map_location)

    def safe_load(file: Any, map_location: Any = None, weights_only: bool | None = None) -> Any:
        return load_checkpoint(file, map_location)

    # One scheme that matches every name, in place of those for URLs, S3 and model hubs.
    reading.CheckpointLoader._schemes = {"": load_plain}
    reading._safe_torch_load = safe_load


def _give_static_methods_back() -> None:
    rewriters: Any = importlib.import_module("mmdeploy.core.rewriters.function_rewriter")
    rewriter = rewriters.FunctionRewriter
    enter, leave = rewriter.enter, rewriter.exit
    if getattr(leave, "gives_static_methods_back", False):
        return
    kept: list[tuple[type, str, staticmethod[Any, Any]]] = []

    def entering(self: Any, cfg: Any = None, env: Any = None, **options: Any) -> Any:
        kept.clear()
        for path, _ in self._registry.get_records(env or {}):
            with contextlib.suppress(Exception):  # a rewrite for a package that is not installed
                owner, name = rewriters.import_function(path)[1], path.split(".")[-1]
                method = inspect.getattr_static(owner, name)
                if isinstance(owner, type) and isinstance(method, staticmethod):
                    kept.append((owner, name, method))
        return enter(self, cfg or {}, env or {}, **options)

    def leaving(self: Any) -> None:
        leave(self)
        for owner, name, method in kept:
            setattr(owner, name, method)

    leaving.gives_static_methods_back = True  # type: ignore[attr-defined]
    rewriter.enter, rewriter.exit = entering, leaving


REPAIRS = (
    Repair(
        "mmpretrain-multimodal",
        "mmpretrain.models.multimodal subclasses classes that transformers 5 no longer has; we do not use it, "
        "and leaving it out makes a worker start seconds faster",
        functools.partial(_leave_out, _MULTIMODAL),
    ),
    Repair(
        "mmdet-lanes",
        "mmdet's transforms for lanes import imgaug and with it numba; we do not use them",
        functools.partial(_leave_out, _LANES),
    ),
    Repair(
        "checkpoints-as-tensors",
        "mmengine reads a checkpoint that is no plain tensors a second time with weights_only=False, which runs "
        "what is pickled in it; and it fetches from any host",
        _read_tensors_only,
    ),
    Repair(
        "onnx-by-tracing",
        "torch.onnx.export defaults to the dynamo exporter, to which MMDeploy's rewrites do not apply",
        _export_by_tracing,
    ),
    Repair(
        "onnx-cast-long",
        "MMDeploy's RoIAlign (two-stage detectors) imports _cast_Long from torch.onnx, which torch 2.13 dropped",
        _give_back_cast_long,
    ),
    Repair(
        "ssd-loss-cls",
        "mmdet asks every anchor head for `loss_cls` when it predicts; SSDHead has none",
        _ssd_without_loss_cls,
        toolbox="mmdet",
    ),
    Repair(
        "paa-mixture",
        "PAA finds no sklearn in `light_imports`",
        _mixture_when_needed,
        toolbox="mmdet",
    ),
    Repair(
        "mmdeploy-static-methods",
        "MMDeploy puts static methods that it rewrote for an export back as plain ones; a Swin that is "
        "verified after its export then fails",
        _give_static_methods_back,
        toolbox="mmdeploy",
    ),
)


@functools.cache
def apply_repairs(toolbox: str = "") -> None:
    """Apply the repairs that follow the import of `toolbox`, by default those before any, once per process."""
    for repair in REPAIRS:
        if repair.toolbox == toolbox:
            repair.apply()


@functools.cache
def import_toolboxes(*tasks: Task) -> None:
    """Import the toolboxes of these tasks (default: all) with repairs, filling mmengine's registries.

    mmpretrain always comes along: its `TIMMBackbone` carries the packaged backbones into every task.
    Takes 5 to 20 s in a fresh process.
    """
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), light_imports(), without_collector():
        warnings.simplefilter("ignore")
        apply_repairs()
        for toolbox in {"mmpretrain": None, **{TOOLBOX_OF_TASK[t]: None for t in tasks or Task}}:
            for part in ("models", "datasets", "evaluation"):
                importlib.import_module(f"{toolbox}.{part}")
            apply_repairs(toolbox)
    _logger_of_errors().setLevel(logging.ERROR)
    for module in (r"mm(engine|cv|pretrain|det|seg|pose|deploy)\b", r"torch\b", r"timm\b"):
        warnings.filterwarnings("ignore", category=UserWarning, module=module)  # advice to developers, not to users


def _logger_of_errors() -> logging.Logger:
    """The logger of mmengine; one that is made here tells only errors, as pages of INFO come on every model built."""
    from mmengine.logging import MMLogger

    if not MMLogger.check_instance_created("mmengine"):
        MMLogger.get_instance("mmengine", log_level="ERROR")
    logger: logging.Logger = MMLogger.get_instance("mmengine")
    return logger


@contextlib.contextmanager
def quiet_toolboxes() -> Iterator[None]:
    """Inside the block: nothing on standard output, and loggers of OpenMMLab only tell errors."""
    from mmengine.logging import MMLogger

    _logger_of_errors()
    loggers = [logging.getLogger("mmdeploy"), MMLogger.get_current_instance()]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
