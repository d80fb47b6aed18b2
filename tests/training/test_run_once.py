"""A whole training in one call: the same figures as piece by piece, and failures as results."""

from __future__ import annotations

from pathlib import Path

from autommlab.tasks import Task, objective
from autommlab.training.records import Hyperparameters
from autommlab.training.run_once import train_whole

POINT = Hyperparameters(
    iterations=6, batch_size=4, optimizer="AdamW", lr=1e-3, weight_decay=1e-4, lr_schedule="CosineAnnealingLR"
)


def test_it_gives_what_a_trial_reports_piece_by_piece(tiny_setups: dict, tmp_path: Path) -> None:
    from autommlab.training.trial import Trial

    setup = tiny_setups[Task.CLASSIFICATION]
    record, tested = train_whole(setup, POINT)
    trial = Trial(setup, POINT, tmp_path)
    while not trial.finished:
        metrics = trial.advance()
    assert record.status == "ok", record.reason
    assert (record.score, record.metrics) == (metrics["accuracy"], metrics)
    assert [iteration for iteration, _ in record.curve] == [3, 6]
    assert record.readback == trial.readback
    assert tested == trial.test()
    assert objective(Task.CLASSIFICATION).name in tested
    trial.close()


def test_a_training_that_diverges_or_breaks_is_a_result(tiny_setups: dict) -> None:
    setup = tiny_setups[Task.CLASSIFICATION]
    record, tested = train_whole(setup, POINT.model_copy(update={"optimizer": "SGD", "lr": 1e30}))
    assert (record.status, record.score, tested) == ("diverged", 0.0, {})
    nowhere = setup.bag.model_copy(update={"folder": Path("no-such-folder")})
    record, tested = train_whole(setup.model_copy(update={"bag": nowhere}), POINT)
    assert (record.status, tested) == ("failed", {})
    assert "no-such-folder" in record.reason
