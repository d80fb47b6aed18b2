"""A process that trains one trial after another: it keeps nothing of the finished ones, nor their loading processes."""

from __future__ import annotations

import gc
import multiprocessing
from pathlib import Path

import pytest

from autommlab.acceleration import Acceleration
from autommlab.tasks import Task
from tests.helpers.tiny_trials import make_setup, point

#: Bytes of predictions in circles of the toolboxes' own evaluators, a few thousand a trial; a model has millions.
SMALL = 100_000


@pytest.mark.parametrize("task", [Task.CLASSIFICATION, pytest.param(Task.DETECTION, marks=pytest.mark.slow)])
def test_models_do_not_pile_up(task: Task, tiny_setups: dict, tmp_path: Path) -> None:
    """Counted without Python's search for circles, which a worker can not rely on."""
    from autommlab.training.trial import Trial

    gc.collect()
    gc.disable()
    try:
        living = []
        for number in range(3):
            trial = Trial(tiny_setups[task], point(iterations=2), tmp_path / str(number))
            while not trial.finished:
                trial.advance()
            trial.save(tmp_path)
            if number == 1:
                trial.test()
            trial.close()
            del trial
            living.append(_modules_and_bytes())
    finally:
        gc.enable()
    assert len({modules for modules, _ in living}) == 1
    assert max(size for _, size in living) < living[0][1] + SMALL


def _modules_and_bytes() -> tuple[int, int]:
    """Living modules of torch, and bytes of living tensors."""
    import torch

    found = gc.get_objects()
    modules = sum(isinstance(each, torch.nn.Module) for each in found)
    tensors = (each for each in found if type(each) in (torch.Tensor, torch.nn.Parameter))
    return modules, sum(tensor.untyped_storage().nbytes() for tensor in tensors)


def test_loading_processes_report_broken_images_and_end_with_their_trial(tmp_path: Path) -> None:
    from autommlab.training.trial import Trial

    setup = make_setup(Task.CLASSIFICATION, tmp_path, reports=1)
    for name in ("train3.png", "val1.png"):
        (setup.bag.folder / "images" / name).write_bytes(b"no picture")
    before = set(multiprocessing.active_children())
    setup = setup.model_copy(update={"acceleration": Acceleration(loading_processes=2)})
    trial = Trial(setup, point(iterations=8), tmp_path / "work")
    metrics = trial.advance()
    assert 0 <= metrics["accuracy"] <= 1
    assert len(set(multiprocessing.active_children()) - before) == 4
    assert {Path(file).name for file, _ in trial.skipped} == {"train3.png", "val1.png"}
    assert trial.execution["loading_processes"] == 2
    trial.close()
    assert set(multiprocessing.active_children()) == before


def test_an_error_of_a_loading_process_is_told_as_in_a_single_one(tmp_path: Path) -> None:
    from autommlab.training.run_once import train_whole

    setup = make_setup(Task.CLASSIFICATION, tmp_path, reports=1)
    for number in range(16):
        (setup.bag.folder / "images" / f"train{number}.png").unlink()
    setup = setup.model_copy(update={"acceleration": Acceleration(loading_processes=1)})
    record, _ = train_whole(setup, point(iterations=8))
    assert record.status == "failed"
    assert record.reason.startswith("DataError: 2 train images cannot be used, 1 may fail")
