"""A Gaussian process on what past trials leave unexplained of this study's results.

Past trials tell what to expect of a point (`learned_score`), the results so far how this study differs from that:
between the two lies what a model of a few results alone cannot know, and past trials alone never learn.
Expected improvement then weighs a good prospect against a vague one. Made on landscapes of training bags, see
`training_data_gen/benchmarks/README.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from searchers.distance import coordinates
from searchers.space import Point, SearchSpace
from searchers.transfer.transfer_surrogate import LearnedScore

#: How far a result tells about the points around it, in shares of a parameter's range; half and double did as well.
_LENGTH = 0.3
#: Noise of a result, as a share of what is unexplained.
_NOISE = 0.3
#: Least standard deviation of what is unexplained, as a share of a study's usual range: a trial's luck.
_LEAST_SPREAD = 0.02
#: How sure the past is of a study's range: standard deviation as a share of it.
_RANGE_DOUBT = 0.5


class Result(NamedTuple):
    """What a point reached.

    Attributes:
        value: more is better.
        share: what past trials let one expect, see `LearnedScore.values`.
    """

    point: Point
    value: float
    share: float


class InformedGP:
    """What points of a study are worth.

    Args:
        space: of the points.
        score: what past trials let one expect.
        results: of this study, at least one.
        running: points of trials without a result; they count as what is expected of them.
    """

    def __init__(
        self, space: SearchSpace, score: LearnedScore, results: Sequence[Result], running: Sequence[Point] = ()
    ) -> None:
        self._space, self._score = space, score
        values = np.array([result.value for result in results])
        points = [result.point for result in results]
        shares = np.array([result.share for result in results])
        self._best = float(values.max())
        self._slope = _slope(shares, values, score.usual_range)
        self._level = float(np.mean(values - self._slope * shares))
        residuals = values - self._expected(shares)
        self._spread = max(float(residuals.std()), _LEAST_SPREAD * score.usual_range)
        self._fit(points, residuals)
        if running:
            means, _ = self._residuals(running)
            hoped_for = means + self._expected(np.array(score.values(running)))
            self._best = max(self._best, float(hoped_for.max()))
            self._fit([*points, *running], np.concatenate([residuals, means]))

    def improvement(self, points: Sequence[Point]) -> np.ndarray:
        """Expected improvement over the best result, in units of the objective."""
        from scipy.stats import norm

        means, deviations = self._residuals(points)
        gain = means + self._expected(np.array(self._score.values(points))) - self._best
        z = gain / deviations
        improved: np.ndarray = gain * norm.cdf(z) + deviations * norm.pdf(z)
        return improved

    def _expected(self, shares: np.ndarray) -> np.ndarray:
        expected: np.ndarray = self._level + self._slope * shares
        return expected

    def _fit(self, points: Sequence[Point], residuals: np.ndarray) -> None:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern

        kernel = ConstantKernel(self._spread**2, "fixed") * Matern(_LENGTH, "fixed", nu=2.5)
        noise = (_NOISE * self._spread) ** 2
        self._process = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None)
        self._process.fit(self._places(points), residuals)

    def _residuals(self, points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
        means, deviations = self._process.predict(self._places(points), return_std=True)
        return means, np.maximum(deviations, 1e-9 * self._spread)

    def _places(self, points: Sequence[Point]) -> np.ndarray:
        return np.array([coordinates(self._space, point) for point in points])


def _slope(shares: np.ndarray, values: np.ndarray, usual_range: float) -> float:
    """What a share is worth in this study: least squares that start from the range of past studies; never below 0."""
    x, y = shares - shares.mean(), values - values.mean()
    noise = max(float(np.mean((y - usual_range * x) ** 2)), (_LEAST_SPREAD * usual_range) ** 2)
    before = 1 / (_RANGE_DOUBT * usual_range) ** 2
    return max(0.0, float((x @ y / noise + before * usual_range) / (x @ x / noise + before)))
