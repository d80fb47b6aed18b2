"""Trials on CUDA, for a machine that has it: `pytest -m gpu`. No machine of this project has run these tests yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from autommlab.acceleration import NO_ACCELERATION, Acceleration
from autommlab.tasks import Task, objective
from autommlab.training.memory import step_memory, words_of_part
from autommlab.training.run_once import train_whole
from tests.helpers.small_memory import let_memory_hold
from tests.helpers.tiny_trials import point

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,
    pytest.mark.skipif("not __import__('torch').cuda.is_available()", reason="needs CUDA"),
]


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("acceleration", [Acceleration(), Acceleration(precision="float16"), NO_ACCELERATION])
def test_a_trial_trains_validates_and_is_tested(task: Task, acceleration: Acceleration, tiny_setups: dict) -> None:
    record, tested = train_whole(
        tiny_setups[task].model_copy(update={"acceleration": acceleration}), point(), threads=2
    )
    assert record.status == "ok", record.reason
    assert record.execution["memory_mb"] > 0
    assert "notes" not in record.execution
    assert objective(task).name in tested


def test_a_real_lack_of_memory_becomes_micro_batches(tiny_setups: dict) -> None:
    import torch

    setup = tiny_setups[Task.CLASSIFICATION]
    wide = setup.model_copy(update={"choice": setup.choice.model_copy(update={"input_size": (512, 512)})})
    memory = step_memory(wide)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((memory.fixed + 10 * memory.an_image) / memory.device)
    try:
        record, _ = train_whole(wide, point(iterations=2, batch_size=16))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert record.status == "ok", record.reason
    assert record.execution["micro_batches"] > 1


def test_memory_is_free_again_after_a_step_that_failed(tiny_setups: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    let_memory_hold(2, monkeypatch)
    before = torch.cuda.memory_allocated()
    record, _ = train_whole(tiny_setups[Task.CLASSIFICATION], point(iterations=2, batch_size=8))
    assert record.execution["micro_batches"] == 4
    assert torch.cuda.memory_allocated() <= before + (1 << 20)


def test_the_measured_step_is_of_this_gpu(tiny_setups: dict) -> None:
    memory = step_memory(tiny_setups[Task.DETECTION])
    assert memory.device > memory.fixed > 0
    assert "images a step" in words_of_part(memory, 0.5)


def test_a_trial_goes_on_from_its_checkpoint(tiny_setups: dict, tmp_path: Path) -> None:
    from autommlab.training.trial import Trial

    setup = tiny_setups[Task.CLASSIFICATION]
    first = Trial(setup, point(), tmp_path / "a")
    first.advance()
    first.save(tmp_path)
    first.close()
    resumed = Trial(setup, point(), tmp_path / "b", resume_from=tmp_path)
    assert resumed.iteration == 4
    while not resumed.finished:
        resumed.advance()
    resumed.close()
