"""Memory of a training step, measured before several trials share a GPU."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab.cluster import TrialNeed
from autommlab.common.errors import TrainingError
from autommlab.common.placement import resource_request
from autommlab.training.failures import first_line
from autommlab.training.records import Hyperparameters
from autommlab.training.runner_config import TrialSetup

if TYPE_CHECKING:
    from autommlab.common.storage import Place

#: Images of the measured step; batch norm over 1x1 pixels refuses a single one.
_IMAGES = 2
#: Weights, gradients and two moments of Adam, 4 bytes each.
_BYTES_PER_PARAMETER = 16
#: AdamW keeps the most of the optimisers in the space; one step is all that is done.
_POINT = Hyperparameters(
    iterations=1, batch_size=_IMAGES, optimizer="AdamW", lr=1e-6, weight_decay=0.0, lr_schedule="PolyLR"
)


@dataclass(frozen=True, slots=True)
class StepMemory:
    """What a step of training needs.

    Attributes:
        fixed: bytes whatever the batch: weights, gradients, moments; on a GPU also what is not kept for long.
        an_image: bytes that each image of a batch adds: what the forward pass keeps for the backward pass.
        device: bytes of the whole GPU; 0 on a CPU.
    """

    fixed: int
    an_image: int
    device: int = 0

    def images_within(self, limit: float) -> int:
        """Images a step that fit into so many bytes; 0 = not even one."""
        return max(0, int((limit - self.fixed) // max(1, self.an_image)))


def step_memory(setup: TrialSetup, cpus: int = 1) -> StepMemory:
    """Train one step of two images here, on a GPU if there is one.

    Args:
        setup: data and model of the study.
        cpus: of this process.
    """
    import torch

    from autommlab.training.trial import Trial

    plain = setup.acceleration.model_copy(update={"micro_batches": False, "loading_processes": 0})
    if on_gpu := torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory(prefix="autommlab-memory-") as folder:
        trial = Trial(setup.model_copy(update={"acceleration": plain}), _POINT, Path(folder), cpus=cpus)
        try:
            parameters = list(trial.runner.model.parameters())
            kept = _kept_for_backward(trial, {parameter.untyped_storage().data_ptr() for parameter in parameters})
        finally:
            trial.close()
    fixed = sum(parameter.numel() for parameter in parameters) * _BYTES_PER_PARAMETER
    if not on_gpu:
        return StepMemory(fixed, kept // _IMAGES)
    most = torch.cuda.max_memory_reserved()
    whole = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    return StepMemory(max(fixed, most - kept), kept // _IMAGES, whole)


def _kept_for_backward(trial: Any, weights: set[int]) -> int:
    """Bytes that one step keeps for its backward pass, the weights themselves left out."""
    import torch

    seen: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # the tensor itself would hold the graph that holds it

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        trial.runner.train_loop.advance(1)
    return sum(seen.values())


def require_gpu_part(setup: TrialSetup, need: TrialNeed, place: Place | None = None) -> str:
    """Check before the first trial that a part of a GPU holds one.

    Args:
        setup: data and model of the study.
        need: of a trial.
        place: of the run, for nodes that do not share the driver's disk.

    Returns:
        What fits, as a sentence; "" where trials do not share a GPU.

    Raises:
        TrainingError: a single image does not fit.
    """
    if not 0 < need.gpus < 1:
        return ""
    import ray

    task = ray.remote(num_cpus=need.cpus, num_gpus=need.gpus, resources=resource_request(need.resource))(_measure)
    memory = ray.get(task.remote(setup, need, place))
    if isinstance(memory, str):
        return f"the memory of a step could not be measured ({memory}); trials split what does not fit"
    return words_of_part(memory, need.gpus)


def _measure(setup: TrialSetup, need: TrialNeed, place: Place | None) -> StepMemory | str:
    """Of the Ray task: what a step needs, or why that is not known, which is for the trials to deal with."""
    from autommlab.training.node_data import bring_bag

    try:
        bring_bag(setup.bag, place)
        return step_memory(setup, max(1, int(need.cpus)))
    except Exception as error:
        return first_line(error)


def words_of_part(memory: StepMemory, part: float) -> str:
    """What fits into a part of a GPU.

    Raises:
        TrainingError: a single image does not.
    """
    limit = memory.device * part
    images = memory.images_within(limit)
    if not images:
        least = (memory.fixed + memory.an_image) / max(1, memory.device)
        raise TrainingError(
            f"--gpus-per-trial is {part:g}, which is {limit / 1e9:.1f} GB of this GPU; one image a step needs "
            f"{(memory.fixed + memory.an_image) / 1e9:.1f} GB. Give each trial at least {least:.2f} of a GPU, choose a "
            "smaller model with --model, or another --profile"
        )
    return f"{part:g} of a GPU is {limit / 1e9:.1f} GB and holds {images} images a step; larger batches are split"
