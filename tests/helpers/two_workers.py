"""The same trial in one process and in two, with nothing random in its images, for comparison."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from autommlab.data.records import Bag
from autommlab.tasks import Task
from autommlab.training.records import Hyperparameters
from autommlab.training.runner_config import TrialSetup

POINT = Hyperparameters(
    iterations=2, batch_size=4, optimizer="SGD", lr=0.02, weight_decay=1e-4, lr_schedule="PolyLR"
)  # fmt: skip


def trained(setup: TrialSetup, work_dir: Path, workers: int = 1) -> dict[str, Any]:
    """Weights before and after the first of `POINT`'s two steps, figures after both; no random crops and flips."""
    trial = _trial(setup, work_dir, workers)
    model = trial.runner.model.module if workers > 1 else trial.runner.model
    weights, figures = [_copy(model)], []
    while not trial.finished:
        figures.append(trial.advance())
        weights.append(_copy(model))
    outcome = {
        "before": weights[0],
        "after": weights[1],
        "figures": figures,
        "readback": trial.readback,
        "config": trial.config_text(),
    }
    trial.close()
    return outcome


def _copy(model: Any) -> dict[str, Any]:
    return {name: values.detach().double().clone() for name, values in model.state_dict().items()}


def worker(rank: int, folder: Path, setups: dict[Task, TrialSetup]) -> None:
    """One of two processes: trains every set-up, then one trial that diverges on the second worker's share only.

    Leaves `TASK.pth` (first worker) and `diverged-RANK.txt`.
    """
    import torch
    from torch import distributed

    from autommlab.training.stepped import DivergedError

    torch.set_num_threads(1)
    os.environ |= {"GLOO_SOCKET_IFNAME": "lo", "LOCAL_RANK": str(rank)}  # as Ray Train sets them
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    for task, setup in setups.items():
        outcome = trained(setup, folder / f"work{rank}", workers=2)
        if rank == 0:
            torch.save(outcome, folder / f"{task.value}.pth")
    trial = _trial(setups[Task.CLASSIFICATION], folder / f"work{rank}", workers=2)
    if rank == 1:
        with torch.no_grad():
            next(trial.runner.model.module.head.parameters()).fill_(float("inf"))
    try:
        trial.advance()
    except DivergedError as error:
        (folder / f"diverged-{rank}.txt").write_text(str(error))
    distributed.destroy_process_group()


def _trial(setup: TrialSetup, work_dir: Path, workers: int) -> Any:
    from autommlab.training import data_config
    from autommlab.training.trial import Trial, prepare_toolbox

    prepare_toolbox(setup.bag.task)
    from autommlab.training.distributed.data_parallel import config_of_worker

    per_worker = partial(config_of_worker, workers=workers) if workers > 1 else None
    usual = data_config.train_transforms

    def plain(bag: Bag, input_size: tuple[int, int], codec: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Without chance: what is cropped at random is resized instead, and nothing is mirrored."""
        resized = {"type": "Resize", "scale": input_size, "keep_ratio": False, "backend": "pillow"}
        steps = [resized if step["type"] == "RandomResizedCrop" else step for step in usual(bag, input_size, codec)]
        return [step for step in steps if step["type"] != "RandomFlip"]

    data_config.train_transforms = plain
    try:
        return Trial(setup, POINT, work_dir, per_worker=per_worker)
    finally:
        data_config.train_transforms = usual
