"""A trial's checkpoint: everything needed to go on exactly where it stopped.

`Runner.save_checkpoint` is not used: it formats the whole config as text each
time, which costs more than a short trial's training.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank, is_main_process
from mmengine.model import is_model_wrapper

from autommlab.common.checkpoint_loader import load_checkpoint

WEIGHTS_FILE = "trial.pth"
RANDOM_STATE_FILE = "random_state.pth"


def save_progress(runner: Any, folder: Path) -> None:
    """Write weights, optimiser, schedule and random state of a trial in mid-training.

    Of several workers the first writes all, the others their random state only.
    """
    torch.save(_random_state(), folder / _random_state_file())
    if not is_main_process():
        return
    state = {
        "meta": {"iter": runner.iter, "epoch": 0, "seed": runner.seed},
        "state_dict": _bare(runner.model).state_dict(),
        "optimizer": runner.optim_wrapper.state_dict(),
        "param_schedulers": [scheduler.state_dict() for scheduler in runner.param_schedulers],
        "message_hub": {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}},
    }
    torch.save(state, folder / WEIGHTS_FILE)


def save_weights(runner: Any, folder: Path) -> None:
    """Write the weights of a finished trial, and nothing else."""
    if is_main_process():
        torch.save({"state_dict": _bare(runner.model).state_dict()}, folder / WEIGHTS_FILE)


def _bare(model: Any) -> Any:
    """The model inside a wrapper of DDP."""
    return model.module if is_model_wrapper(model) else model


def _random_state_file() -> str:
    rank = get_rank()
    return RANDOM_STATE_FILE if rank == 0 else f"{rank}-{RANDOM_STATE_FILE}"


def restore_random_state(folder: Path) -> None:
    """Set the random generators to where `save_progress` found them."""
    state = load_checkpoint(folder / _random_state_file())
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def _random_state() -> dict[str, Any]:
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": (version, list(words), gauss),
        "numpy": (
            name,
            torch.from_numpy(np.asarray(keys, dtype=np.int64)),
            position,
            has_gauss,
            float(cached),
        ),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }
