"""Trainings of a benchmark: each once, failures as results, TEST never shown to a searcher."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autommlab.common.errors import TrainingError
from autommlab.training.records import Hyperparameters
from searchers.space import Configuration
from tests.helpers.fake_trainer import BAG, PLANNED, FakeTrainer
from tests.helpers.trial_making import score_of
from training_data_gen.benchmarks.surrogate_benchmark import Value
from training_data_gen.benchmarks.trainings import TrainedBlackBox, Trainings
from training_data_gen.trials.quasi import plan_configs
from training_data_gen.trials.store import read_trials

POINTS: list[Configuration] = [
    {**config, "lr": 10 ** -(2 + number)} for number, config in enumerate(plan_configs(BAG.space, 3))
]


def test_a_config_is_trained_once_a_seed_and_never_again_from_its_file(tmp_path: Path) -> None:
    trainer = FakeTrainer()
    trainings = Trainings(tmp_path / "t.jsonl", trainer)
    first = trainings.get(BAG, 0, POINTS[0])
    assert trainings.get(BAG, 0, POINTS[0]) == first
    assert trainings.get(BAG, 1, POINTS[0]).score == pytest.approx(first.score - 0.01)
    assert (trainer.calls, trainings.trained, trainings.taken) == (2, 2, 1)
    later = Trainings(tmp_path / "t.jsonl", trainer)
    elsewhere = Trainings(tmp_path / "other.jsonl", trainer, read_trials(tmp_path / "t.jsonl"))
    assert later.get(BAG, 0, POINTS[0]) == elsewhere.get(BAG, 0, POINTS[0]) == first
    assert trainer.calls == 2


def test_two_studies_that_propose_the_same_at_once_share_the_training(tmp_path: Path) -> None:
    trainer = FakeTrainer()
    trainer.may_end.clear()
    trainings = Trainings(tmp_path / "t.jsonl", trainer)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(trainings.get, BAG, 0, POINTS[0]) for _ in range(4)]
        trainer.may_end.set()
        assert len({future.result().score for future in asked}) == 1
    assert (trainer.calls, trainings.taken) == (1, 3)
    assert len(read_trials(tmp_path / "t.jsonl")) == 1


def test_a_searcher_sees_val_alone_and_the_winner_by_val_is_measured_on_test(tmp_path: Path) -> None:
    trained = TrainedBlackBox(Trainings(tmp_path / "t.jsonl", FakeTrainer()), BAG, 0)
    values = [trained(config) for config in POINTS]
    assert values == [Value(score_of(Hyperparameters.model_validate(config), 0)) for config in POINTS]
    assert trained.test() == pytest.approx(1 - max(value.score for value in values))
    assert trained.test() != max(1 - value.score for value in values)


def test_a_failure_is_a_result_but_a_bag_that_only_fails_stops_the_benchmark(tmp_path: Path) -> None:
    trained = TrainedBlackBox(Trainings(tmp_path / "t.jsonl", FakeTrainer(failures=1)), BAG, 0)
    assert trained(POINTS[0]) == Value(0.0, "OSError: no such file", "failed")
    assert trained.test() is None
    assert trained(POINTS[1]).score > 0
    hopeless = Trainings(tmp_path / "h.jsonl", FakeTrainer(failures=9))
    with pytest.raises(TrainingError, match=rf"first 3 trainings of {PLANNED.id} failed; .*no such file"):
        for config in POINTS:
            hopeless.get(BAG, 0, config)
