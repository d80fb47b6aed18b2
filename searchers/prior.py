"""The zero-shot prior: what did best in the most similar earlier studies. No LLM, no learning on the way.

The honest, simple rival of a learned method. From an experience file it takes the studies whose
contexts are nearest, and picks points one after the other so that, over these studies, the best
of those picked so far grows most (a greedy portfolio, as in auto-sklearn 2.0, arXiv 2007.04074);
a study counts the more the nearer it is. How a point would do in a study that never tried it is
estimated from that study's trials around it. When no point adds anything, the best ones on
average follow, and after the better half of what is known it draws at random.

Values go over as they are where the bounds are the same, else by their place within the bounds:
a quarter of 2000 to 7000 iterations becomes a quarter of 20 to 80.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from searchers.context import StudyContext, context_distance
from searchers.distance import at_place, gaps, is_near, place
from searchers.experience import Experience, experience_or_shipped, load_experience
from searchers.space import ChoiceParameter, Parameter, Point, SearchSpace
from searchers.tracking import TrackingSearcher

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


@dataclass(frozen=True)
class _Study:
    """An earlier study in terms of the present space; scores 0 (its worst, failures) to 1 (its best)."""

    distance: float
    trials: tuple[tuple[Point, float], ...]

    @property
    def weight(self) -> float:
        return _HALF_DISTANCE / (_HALF_DISTANCE + self.distance)

    def estimate(self, space: SearchSpace, point: Point) -> float:
        total, weights = _MEAN_WEIGHT * sum(score for _, score in self.trials) / len(self.trials), _MEAN_WEIGHT
        for tried, score in self.trials:
            between = gaps(space, point, tried)
            square = sum(gap * gap for gap in between) / max(1, len(between))
            weight = math.exp(-square / (2 * _KERNEL_WIDTH**2))
            total, weights = total + weight * score, weights + weight
        return total / weights


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
    studies = _neighbours(space, context, [e for e in experience if e.mode == mode])
    left = {
        number: (point, [study.estimate(space, point) for study in studies])
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


def _mean(studies: Sequence[_Study], values: Iterable[float]) -> float:
    """Over the studies, each with its weight."""
    weights = [study.weight for study in studies]
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


def _candidates(space: SearchSpace, studies: Sequence[_Study]) -> list[Point]:
    """The best points of each study, without those that are nearly the same."""
    found: list[Point] = []
    for study in studies:
        for point, score in sorted(study.trials, key=lambda trial: -trial[1])[:_POINTS_EACH]:
            if score > 0 and not is_near(space, point, found):
                found.append(point)
    return found


def _neighbours(space: SearchSpace, context: StudyContext, experience: Sequence[Experience]) -> list[_Study]:
    grouped: dict[str, list[Experience]] = {}
    for trial in experience:
        key = json.dumps([trial.context, [p.model_dump() for p in trial.parameters]], sort_keys=True)
        grouped.setdefault(key, []).append(trial)
    studies = []
    for trials in grouped.values():
        distance = context_distance(context.facts, trials[0].context)
        scored = _scored(space, trials)
        if any(score > 0 for _, score in scored):
            studies.append(_Study(distance, tuple(scored)))
    return sorted(studies, key=lambda study: study.distance)[:_NEIGHBOURS]


def _scored(space: SearchSpace, trials: Sequence[Experience]) -> list[tuple[Point, float]]:
    real = [t.real_score for t in trials if t.real_score is not None]
    if not real:
        return []
    sign = 1 if trials[0].mode == "max" else -1
    worst, best = min(sign * s for s in real), max(sign * s for s in real)
    scored = []
    for trial in trials:
        point = _carried_over(space, trial)
        if point is not None:
            score = trial.real_score
            share = 0.0 if score is None else 1.0 if best == worst else (sign * score - worst) / (best - worst)
            scored.append((point, share))
    return scored


def _carried_over(space: SearchSpace, trial: Experience) -> Point | None:
    """The trial's point in the present space, None if it has no counterpart there."""
    past = {p.name: p for p in trial.parameters}
    point: Point = {}
    for parameter in space.parameters:
        before, value = past.get(parameter.name), trial.point.get(parameter.name)
        if (
            before is None
            or value is None
            or isinstance(before, ChoiceParameter) != isinstance(parameter, ChoiceParameter)
        ):
            return None
        carried = _value(parameter, before, value)
        if carried is None:
            return None
        point[parameter.name] = carried
    return space.clip(point)


def _value(parameter: Parameter, before: Parameter, value: float | str) -> float | str | None:
    if isinstance(parameter, ChoiceParameter) or isinstance(before, ChoiceParameter):
        return value if isinstance(parameter, ChoiceParameter) and value in parameter.choices else None
    if isinstance(value, str) or not before.low <= value <= before.high:
        return None
    if (before.low, before.high) == (parameter.low, parameter.high):
        return value
    return at_place(parameter, place(before, value))


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
