"""Best-so-far curves of several searchers and what can be said about them; pure functions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

#: Numbers of trials at which curves are compared (design: section 5), as far as the budget goes.
CHECKPOINTS = (1, 3, 5, 10, 20, 50)
CONFIDENCE = 0.95
RESAMPLES = 10_000
#: Below this an interval over seeds says nothing.
FEWEST_SEEDS = 3


class Estimate(BaseModel):
    """A mean over seeds; `low` and `high` bound its 95 % bootstrap interval, None with under 3 seeds."""

    model_config = ConfigDict(frozen=True)

    mean: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.mean:.3f}"
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def best_so_far(scores: Sequence[float]) -> list[float]:
    """The best score after each trial; failed trials come as their finite worst score."""
    return list(itertools.accumulate(scores, max))


def checkpoints(trials: int) -> list[int]:
    """The numbers of trials to report for a budget, the budget itself last."""
    return [*(count for count in CHECKPOINTS if count < trials), trials]


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and percentile bootstrap interval of values from independent seeds (fixed resampling seed)."""
    data = np.asarray(values, dtype=float)
    if len(data) < FEWEST_SEEDS:
        return Estimate(mean=float(data.mean()))
    drawn = np.random.default_rng(0).choice(data, size=(RESAMPLES, len(data))).mean(axis=1)
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(mean=float(data.mean()), low=float(low), high=float(high))


def normalised_regret(finals: Mapping[str, Sequence[float]], best: float, worst: float) -> dict[str, Estimate]:
    """Distance to the best score that any searcher reached, as a fraction of all scores' range.

    Args:
        finals: searcher -> best score of each seed.
        best, worst: highest and lowest score of any trial of the comparison.
    """
    width = (best - worst) or 1.0
    return {name: estimate([(best - score) / width for score in scores]) for name, scores in finals.items()}


def wins(finals: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Seeds in which a searcher ended best; a tie is shared."""
    seeds = min(map(len, finals.values()), default=0)
    won = dict.fromkeys(finals, 0.0)
    for seed in range(seeds):
        top = max(scores[seed] for scores in finals.values())
        winners = [name for name, scores in finals.items() if scores[seed] == top]
        for name in winners:
            won[name] += 1 / len(winners)
    return won


def trials_to_match(curve: Sequence[float], target: float) -> int | None:
    """Trials until a best-so-far curve reaches `target`; None if it never does."""
    return next((number for number, score in enumerate(curve, start=1) if score >= target), None)


def paired_p_value(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Two-sided Wilcoxon signed-rank over paired seeds; None where there is nothing to test."""
    from scipy.stats import wilcoxon

    if len(first) < FEWEST_SEEDS or all(a == b for a, b in zip(first, second, strict=True)):
        return None
    return float(wilcoxon(first, second).pvalue)
