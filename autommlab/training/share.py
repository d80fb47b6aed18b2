"""A trial's config shared out among the workers of a group.

The proposal's `batch_size` is the batch of one optimiser step, whatever the number of workers: each takes
`batch_size // workers` images, at least one. What does not divide is left out (5 images over 2 workers are
2 each, so 4 a step), and a batch smaller than the group grows to one image each; `readback` of the trial's
record tells the images a step that were really used. So a learning rate means the same for any number of
workers, and none is scaled: DDP averages the gradients of equal shares, and batch norm takes its statistics
over all of them. The sampler deals one shuffled sequence out in turn, so a step's images are the very ones
that a single worker would take if the batch divides; only their augmentation is drawn per worker.
"""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]


def share_of(batch_size: int, workers: int) -> int:
    """Images a step for each worker."""
    return max(1, batch_size // workers)


def shared_out(config: Config, workers: int) -> Config:
    """The config with which each worker of a group builds its Runner.

    Args:
        config: of the trial on a single worker (`runner_config`).
        workers: of the group, all with the same share.
    """
    loader = config["train_dataloader"]
    return {
        **config,
        "train_dataloader": {**loader, "batch_size": share_of(loader["batch_size"], workers)},
        "val_evaluator": [_gathered(evaluator) for evaluator in config["val_evaluator"]],
        "launcher": "pytorch",  # Ray Train has initialised the process group; mmengine takes the one that is there
        "model_wrapper_cfg": {"type": "TrialDataParallel"},
        "randomness": {**config["randomness"], "diff_rank_seed": True},
    }


def _gathered(evaluator: Config) -> Config:
    # "gpu" is mmengine's word for "over the process group", on CPUs too; "cpu" would need a disk that all nodes share.
    return {**evaluator, "collect_device": "gpu"}
