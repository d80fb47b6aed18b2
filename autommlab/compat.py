"""Repairs that let the pinned toolboxes work together. The only place for them.

Call `import_toolboxes` (or `apply_repairs`) before anything of OpenMMLab is
imported. Each repair has a test that fails once the repair is no longer needed.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import os
import sys
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autommlab.tasks import Task

TOOLBOX_OF_TASK = {
    Task.CLASSIFICATION: "mmpretrain",
    Task.DETECTION: "mmdet",
    Task.SEGMENTATION: "mmseg",
    Task.KEYPOINT: "mmpose",
}


@dataclass(frozen=True, slots=True)
class Repair:
    """One repair: its name, the reason for it, and what it does."""

    name: str
    reason: str
    apply: Callable[[], None]


def _leave_out_multimodal() -> None:
    name = "mmpretrain.models.multimodal"
    sys.modules.setdefault(name, types.ModuleType(name, "Left out by autommlab.compat."))


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


REPAIRS = (
    Repair(
        "mmpretrain-multimodal",
        "mmpretrain.models.multimodal subclasses classes that transformers 5 no longer has; we do not use it, "
        "and leaving it out makes a worker start seconds faster",
        _leave_out_multimodal,
    ),
    Repair(
        "onnx-by-tracing",
        "torch.onnx.export defaults to the dynamo exporter, to which MMDeploy's rewrites do not apply",
        _export_by_tracing,
    ),
)

#: Set before Ray starts. The `uv run` hook would re-create the environment in every worker, and a
#: usage report has nowhere to go on a machine without internet.
RAY_ENVIRONMENT = {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "RAY_USAGE_STATS_ENABLED": "0"}


def prepare_ray_environment() -> None:
    """Environment variables that Ray reads when it is imported; what is already set stays."""
    for name, value in RAY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)


@functools.cache
def apply_repairs() -> None:
    """Apply all repairs, once per process."""
    for repair in REPAIRS:
        repair.apply()


@functools.cache
def import_toolboxes(*tasks: Task) -> None:
    """Import the toolboxes of these tasks (default: all) with repairs, filling mmengine's registries.

    mmpretrain always comes along: its `TIMMBackbone` carries the packaged backbones into every task.
    Takes 5 to 20 s in a fresh process.
    """
    apply_repairs()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for toolbox in {"mmpretrain": None, **{TOOLBOX_OF_TASK[t]: None for t in tasks or Task}}:
            for part in ("models", "datasets", "evaluation"):
                importlib.import_module(f"{toolbox}.{part}")
    from mmengine.logging import MMLogger

    MMLogger.get_instance("mmengine", log_level="ERROR")  # pages of INFO otherwise, on every model built
