"""The zero-shot prior: what did best in the most similar earlier studies. No LLM, no learning on the way.

The honest, simple rival of a learned method. From an experience file it takes the studies whose
contexts are nearest, and picks points one after the other so that, over these studies, the best
of those picked so far grows most (a greedy portfolio, as in auto-sklearn 2.0, arXiv 2007.04074);
a study counts the more the nearer it is. How a point would do in a study that never tried it is
estimated from that study's trials around it. When no point adds anything, the best ones on
average follow, and after the better half of what is known it draws at random.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from typing import Any

from searchers.context import StudyContext
from searchers.distance import gaps, is_near
from searchers.space import Point, SearchSpace
from searchers.tracking import TrackingSearcher
from searchers.transfer.trial_history import Experience, PastStudy, experience_or_shipped, load_experience, past_studies

#: Studies that are looked at, and points of each that may be picked.
_NEIGHBOURS, _POINTS_EACH = 5, 12
#: Distance at which a neighbour counts half as much as one at 0.
_HALF_DISTANCE = 0.1
#: How far a trial tells about the points around it (root mean square of the parameters' gaps), and
#: how many trials the mean of its study weighs where it tells little.
_KERNEL_WIDTH, _MEAN_WEIGHT = 0.15, 0.5
_LEAST_GAIN = 1e-3
#: Mean estimate (0 = the worst, 1 = the best of each study) below which a point is not worth a trial.
_LEAST_MEAN = 0.5


def prior_points(
    space: SearchSpace,
    context: StudyContext,
    experience: Sequence[Experience],
    *,
    mode: str = "max",
    size: int = 10,
) -> list[Point]:
    """Points worth trying first, the best one first; fewer than `size` if more would add nothing.

    Args:
        space: of the present study.
        context: of the present study.
        experience: trials of earlier ones; studies with other parameters are passed over.
        mode: "max" or "min"; studies of the other kind are passed over.
        size: most points.
    """
    studies = past_studies(space, context, experience, mode)[:_NEIGHBOURS]
    left = {
        number: (point, [_estimate(study, space, point) for study in studies])
        for number, point in enumerate(_candidates(space, studies))
    }
    reached = [0.0] * len(studies)
    picked: list[Point] = []
    while left and len(picked) < size:
        gains = {n: _mean(studies, map(max, estimates, reached)) for n, (_, estimates) in left.items()}
        means = {n: _mean(studies, estimates) for n, (_, estimates) in left.items()}
        if max(gains.values()) - _mean(studies, reached) >= _LEAST_GAIN:
            top = max(gains, key=lambda n: (gains[n], -n))
        else:
            top = max(means, key=lambda n: (means[n], -n))
            if means[top] < _LEAST_MEAN:
                break
        point, estimates = left.pop(top)
        reached = list(map(max, estimates, reached))
        picked.append(point)
    return picked


def _estimate(study: PastStudy, space: SearchSpace, point: Point) -> float:
    """What the point would reach in the study, from the trials around it."""
    total, weights = _MEAN_WEIGHT * sum(score for _, score in study.trials) / len(study.trials), _MEAN_WEIGHT
    for tried, score in study.trials:
        between = gaps(space, point, tried)
        square = sum(gap * gap for gap in between) / max(1, len(between))
        weight = math.exp(-square / (2 * _KERNEL_WIDTH**2))
        total, weights = total + weight * score, weights + weight
    return total / weights


def _mean(studies: Sequence[PastStudy], values: Iterable[float]) -> float:
    """Over the studies, each weighing the more the nearer it is."""
    weights = [_HALF_DISTANCE / (_HALF_DISTANCE + study.distance) for study in studies]
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


def _candidates(space: SearchSpace, studies: Sequence[PastStudy]) -> list[Point]:
    """The best points of each study, without those that are nearly the same."""
    found: list[Point] = []
    for study in studies:
        for point, score in sorted(study.trials, key=lambda trial: -trial[1])[:_POINTS_EACH]:
            if score > 0 and not is_near(space, point, found):
                found.append(point)
    return found


class PriorSearch(TrackingSearcher):
    """The prior's points, then random ones; results of the present study change nothing.

    Args:
        space: what may be proposed.
        points: what `prior_points` gave.
        settings: see `TrackingSearcher`.
    """

    def __init__(self, space: SearchSpace, *, points: Sequence[Point], **settings: Any) -> None:
        super().__init__(space, name="prior", **settings)
        self._points = [dict(point) for point in points]

    def _propose(self, trial_id: str) -> tuple[Point, str]:
        tried = [attempt.point for attempt in self._attempts.values()]
        for point in self._points:
            if not is_near(self.space, point, tried):
                return dict(point), self.name
        return self.space.sample(random.Random(f"{self.seed}/prior/{len(tried)}")), f"{self.name}:random"

    def settings(self) -> dict[str, Any]:
        """See `BaseSearcher.settings`."""
        return {**super().settings(), "points": self._points}


def prior(
    space: SearchSpace,
    *,
    metric: str | None = None,
    mode: str = "max",
    seed: int,
    first_points: Sequence[Point] = (),
    context: StudyContext | None = None,
    experience: str | None = None,
    size: int = 10,
) -> PriorSearch:
    """`PriorSearch` over an experience file.

    Args:
        space, metric, mode, seed, first_points: see `TrackingSearcher`.
        context: what the study is about; without it all earlier studies are equally near.
        experience: JSONL file, perhaps compressed (.gz); None = AUTOMMLAB_EXPERIENCE, else that of this package.
        size: most points before it draws at random.

    Raises:
        SearcherError: the file cannot be used.
    """
    known = load_experience(experience_or_shipped(experience))
    points = prior_points(space, context or StudyContext(), known, mode=mode, size=size)
    return PriorSearch(space, points=points, metric=metric, mode=mode, seed=seed, first_points=first_points)
