"""The loss curve of a trial: bounded, averaged, and read back from a file that a crash has left."""

from pathlib import Path

import pytest

from autommlab.tasks import Task
from autommlab.training.loss_curve import (
    CURVES_FILE,
    MOST_POINTS,
    CurvePiece,
    LossCurve,
    LossPoint,
    append_piece,
    read_curves,
)
from tests.helpers.tiny_trials import point


def test_a_short_training_keeps_each_step() -> None:
    curve = LossCurve(5)
    for iteration in range(1, 6):
        curve.add(iteration, 1 / iteration, 0.1)
    assert curve.take() == tuple(LossPoint(i, float(f"{1 / i:.6g}"), 0.1) for i in range(1, 6))
    assert curve.take() == ()


@pytest.mark.parametrize("iterations", [199, 200, 201, 7000, 1_000_001])
@pytest.mark.parametrize("reports", [1, 3])
def test_a_long_one_is_bounded_and_no_step_is_left_out(iterations: int, reports: int) -> None:
    curve, points = LossCurve(iterations), list[LossPoint]()
    step = max(1, iterations // 5000)
    for iteration in range(1, iterations + 1, step):
        curve.add(iteration, float(iteration), 1.0 / iteration)
        if iteration % (iterations // reports) < step:
            points += curve.take()
    points += curve.take()
    assert len(points) <= MOST_POINTS + reports + 1
    assert [p.iteration for p in points] == sorted({p.iteration for p in points})
    before = [0, *(p.iteration for p in points)]
    assert all(low < p.loss <= p.iteration for low, p in zip(before, points, strict=False)), "means of their windows"


def test_a_file_with_repeated_and_damaged_lines_gives_each_iteration_once(tmp_path: Path) -> None:
    file = tmp_path / CURVES_FILE
    append_piece(file, CurvePiece(trial_id="a", hyperparameters=point(), proposed_by="random"))
    append_piece(file, CurvePiece(trial_id="a", losses=(LossPoint(1, 3.0, 0.1), LossPoint(2, 2.0, 0.1))))
    append_piece(file, CurvePiece(trial_id="b", losses=(LossPoint(1, 9.0, 0.1),), scores=((1, 0.5),)))
    with file.open("ab") as torn:
        torn.write(b'{"trial_id": "a", "losses": [[2, ')
    append_piece(file, CurvePiece(trial_id="a", losses=(LossPoint(2, 1.5, 0.1), LossPoint(3, 1.0, 0.01))))
    curves = read_curves(tmp_path)
    assert curves["a"].points == ((1, 3.0, 0.1), (2, 1.5, 0.1), (3, 1.0, 0.01))
    assert (curves["a"].proposed_by, curves["a"].hyperparameters) == ("random", point())
    assert curves["b"].scores == {1: 0.5}
    assert read_curves(tmp_path / "none") == {}


@pytest.mark.parametrize(
    "task",
    [
        Task.CLASSIFICATION,
        Task.DETECTION,
        pytest.param(Task.SEGMENTATION, marks=pytest.mark.long),
        pytest.param(Task.KEYPOINT, marks=pytest.mark.long),
    ],
)
def test_a_trial_tells_its_losses_and_learning_rates_across_a_resume(
    task: Task, tiny_setups: dict, tmp_path: Path
) -> None:
    from autommlab.training.trial import Trial

    trial = Trial(tiny_setups[task], point(), tmp_path / "a")
    trial.advance()
    first = trial.take_losses()
    trial.save(tmp_path)
    trial.advance()
    second = trial.take_losses()
    trial.close()
    assert [p.iteration for p in (*first, *second)] == list(range(1, 9))
    rates = [p.lr for p in (*first, *second)]
    assert max(rates) <= point().lr * (1 + 1e-6)
    assert rates[-1] < max(rates), "the schedule comes down"
    resumed = Trial(tiny_setups[task], point(), tmp_path / "b", resume_from=tmp_path)
    resumed.advance()
    again = resumed.take_losses()
    resumed.close()
    assert [p.iteration for p in again] == [5, 6, 7, 8]
    assert [p.lr for p in again] == pytest.approx([p.lr for p in second], rel=1e-4)


def test_a_diverged_trial_tells_the_losses_before(tiny_setups: dict, tmp_path: Path) -> None:
    import torch

    from autommlab.training.stepped import DivergedError
    from autommlab.training.trial import Trial

    trial = Trial(tiny_setups[Task.CLASSIFICATION], point(), tmp_path)
    trial.runner.train_loop.advance(2)
    with torch.no_grad():
        next(trial.runner.model.parameters()).fill_(float("nan"))
    with pytest.raises(DivergedError, match="at iteration 3"):
        trial.advance()
    assert [p.iteration for p in trial.take_losses()] == [1, 2]
    trial.close()
