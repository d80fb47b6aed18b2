"""Trainings by a fake, for benchmarks whose bookkeeping is tested."""

from __future__ import annotations

import threading

from autommlab.tasks import Task, objective
from autommlab.training.records import Hyperparameters, TrialRecord
from autommlab.training.runner_config import TrialSetup
from autommlab.training.search_space import search_space
from tests.helpers.trial_making import score_of, setup_of
from training_data_gen.benchmarks.trainings import RealBag
from training_data_gen.trials.plan import plan_bags

PLANNED = next(bag for bag in plan_bags([Task.CLASSIFICATION]) if bag.held_out)
BAG = RealBag(PLANNED, setup_of(PLANNED), search_space(PLANNED.budget()))


class FakeTrainer:
    """Counts instead of training; fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.calls = 0
        self._failures = failures
        self._lock = threading.Lock()
        self.may_end = threading.Event()
        self.may_end.set()

    def __call__(self, setup: TrialSetup, config: Hyperparameters) -> tuple[TrialRecord, dict[str, float]]:
        with self._lock:
            self.calls += 1
            failed = self.calls <= self._failures
        self.may_end.wait(10)
        score = 0.0 if failed else score_of(config, setup.seed)
        record = TrialRecord(
            number=1, trial_id="", hyperparameters=config, score=score, status="failed" if failed else "ok",
            reason="OSError: no such file" if failed else "", seed=setup.seed,
        )  # fmt: skip
        return record, {} if failed else {objective(setup.bag.task).name: 1 - score}
