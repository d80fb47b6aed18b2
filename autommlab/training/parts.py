"""A batch in parts, for what does not fit into memory at once."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from autommlab.acceleration import Precision
from autommlab.training.failures import failure_status

#: What torch and the toolboxes say where an operator does not know a reduced precision.
_NO_PRECISION = re.compile(r"bfloat16|float16|'half'|\bhalf\b|autocast|scalar type|same dtype", re.IGNORECASE)

Batch = Mapping[str, Any]


def batch_size(batch: Batch) -> int:
    """Images of a batch as the toolboxes' loaders collate it."""
    return len(batch["inputs"])


def split(batch: Batch, parts: int) -> list[dict[str, Any]]:
    """The batch in so many parts, of nearly equal size, its images in order."""
    size = batch_size(batch)
    parts = min(parts, size)
    ends = [round(size * number / parts) for number in range(parts + 1)]
    return [{key: value[start:end] for key, value in batch.items()} for start, end in itertools.pairwise(ends)]


def in_parts(model: Any, wrapper: Any, batch: Batch, parts: int) -> dict[str, Any]:
    """One step of the optimiser over a batch in parts.

    The gradient is the mean over the batch's images. It equals that of the undivided batch where the loss is a mean
    over images; batch norm sees the statistics of each part, and losses divided by the number of objects weigh those
    of a part with few objects more.

    Returns:
        The figures that the model tells of its losses, their means over the batch.
    """
    if parts == 1:
        told: dict[str, Any] = model.train_step(batch, optim_wrapper=wrapper)
        return told
    pieces, total = split(batch, parts), batch_size(batch)
    means: dict[str, Any] = {}
    for number, piece in enumerate(pieces, start=1):
        fraction = batch_size(piece) / total
        with wrapper.part(fraction, is_last=number == len(pieces)):
            figures = model.train_step(piece, optim_wrapper=wrapper)
        for name, value in figures.items():
            means[name] = means.get(name, 0.0) + fraction * torch.as_tensor(value).detach()
    return means


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory did not suffice, on a GPU or not."""
    return failure_status(error) == "out-of-memory"


def lacks_precision(error: BaseException) -> bool:
    """Whether an exception says that an operator does not know the precision."""
    return isinstance(error, RuntimeError | TypeError | AssertionError) and bool(_NO_PRECISION.search(str(error)))


def next_precision(precision: Precision, kind: str) -> Precision:
    """What to compute in where an operator does not know this precision.

    mmcv's operators for GPUs know float16 but not bfloat16; those for CPUs know neither.
    """
    return "float16" if precision == "bfloat16" and kind == "cuda" else "float32"


def free_memory(gradients_of: Iterable[torch.nn.Parameter] = ()) -> None:
    """Drop gradients and give what torch keeps of the GPU's memory back, after a step that failed."""
    for parameter in gradients_of:
        parameter.grad = None
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
