"""How a trial runs on the device that it finds: looked up, put into its config, and read back for its record.

Import only after `autommlab.compat.import_toolboxes`.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from mmengine.model import is_model_wrapper

from autommlab.acceleration import PREFETCHED_BATCHES, Execution, TrialDevice

Config = dict[str, Any]

#: Optimisers of the search space for which torch has a fused kernel.
_FUSED = ("SGD", "Adam", "AdamW")
#: Arguments of mmengine's `AmpOptimWrapper` alone.
_OF_AMP = ("dtype", "loss_scale", "use_fsdp")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - its size is asked for, nothing is written


def device_here(cpus: int) -> TrialDevice:
    """The device of this process.

    Args:
        cpus: that it may use.
    """
    free = os.statvfs(_SHARED_MEMORY)
    shared = free.f_bavail * free.f_frsize
    if not torch.cuda.is_available():
        return TrialDevice(cpus=cpus, shared_memory=shared)
    return TrialDevice(
        kind="cuda",
        bfloat16=torch.cuda.is_bf16_supported(including_emulation=False),
        cpus=cpus,
        shared_memory=shared,
        name=torch.cuda.get_device_name(),
    )


def batch_bytes(config: Config, input_size: tuple[int, int]) -> int:
    """Of the pictures of a training batch, 3 bytes a pixel, as loading processes hand it over."""
    width, height = input_size
    return int(config["train_dataloader"]["batch_size"]) * width * height * 3


def with_execution(config: Config, execution: Execution) -> Config:
    """A trial's config (`runner_config`) as it runs on a device."""
    return {
        **config,
        **{name: loading(config[name], execution) for name in ("train_dataloader", "val_dataloader")},
        "optim_wrapper": _optim_wrapper(config["optim_wrapper"], execution),
        "train_cfg": {**config["train_cfg"], "micro_batches": execution.micro_batches},
        "val_cfg": {"type": "TrialValLoop", "precision": execution.precision},
        "test_cfg": {"type": "TrialTestLoop"},
        "env_cfg": {
            **config["env_cfg"],
            "cudnn_benchmark": execution.cudnn_benchmark or config["env_cfg"]["cudnn_benchmark"],
        },
        **_wrapper(config, execution),
    }


def _optim_wrapper(wrapper: Config, execution: Execution) -> Config:
    """Ours in place of mmengine's two, with what the config says of them."""
    optimizer = wrapper["optimizer"]
    fused = {"fused": True} if execution.fused_optimizer and optimizer["type"] in _FUSED else {}
    kept = {name: value for name, value in wrapper.items() if name not in _OF_AMP}
    precision = execution.precision
    if wrapper.get("type") == "AmpOptimWrapper":
        precision = wrapper.get("dtype") or "float16"
    return {**kept, "type": "TrialOptimWrapper", "precision": precision, "optimizer": {**optimizer, **fused}}


def _wrapper(config: Config, execution: Execution) -> Config:
    """Of the model, in a trial over several workers."""
    wrapper = config.get("model_wrapper_cfg")
    return {"model_wrapper_cfg": {**wrapper, "channels_last": execution.channels_last}} if wrapper else {}


def loading(loader: Config, execution: Execution) -> Config:
    """A loader's config with the loading processes of a device."""
    processes = loader["num_workers"] or execution.loading_processes
    pinned = {"pin_memory": True} if execution.kind == "cuda" else {}
    if not processes:
        return {**loader, **pinned}
    return {
        **loader,
        **pinned,
        "num_workers": processes,
        "persistent_workers": True,
        "prefetch_factor": PREFETCHED_BATCHES,
        # Else each loading process would slowly copy the list of all samples by counting references to it.
        "dataset": {**loader["dataset"], "serialize_data": True},
    }


def end_loading(loader: Any) -> None:
    """End a loader's processes now rather than when Python comes to free it."""
    iterator = getattr(loader, "_iterator", None)
    if iterator is not None:
        iterator._shutdown_workers()


def lay_out(model: torch.nn.Module, execution: Execution) -> None:
    """Convolutions in the memory layout that is fast on this device; a model over several workers has it already.

    On a CPU, trials of EfficientNet-Lite and ResNet-18 take 10 to 35 % less time so, in all four tasks.
    """
    if execution.channels_last and not is_model_wrapper(model):
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs leave it out


def execution_told(runner: Any, execution: Execution) -> dict[str, Any]:
    """How a trial has run so far, for its record: the settings, and what had to be changed."""
    train, val = runner.train_loop, runner.val_loop
    told = {
        "device": execution.device,
        "precision": runner.optim_wrapper.precision,
        "loading_processes": train.dataloader.num_workers,
        "micro_batches": train.parts,
    }
    if execution.kind == "cuda":
        told["memory_mb"] = torch.cuda.max_memory_reserved() >> 20
    notes = list(train.notes)
    if val.precision != execution.precision:
        notes.append(f"validates in {val.precision}: the model does not predict in {execution.precision}")
    if notes:
        told["notes"] = notes
    return told


def use_part(cpus: float, gpus: float) -> int:
    """Keep this process to its part of the machine.

    Args:
        cpus, gpus: that Ray has given it.

    Returns:
        CPUs that it may use, at least 1.
    """
    threads = max(1, int(cpus))
    torch.set_num_threads(threads)
    if 0 < gpus < 1 and torch.cuda.is_available():
        # Beyond it this process runs out of memory and splits its batch, not the one that shares its GPU.
        torch.cuda.set_per_process_memory_fraction(gpus)
    return threads
