"""One trial: trains, reports, diverges, resumes exactly."""

from pathlib import Path

import numpy as np
import pytest

from autommlab.tasks import Task
from autommlab.training.config_file import write_config
from autommlab.training.records import TrialRecord
from tests.helpers.tiny_trials import make_setup, point

#: mmdet rounds its figures to a thousandth, mmseg to a hundredth of a percent.
ROUNDED = {Task.DETECTION: 5.1e-4, Task.SEGMENTATION: 5.1e-5}


@pytest.mark.parametrize(
    ("iterations", "reports", "expected"), [(8, 2, [4, 8]), (10, 3, [3, 7, 10]), (2, 3, [1, 2]), (1, 5, [1])]
)
def test_reports_are_evenly_spaced_and_end_with_the_training(iterations: int, reports: int, expected: list) -> None:
    from autommlab.training.trial import next_report

    seen = [0]
    while seen[-1] < iterations:
        seen.append(next_report(seen[-1], iterations, reports))
    assert seen[1:] == expected


@pytest.mark.parametrize("task", list(Task))
def test_a_trial_reports_fractions_and_is_measured_again_on_test(task: Task, tiny_setups: dict, tmp_path: Path) -> None:
    from autommlab.tasks import objective
    from autommlab.training.evaluated import evaluated
    from autommlab.training.resampling import TRIAL_RESAMPLES
    from autommlab.training.trial import Trial, evaluate

    trial = Trial(tiny_setups[task], point(), tmp_path / "work")
    seen = []
    while not trial.finished:
        metrics = trial.advance()
        seen.append(trial.iteration)
        assert 0 <= metrics[objective(task).name] <= 1
    trial.save(tmp_path)
    write_config(tmp_path / "config.py", trial.config_text())
    with evaluated(trial.runner.test_evaluator) as kept:
        tested = trial.test()
    trial.close()
    assert seen == [4, 8]
    assert objective(task).name in tested
    again = evaluate(tmp_path / "config.py", tmp_path / "trial.pth", task)
    assert again.figures == pytest.approx(tested)
    assert again.intervals.keys() == tested.keys()
    assert all(one.low <= tested[name] <= one.high and one.pictures == 8 for name, one in again.intervals.items())
    assert len(trial.resampled) == TRIAL_RESAMPLES
    assert min(trial.resampled) <= metrics[objective(task).name] <= max(trial.resampled)
    statistics = kept.statistics(task)
    assert statistics is not None
    found = {name: float(value[0]) for name, value in statistics.figures(np.ones((1, statistics.pictures))).items()}
    assert found == pytest.approx(tested, abs=ROUNDED.get(task, 1e-6))


def test_a_training_that_sees_val_is_not_validated(tiny_setups: dict, tmp_path: Path) -> None:
    """What its configuration reached in cross-validation stands for the figures of val."""
    from autommlab.data.folds import with_val_in_train
    from autommlab.training.trial import Trial

    setup = tiny_setups[Task.CLASSIFICATION]
    known = {"bag": with_val_in_train(setup.bag), "val_figures": {"accuracy": 0.625}}
    trial = Trial(setup.model_copy(update=known), point(), tmp_path / "work")

    def validates() -> None:
        raise AssertionError("val was looked at")

    trial.runner.val_loop.run = validates
    assert len(trial.runner.train_loop.dataloader.dataset) == 16 + 8
    figures = [trial.advance(), trial.advance()]
    assert figures == [{"accuracy": 0.625}] * 2
    assert trial.finished
    assert trial.resampled == ()
    trial.save(tmp_path)
    assert (tmp_path / "trial.pth").exists()
    trial.close()


def test_a_detector_learns_from_images_without_an_object(tmp_path: Path) -> None:
    """Also where a whole batch shows none."""
    import json

    from autommlab.training.trial import Trial

    setup = make_setup(Task.DETECTION, tmp_path)
    file = setup.bag.annotation_file("train")
    content = json.loads(file.read_text())
    kept = content["images"][0]["id"]
    content["annotations"] = [one for one in content["annotations"] if one["image_id"] == kept]
    file.write_text(json.dumps(content))
    trial = Trial(setup, point(iterations=4), tmp_path / "work")
    assert len(trial.runner.train_loop.dataloader.dataset) == len(content["images"])
    assert 0 <= trial.advance()["mAP"] <= 1
    trial.close()


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="for trials without a GPU")
def test_convolutions_on_a_cpu_are_channels_last(tiny_setups: dict, tmp_path: Path) -> None:
    import torch

    from autommlab.training.trial import Trial

    trial = Trial(tiny_setups[Task.CLASSIFICATION], point(), tmp_path)
    wide = [p for p in trial.runner.model.parameters() if p.dim() == 4 and min(p.shape) > 1]
    assert wide and all(p.is_contiguous(memory_format=torch.channels_last) for p in wide)
    trial.close()


def test_a_resumed_trial_ends_where_the_undisturbed_one_does(tiny_setups: dict, tmp_path: Path) -> None:
    import torch

    from autommlab.training.trial import Trial

    setup = tiny_setups[Task.CLASSIFICATION]
    whole = Trial(setup, point(), tmp_path / "a")
    whole.advance()
    whole.save(tmp_path)
    first = [v.clone() for v in whole.runner.model.state_dict().values()]
    metrics = whole.advance()
    resumed = Trial(setup, point(), tmp_path / "b", resume_from=tmp_path)
    assert resumed.iteration == 4
    assert all(torch.equal(a, b) for a, b in zip(first, resumed.runner.model.state_dict().values(), strict=True))
    assert resumed.advance() == metrics
    end = zip(whole.runner.model.state_dict().values(), resumed.runner.model.state_dict().values(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in end)


def test_a_diverged_trial_says_so_at_once(tiny_setups: dict, tmp_path: Path) -> None:
    import torch

    from autommlab.training.stepped import DivergedError
    from autommlab.training.trial import Trial

    trial = Trial(tiny_setups[Task.CLASSIFICATION], point(), tmp_path)
    with torch.no_grad():
        next(trial.runner.model.parameters()).fill_(float("nan"))
    with pytest.raises(DivergedError, match="the loss became nan at iteration 1"):
        trial.advance()


def test_closed_trials_leave_nothing_in_the_toolboxes_global_tables(tiny_setups: dict, tmp_path: Path) -> None:
    from mmengine.logging import MessageHub, MMLogger

    from autommlab.training.trial import Trial

    Trial(tiny_setups[Task.CLASSIFICATION], point(), tmp_path).close()
    before = len(MMLogger._instance_dict), len(MessageHub._instance_dict)
    Trial(tiny_setups[Task.CLASSIFICATION], point(), tmp_path).close()
    assert (len(MMLogger._instance_dict), len(MessageHub._instance_dict)) == before


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MemoryError(), "out-of-memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "out-of-memory"),
        (ValueError("broken batch"), "failed"),
    ],
)
def test_failures_are_told_apart(error: Exception, status: str) -> None:
    from autommlab.training.failures import failure_status

    assert failure_status(error) == status


@pytest.mark.parametrize("schedule", ["CosineAnnealingLR", "PolyLR", "StepLR", "MultiStepLR"])
def test_past_its_deadline_a_trial_ends_with_its_learning_rate_down(
    tiny_setups: dict, tmp_path: Path, schedule: str
) -> None:
    from autommlab.training.pace import Deadline
    from autommlab.training.trial import Trial

    hurried = tiny_setups[Task.DETECTION].model_copy(update={"deadline": Deadline(ends_at=0)})
    trial = Trial(hurried, point(iterations=1000, lr_schedule=schedule), tmp_path)
    metrics = trial.advance()
    rates = [group["lr"] for group in trial.runner.optim_wrapper.optimizer.param_groups]
    assert metrics
    assert trial.finished
    trial.close()
    assert trial.readback["passed_over"] == 999
    record = TrialRecord(
        number=1, trial_id="a", hyperparameters=point(iterations=1000), score=0.5, status="ok", readback=trial.readback
    )
    assert record.as_trained.iterations == 1, "no step is told that was not done"
    assert max(rates) <= 0.11 * point().lr, "warm-up is over, and the schedule has brought the rate down"


def test_what_a_picture_costs_is_measured_at_each_size_and_leaves_nothing_behind(tiny_setups: dict) -> None:
    import torch

    from autommlab.planning.measure import measure_costs

    threads = torch.get_num_threads()
    small, large = measure_costs(tiny_setups[Task.CLASSIFICATION], ((64, 64), (128, 128)), threads=1).measured
    assert (small.input_size, large.input_size) == ((64, 64), (128, 128))
    for cost in (small, large):
        assert 0 < cost.load_s < cost.train_s
        assert cost.val_s > 0
        assert cost.slowdown >= 1
        assert cost.memory_mb > 0
    assert torch.get_num_threads() == threads
    (only,) = measure_costs(tiny_setups[Task.CLASSIFICATION], ((64, 64), (128, 128)), dearest_s=0.0).measured
    assert only.input_size == (64, 64), "a dearer size is not tried"
