"""A trial over several workers: each one's part of the config, mmengine's DDP wrapper, batch norm over the group.

Import only after `autommlab.compat.import_toolboxes`, in a process with a process group.
"""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODEL_WRAPPERS
from timm.layers.norm_act import convert_sync_batchnorm
from torch import distributed
from torch.distributed.nn.functional import all_reduce
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

Config = dict[str, Any]


@MODEL_WRAPPERS.register_module(force=True)
class TrialDataParallel(MMDistributedDataParallel):
    """DDP for any model of the zoo, on CPUs (gloo) and GPUs (nccl)."""

    def __init__(self, module: torch.nn.Module, *, channels_last: bool = False, **_: Any) -> None:
        """Turn batch norms into synchronised ones, then wrap.

        Args:
            module: the model, on its device.
            channels_last: memory layout of convolutions, see `execution.lay_out`.
            **_: mmengine's own choice of device, which is wrong on CPUs.
        """
        on_gpu = next(module.parameters()).is_cuda
        model: Any = synchronised(module, on_gpu=on_gpu)
        if channels_last:
            model.to(memory_format=torch.channels_last)  # before DDP lays out its buckets
        super().__init__(
            model,
            device_ids=[torch.cuda.current_device()] if on_gpu else None,
            broadcast_buffers=False,  # synchronised statistics are the same everywhere
            find_unused_parameters=True,  # some of the zoo's models have parameters without a gradient
        )


def synchronised(module: torch.nn.Module, *, on_gpu: bool) -> torch.nn.Module:
    """The model with its batch norms over all workers, parameters and buffers kept.

    timm's conversion, because mmengine's and torch's lose the activation inside timm's `BatchNormAct2d`.
    """
    # A group of its own: its calls keep their order whatever order DDP's gradients become ready in.
    module = convert_sync_batchnorm(module, distributed.new_group())
    if not on_gpu:
        norms: list[Any] = [part for part in module.modules() if isinstance(part, torch.nn.SyncBatchNorm)]
        for norm in norms:
            norm.__class__ = CpuSyncBatchNorm  # same state, another forward: torch's own refuses CPU tensors
    return module


class CpuSyncBatchNorm(_BatchNorm):
    """Takes a `torch.nn.SyncBatchNorm`'s place on CPUs, where DDP refuses that class; timm's activation included."""

    process_group: Any
    drop: Any
    act: Any

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise by the statistics of all workers' shares while training, by the running ones otherwise."""
        y = self._over_the_group(x) if self.training else self._by_running_statistics(x)
        y = self.drop(y) if hasattr(self, "drop") else y
        return self.act(y) if hasattr(self, "act") else y

    def _by_running_statistics(self, x: torch.Tensor) -> torch.Tensor:
        return functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.running_mean is None, 0.0, self.eps
        )

    def _over_the_group(self, x: torch.Tensor) -> torch.Tensor:
        axes = [0, *range(2, x.dim())]
        wide = x.double()  # the variance is a small difference of large sums
        count = wide.new_full((1,), x.numel() / x.shape[1])
        sums = torch.cat([wide.sum(axes), wide.square().sum(axes), count])
        sums = all_reduce(sums, group=self.process_group)
        mean, square = (sums[:-1] / sums[-1]).chunk(2)
        variance = (square - mean.square()).clamp(min=0)
        self._remember(mean.detach(), variance.detach(), float(sums[-1]))
        scale = torch.rsqrt(variance + self.eps)
        weight = scale if self.weight is None else scale * self.weight
        bias = -mean * weight if self.bias is None else self.bias - mean * weight
        shape = (1, -1, *[1] * (x.dim() - 2))
        return x * weight.to(x.dtype).view(shape) + bias.to(x.dtype).view(shape)

    def _remember(self, mean: torch.Tensor, variance: torch.Tensor, count: float) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        factor = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), factor)
        unbiased = variance * (count / max(1.0, count - 1))
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), factor)


def images_per_worker(batch_size: int, workers: int) -> int:
    """Images a step for each worker."""
    return max(1, batch_size // workers)


def config_of_worker(config: Config, workers: int) -> Config:
    """The config with which each worker of a group builds its Runner.

    Args:
        config: of the trial on a single worker (`runner_config`).
        workers: of the group, all with the same share.
    """
    loader = config["train_dataloader"]
    return {
        **config,
        "train_dataloader": {**loader, "batch_size": images_per_worker(loader["batch_size"], workers)},
        "val_evaluator": [_gathered(evaluator) for evaluator in config["val_evaluator"]],
        "launcher": "pytorch",  # Ray Train has initialised the process group; mmengine takes the one that is there
        "model_wrapper_cfg": {"type": "TrialDataParallel"},
        "randomness": {**config["randomness"], "diff_rank_seed": True},
    }


def _gathered(evaluator: Config) -> Config:
    # "gpu" is mmengine's word for "over the process group", on CPUs too; "cpu" would need a disk that all nodes share.
    return {**evaluator, "collect_device": "gpu"}
