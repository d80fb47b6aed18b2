"""What a configuration of a held-out task is worth without training it: from a dense table of trainings, or by a
surrogate.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from autommlab.common.trial_status import TrialStatus
from searchers.distance import coordinates
from searchers.space import Configuration, SearchSpace
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.statistics import main_seed
from training_data_gen.trials.surrogate import Surrogate


class Value(NamedTuple):
    """The objective at a configuration, 0 if its trial failed, and then how and why it failed."""

    score: float
    failure: str = ""
    status: TrialStatus = "ok"


def training_value(training: RecordedTrial) -> Value:
    """What a real training was worth."""
    if training.failed:
        return Value(0.0, training.reason or training.status, training.status)
    return Value(training.score)


class BlackBox(Protocol):
    """The objective of one bag."""

    def __call__(self, config: Configuration) -> Value:
        """What the configuration is worth."""
        ...


class Table:
    """Real trainings of one bag; a configuration is worth what the nearest trained one reached.

    Args:
        recorded: of one bag, not empty; those of its main seed count.
    """

    def __init__(self, recorded: Sequence[RecordedTrial]) -> None:
        self._rows = main_seed(recorded)
        self._space = SearchSpace(parameters=self._rows[0].parameters)
        self._places = np.array([coordinates(self._space, row.config) for row in self._rows])

    def __call__(self, config: Configuration) -> Value:
        """See `BlackBox`."""
        return training_value(self._rows[int(np.argmin(self._distances(config)))])

    def spacing(self) -> float:
        """Mean distance from a row to the nearest other one: how coarse the table is, 1 = a whole range."""
        if len(self._rows) == 1:
            return 0.0
        return float(np.mean([np.partition(self._distances(row.config), 1)[1] for row in self._rows]))

    def _distances(self, config: Configuration) -> np.ndarray:
        return np.linalg.norm(self._places - np.array(coordinates(self._space, config)), axis=1)


class GpBenchmark:
    """One bag's own trials with a Gaussian process through them, which never fails.

    Args:
        recorded: of one bag, some ten or more; those of its main seed count.
    """

    def __init__(self, recorded: Sequence[RecordedTrial]) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        rows = main_seed(recorded)
        self._space = SearchSpace(parameters=rows[0].parameters)
        places = np.array([coordinates(self._space, row.config) for row in rows])
        lengths = [0.5] * places.shape[1]
        kernel = ConstantKernel(1.0, (0.05, 20)) * Matern(lengths, (0.1, 5), nu=2.5) + WhiteKernel(0.01, (1e-4, 0.05))
        self._process = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=1, random_state=0)
        with warnings.catch_warnings():
            # A length at its bound is what a hyperparameter that does not matter gets.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._process.fit(places, [training_value(row).score for row in rows])

    def __call__(self, config: Configuration) -> Value:
        """See `BlackBox`."""
        return Value(float(self._process.predict([coordinates(self._space, config)])[0]))


class SurrogateBenchmark:
    """One bag of a surrogate, which never fails.

    Args:
        surrogate: fitted to trials of this bag, among others.
        bag: its name.
    """

    def __init__(self, surrogate: Surrogate, bag: str) -> None:
        self._surrogate, self._bag = surrogate, bag

    def __call__(self, config: Configuration) -> Value:
        """See `BlackBox`."""
        return Value(self._surrogate.values(self._bag, [config])[0])
