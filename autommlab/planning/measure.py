"""What training really costs here: a few steps of the chosen model on the real pictures."""

from __future__ import annotations

import itertools
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from autommlab.planning.records import Size, SizeCost
from autommlab.training.records import Hyperparameters

if TYPE_CHECKING:
    from autommlab.training.runner_config import TrialSetup
    from autommlab.training.trial import Trial

_MEGABYTE = 2**20
#: Steps are timed until so many seconds have passed, at least and at most so many of them.
_ENOUGH_S, _FEWEST_STEPS, _MOST_STEPS = 1.5, 2, 20
_VAL_BATCHES = 2
#: A machine is not taken to be busier than this.
_SLOWEST = 5.0
#: Pictures of a step.
_BATCH = 8


class Costs(NamedTuple):
    """What was measured, by input size, ascending; and the size that failed, with the first line of its error."""

    measured: tuple[SizeCost, ...]
    failed: Size | None = None
    why: str = ""


def measure_costs(setup: TrialSetup, sizes: Sequence[Size], dearest_s: float = math.inf, threads: int = 1) -> Costs:
    """Train and validate a little at each input size, in this process.

    Args:
        setup: data and model; its own input size does not count.
        sizes: ascending.
        dearest_s: after a size at which a training picture takes longer, in seconds, no larger one is tried.
        threads: of torch, as a trial has them.

    Raises:
        Exception: whatever a training may raise at the first size; a later size that fails ends the measuring.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, threads))
    costs: list[SizeCost] = []
    try:
        for size in sizes:
            try:
                costs.append(measure_cost(setup, size))
            except Exception as error:
                if not costs:
                    raise
                why = (str(error).strip() or type(error).__name__).partition("\n")[0]
                return Costs(tuple(costs), failed=size, why=why)
            if costs[-1].train_s > dearest_s:
                break
    finally:
        torch.set_num_threads(before)
    return Costs(tuple(costs))


def measure_cost(setup: TrialSetup, size: Size) -> SizeCost:
    """What a picture costs at one input size, with the threads that torch has now."""
    from autommlab.training.trial import Trial

    choice = setup.choice.model_copy(update={"input_size": size})
    point = Hyperparameters(
        iterations=_MOST_STEPS + 1,
        batch_size=_BATCH,
        optimizer="AdamW",
        lr=1e-5,
        weight_decay=1e-4,
        lr_schedule="PolyLR",
    )
    with tempfile.TemporaryDirectory(prefix="autommlab-measuring-") as scratch:
        trial = Trial(setup.model_copy(update={"choice": choice}), point, Path(scratch))
        try:
            train_s, slowdown = _training_s(trial)
            return SizeCost(
                input_size=size,
                train_s=train_s / _BATCH,
                load_s=min(_loading_s(trial), train_s) / _BATCH,
                val_s=_validation_s(trial),
                memory_mb=_memory_mb(),
                batch=_BATCH,
                slowdown=slowdown,
            )
        finally:
            trial.close()


def _training_s(trial: Trial) -> tuple[float, float]:
    """Seconds of a step, and how much of them others had of the processor.

    One step before is not timed: in it libraries choose their kernels.
    """
    loop = trial.runner.train_loop
    loop.advance(1)
    _wait()
    began, computed, steps = time.perf_counter(), time.thread_time(), 0
    while steps < _FEWEST_STEPS or (steps < _MOST_STEPS and time.perf_counter() - began < _ENOUGH_S):
        loop.advance(loop.iter + 1)
        steps += 1
    _wait()
    taken = time.perf_counter() - began
    return taken / steps, min(max(1.0, taken / max(time.thread_time() - computed, 1e-6)), _SLOWEST)


def _loading_s(trial: Trial) -> float:
    """Seconds until the loader has the next batch."""
    began = time.perf_counter()
    next(trial.runner.train_loop.dataloader_iterator)
    return time.perf_counter() - began


def _validation_s(trial: Trial) -> float:
    """Seconds per validation picture, loading included."""
    import torch

    model = trial.runner.model
    model.eval()
    images, began = 0, time.perf_counter()
    with torch.no_grad():
        for batch in itertools.islice(trial.runner.val_dataloader, _VAL_BATCHES):
            images += len(model.val_step(batch))
    _wait()
    return (time.perf_counter() - began) / max(1, images)


def _wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _memory_mb() -> float:
    import psutil
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / _MEGABYTE
    used: Any = psutil.Process().memory_info()
    return float(used.rss) / _MEGABYTE
