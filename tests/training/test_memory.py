"""Memory of a step: grows with batch and picture, and decides whether trials may share a GPU."""

from __future__ import annotations

import pytest

from autommlab.common.errors import TrainingError
from autommlab.tasks import Task
from autommlab.training.memory import StepMemory, step_memory, words_of_part
from autommlab.training.runner_config import TrialSetup

GB = 10**9


def test_what_an_image_needs_grows_with_its_pixels(tiny_setups: dict[Task, TrialSetup]) -> None:
    setup = tiny_setups[Task.CLASSIFICATION]
    wide = setup.choice.model_copy(update={"input_size": (128, 128)})
    small, large = step_memory(setup), step_memory(setup.model_copy(update={"choice": wide}))
    assert small.fixed == large.fixed
    assert 3 < large.an_image / small.an_image < 4.5
    assert small.fixed > 3e6 * 16  # EfficientNet-Lite0 without its classifier has 3.4 M parameters


def test_a_part_of_a_gpu_holds_so_many_images() -> None:
    memory = StepMemory(fixed=2 * GB, an_image=GB // 2, device=24 * GB)
    assert memory.images_within(6 * GB) == 8
    assert words_of_part(memory, 0.25) == (
        "0.25 of a GPU is 6.0 GB and holds 8 images a step; larger batches are split"
    )


def test_a_part_that_holds_no_image_is_refused_with_the_least_that_does() -> None:
    memory = StepMemory(fixed=2 * GB, an_image=GB // 2, device=24 * GB)
    with pytest.raises(
        TrainingError, match=r"--gpus-per-trial is 0\.1, which is 2\.4 GB .* needs 2\.5 GB.* least 0\.1"
    ):
        words_of_part(memory, 0.1)
