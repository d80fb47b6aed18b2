"""Real trainings of held-out tasks for `bench hpo`: each one once, whoever proposes it, kept for later benchmarks.

A training is decided by data, model, hyperparameters and seed (`training_key`), so a configuration that two searchers
propose under the same seed is trained for the first of them only, and a benchmark with more trials or searchers goes
on from the trainings of an earlier one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from autommlab.common.errors import TrainingError
from autommlab.models.recipe import default_configuration
from autommlab.training.records import Hyperparameters, TrialRecord
from autommlab.training.runner_config import TrialSetup
from autommlab.training.search_space import search_space, study_context
from autommlab.training.study_log import HOPELESS_AFTER
from searchers.space import Configuration, SearchSpace
from training_data_gen.benchmarks.ask_tell import StudyProblem
from training_data_gen.benchmarks.surrogate_benchmark import Value, training_value
from training_data_gen.trials.planned import PlannedBag
from training_data_gen.trials.prepare import prepare_trials
from training_data_gen.trials.records import RecordedTrial, recorded_trials, training_key
from training_data_gen.trials.store import TrialsFile

#: Trains a configuration on Ray: (setup, configuration) -> (record, figures on TEST). See
#: `autommlab.training.run_once`.
Train = Callable[[TrialSetup, Hyperparameters], tuple[TrialRecord, dict[str, float]]]


class RealBag(NamedTuple):
    """A held-out task with its images drawn and its model measured."""

    planned: PlannedBag
    setup: TrialSetup
    space: SearchSpace

    @property
    def problem(self) -> StudyProblem:
        """What searchers are told of it."""
        default = default_configuration(self.setup.choice.entry, space=self.space)
        return StudyProblem(self.space, study_context(self.setup), default)


def real_bag(planned: PlannedBag, folder: Path) -> RealBag:
    """The bag, made in `folder` or read from it; see `prepare_trials`."""
    return RealBag(planned, prepare_trials(planned, folder), search_space(planned.budget()))


class Trainings:
    """All trainings of a benchmark. Used by many threads at once.

    Args:
        file: `trainings.jsonl`, which is gone on with.
        train: trains a configuration.
        known: trainings of other places that are not repeated; those without a figure on TEST are.

    Attributes:
        trained, taken: how many were trained by this object, and how often one was there already.

    Raises:
        DataError: the file holds a line that is no training.
    """

    def __init__(self, file: Path, train: Train, known: Sequence[RecordedTrial] = ()) -> None:
        self._file = TrialsFile(file)
        self._train = train
        stored = self._file.records.values()
        self._known = {t.key: t for t in (*known, *stored) if t.failed or t.test is not None}
        self._running: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        #: Bag -> its trainings so far, if all of them failed by an error; None once one did not.
        self._failed_first: dict[str, int | None] = {}
        self.trained = self.taken = 0

    def get(self, bag: RealBag, seed: int, config: Configuration) -> RecordedTrial:
        """The training of a configuration, waited for.

        Raises:
            TrainingError: the first trainings of the bag fail one and all by an error: its set-up is broken.
        """
        setup = bag.setup.model_copy(update={"seed": seed})
        asked = Hyperparameters.model_validate(config)
        key = training_key(setup, asked)
        while True:
            with self._lock:
                if key in self._known:
                    self.taken += 1
                    return self._known[key]
                other = self._running.get(key)
                if other is None:
                    self._running[key] = threading.Event()
                    break
            other.wait()  # somebody else's study trains it
        try:
            record, tested = self._train(setup, asked)
            measured = {record.number: tested} if tested else {}
            (made,) = recorded_trials(bag.planned, setup, bag.space, [record], test_metrics=measured)
            with self._lock:
                self._known[key] = made
                self._file.add([made])
                self.trained += 1
        finally:
            with self._lock:
                self._running.pop(key).set()
        self._stop_if_hopeless(bag.planned.id, record)
        return made

    def _stop_if_hopeless(self, bag: str, record: TrialRecord) -> None:
        with self._lock:
            before = self._failed_first.get(bag, 0)
            failures = before + 1 if before is not None and record.status == "failed" else None
            self._failed_first[bag] = failures
        if failures is not None and failures >= HOPELESS_AFTER:
            raise TrainingError(f"the first {failures} trainings of {bag} failed; the last one: {record.reason}")


class TrainedBlackBox:
    """The black box of one study: its trainings under one seed. See `surrogate_benchmark.BlackBox`."""

    def __init__(self, trainings: Trainings, bag: RealBag, seed: int) -> None:
        self._trainings, self._bag, self._seed = trainings, bag, seed
        self._asked: list[RecordedTrial] = []

    def __call__(self, config: Configuration) -> Value:
        """Train the configuration, or take what is known of it."""
        found = self._trainings.get(self._bag, self._seed, config)
        self._asked.append(found)
        return training_value(found)

    def test(self) -> float | None:
        """The objective on TEST of the best training by VAL, None where none ended well."""
        best = max((t for t in self._asked if not t.failed), key=lambda t: t.score, default=None)
        return best.test if best is not None else None


def on_ray(*, cpus: float, gpus: float, resources: dict[str, float]) -> Train:
    """Trains on the Ray that is connected, which keeps the queue and, between trainings, the processes.

    Args:
        cpus, gpus, resources: of one training.
    """
    import ray
    from ray.exceptions import NodeDiedError, OutOfMemoryError, WorkerCrashedError

    from autommlab.training.run_once import training_task

    task: Any = training_task(cpus=cpus, gpus=gpus, resources=resources)

    def train(setup: TrialSetup, config: Hyperparameters) -> tuple[TrialRecord, dict[str, float]]:
        try:
            outcome: tuple[TrialRecord, dict[str, float]] = ray.get(task.remote(setup, config))
        except (WorkerCrashedError, NodeDiedError, OutOfMemoryError) as error:
            lost = TrialRecord(
                number=1, trial_id="", hyperparameters=config, score=0.0, status="worker-died", seed=setup.seed,
                reason=f"its process or node died again and again: {str(error).splitlines()[0]}",
            )  # fmt: skip
            return lost, {}
        return outcome

    return train
