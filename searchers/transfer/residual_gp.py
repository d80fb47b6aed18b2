"""A Gaussian process on what past trials leave unexplained of this study's results.

Past trials tell what to expect of a configuration (`fit_surrogate`), the results so far how this study differs from
that: between the two lies what a model of a few results alone cannot know, and past trials alone never learn.
Expected improvement then weighs a good prospect against a vague one. Made on black boxes of source tasks, see
`training_data_gen/benchmarks/README.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from searchers.distance import coordinates
from searchers.space import Configuration, SearchSpace
from searchers.transfer.transfer_surrogate import TransferSurrogate

#: How far a result tells about the configurations around it, in fractions of a parameter's range; half and double did
#: as well.
_LENGTH = 0.3
#: Noise of a result, as a fraction of what is unexplained.
_NOISE = 0.3
#: Least standard deviation of what is unexplained, as a normalised score: a trial's noise.
_LEAST_SPREAD = 0.02
#: How sure the past is of a study's range: standard deviation as a fraction of it.
_RANGE_DOUBT = 0.5


class Result(NamedTuple):
    """What a configuration reached.

    Attributes:
        value: more is better.
        normalised: what past trials let one expect, see `TransferSurrogate.values`.
    """

    config: Configuration
    value: float
    normalised: float


class ResidualGP:
    """What configurations of a study are worth.

    Args:
        space: of the configurations.
        score: what past trials let one expect.
        results: of this study, at least one.
        running: configurations of trials without a result; they count as what is expected of them.
    """

    def __init__(
        self,
        space: SearchSpace,
        score: TransferSurrogate,
        results: Sequence[Result],
        running: Sequence[Configuration] = (),
    ) -> None:
        self._space, self._score = space, score
        values = np.array([result.value for result in results])
        configs = [result.config for result in results]
        normalised = np.array([result.normalised for result in results])
        self._best = float(values.max())
        self._slope = _slope(normalised, values, score.usual_range)
        self._level = float(np.mean(values - self._slope * normalised))
        residuals = values - self._expected(normalised)
        self._spread = max(float(residuals.std()), _LEAST_SPREAD * score.usual_range)
        self._fit(configs, residuals)
        if running:
            means, _ = self._residuals(running)
            hoped_for = means + self._expected(np.array(score.values(running)))
            self._best = max(self._best, float(hoped_for.max()))
            self._fit([*configs, *running], np.concatenate([residuals, means]))

    def improvement(self, configs: Sequence[Configuration]) -> np.ndarray:
        """Expected improvement over the best result, in units of the objective."""
        from scipy.stats import norm

        means, deviations = self._residuals(configs)
        gain = means + self._expected(np.array(self._score.values(configs))) - self._best
        z = gain / deviations
        improved: np.ndarray = gain * norm.cdf(z) + deviations * norm.pdf(z)
        return improved

    def _expected(self, normalised: np.ndarray) -> np.ndarray:
        expected: np.ndarray = self._level + self._slope * normalised
        return expected

    def _fit(self, configs: Sequence[Configuration], residuals: np.ndarray) -> None:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern

        kernel = ConstantKernel(self._spread**2, "fixed") * Matern(_LENGTH, "fixed", nu=2.5)
        noise = (_NOISE * self._spread) ** 2
        self._process = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None)
        self._process.fit(self._places(configs), residuals)

    def _residuals(self, configs: Sequence[Configuration]) -> tuple[np.ndarray, np.ndarray]:
        means, deviations = self._process.predict(self._places(configs), return_std=True)
        return means, np.maximum(deviations, 1e-9 * self._spread)

    def _places(self, configs: Sequence[Configuration]) -> np.ndarray:
        return np.array([coordinates(self._space, config) for config in configs])


def _slope(normalised: np.ndarray, values: np.ndarray, usual_range: float) -> float:
    """What a normalised score is worth here: least squares that start from the range of past studies; at least 0."""
    x, y = normalised - normalised.mean(), values - values.mean()
    noise = max(float(np.mean((y - usual_range * x) ** 2)), (_LEAST_SPREAD * usual_range) ** 2)
    before = 1 / (_RANGE_DOUBT * usual_range) ** 2
    return max(0.0, float((x @ y / noise + before * usual_range) / (x @ x / noise + before)))
