"""Statistics of comparisons over tasks and seeds; pure functions of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

#: Bootstrap samples, and the level of every interval and of the critical difference.
DRAWS, LEVEL = 10_000, 0.05
#: Decimals up to which two means are equal.
_EQUAL = 9
#: Sign flips of a signed-rank test.
_FLIPS = 99_999
#: Bounds of a gap that was closed, so that a task whose default is nearly perfect does not decide the mean.
_GAP = (-1.0, 1.0)
#: A default above this leaves no gap to close.
_PERFECT = 0.999


def interval(values: Sequence[Sequence[float]], draws: int = DRAWS) -> tuple[float, float]:
    """95 % interval of the mean over tasks of the mean over seeds: tasks are drawn, then seeds within each.

    Args:
        values: of each task, one for each of its seeds; not empty, tasks may have different numbers of seeds.
        draws: bootstrap samples; the generator is fixed.
    """
    rng = np.random.default_rng(0)
    lengths = np.array([len(own) for own in values])
    padded = np.zeros((len(values), lengths.max()))
    for row, own in zip(padded, values, strict=True):
        row[: len(own)] = own
    drawn = rng.integers(len(values), size=(draws, len(values)))
    seeds = lengths[drawn][:, :, None]
    picked = (rng.random((*drawn.shape, lengths.max())) * seeds).astype(int)  # [draw, task, seed]
    counted = np.arange(lengths.max()) < seeds
    within = (padded[drawn[:, :, None], picked] * counted).sum(axis=2) / lengths[drawn]
    low, high = np.quantile(within.mean(axis=1), (LEVEL / 2, 1 - LEVEL / 2))
    return float(low), float(high)


def clustered_interval(values: Mapping[str, float], cluster: Mapping[str, str]) -> tuple[float, float]:
    """95 % interval of the mean over tasks where tasks of a cluster are drawn together.

    Args:
        values: of each task, its mean over seeds.
        cluster: of each task.
    """
    names = sorted({cluster[task] for task in values})
    own = [[value for task, value in values.items() if cluster[task] == name] for name in names]
    sums, counts = np.array([sum(each) for each in own]), np.array([len(each) for each in own])
    drawn = np.random.default_rng(0).integers(len(names), size=(DRAWS, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, (LEVEL / 2, 1 - LEVEL / 2))
    return float(low), float(high)


def wilcoxon_p(differences: Sequence[float]) -> float:
    """Two-sided signed-rank test over tasks; 1 where no task differs. Equal tasks count (Pratt).

    By sign flips, all of them or 99,999 drawn ones: with many equal tasks the normal approximation is too small.
    """
    from scipy.stats import PermutationMethod, wilcoxon

    if not any(differences):
        return 1.0
    flips = PermutationMethod(n_resamples=_FLIPS, rng=np.random.default_rng(0))
    return float(wilcoxon(differences, zero_method="pratt", method=flips).pvalue)


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Adjusted for the whole family; a test that could not be made yet counts as one with p = 1 and stays None."""
    ordered = sorted(range(len(values)), key=lambda n: 1.0 if values[n] is None else values[n])  # type: ignore[arg-type,return-value]
    adjusted: list[float | None] = [None] * len(values)
    highest = 0.0
    for rank, number in enumerate(ordered):
        value = values[number]
        if value is not None:
            highest = max(highest, min(1.0, (len(values) - rank) * value))
            adjusted[number] = highest
    return adjusted


def gap_closed(value: float, default: float) -> float | None:
    """Which fraction of what the default configuration leaves to 1 is gained, in -1..1; None where nothing is left."""
    if default > _PERFECT:
        return None
    return min(_GAP[1], max(_GAP[0], (value - default) / (1 - default)))


def average_ranks(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Arm -> mean place over tasks, 1 the highest value; ties share their places.

    Args:
        values: of each arm, one for each task.
    """
    from scipy.stats import rankdata

    table: NDArray[np.float64] = np.array([list(own) for own in values.values()], dtype=float).round(_EQUAL)
    places = rankdata(-table, axis=0).mean(axis=1)
    return dict(zip(values, map(float, places), strict=True))


def friedman_p(values: Mapping[str, Sequence[float]]) -> float:
    """Whether any arm differs; 1 with fewer than three arms or where all are equal."""
    from scipy.stats import friedmanchisquare

    if len(values) < 3:
        return 1.0
    found = float(friedmanchisquare(*values.values()).pvalue)
    return 1.0 if math.isnan(found) else found


def critical_difference(arms: int, tasks: int) -> float:
    """Of mean ranks that differ more, one is better (Nemenyi, at 5 %; Demsar 2006, JMLR 7, section 3.2.2)."""
    from scipy.stats import studentized_range

    quantile = float(studentized_range.ppf(1 - LEVEL, arms, np.inf)) / math.sqrt(2)
    return quantile * math.sqrt(arms * (arms + 1) / (6 * tasks))


def cliques(ranks: Mapping[str, float], difference: float) -> list[tuple[str, ...]]:
    """The largest groups of arms, best first, whose ranks lie within the critical difference; single arms left out."""
    names = sorted(ranks, key=lambda name: ranks[name])
    groups: list[tuple[str, ...]] = []
    for first, name in enumerate(names):
        group = tuple(other for other in names[first:] if ranks[other] - ranks[name] <= difference)
        if len(group) > 1 and not any(set(group) <= set(known) for known in groups):
            groups.append(group)
    return groups
