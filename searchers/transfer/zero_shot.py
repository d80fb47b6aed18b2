"""A zero-shot portfolio: what did best in the most similar earlier studies. No LLM; results change nothing.

The simple rival of a learned method. From a trial history it takes the studies whose contexts are nearest, and
picks configurations greedily so that, over these studies, the best of those picked so far grows most (as in
auto-sklearn 2.0, arXiv 2007.04074); a study counts the more the nearer it is. How a configuration would do in a
study that never tried it is estimated from that study's trials around it. When none adds anything, the best ones
on average follow, and after the better half of what is known it draws at random.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import Field

from searchers.context import StudyContext, StudySettings
from searchers.distance import gaps, is_near
from searchers.space import Configuration, SearchSpace
from searchers.tracking import TrackingSearcher
from searchers.transfer.trial_history import (
    PastStudy,
    PastTrial,
    history_or_shipped,
    load_history,
    past_studies,
    why_not_applied,
)

#: Studies that are looked at, and configurations of each that may be picked.
_NEIGHBOURS, _POINTS_EACH = 5, 12
#: Distance at which a neighbour counts half as much as one at 0.
_HALF_DISTANCE = 0.1
#: How far a trial tells about the configurations around it (root mean square of the parameters' gaps), and
#: how many trials the mean of its study weighs where it tells little.
_KERNEL_WIDTH, _MEAN_WEIGHT = 0.15, 0.5
_LEAST_GAIN = 1e-3
#: Mean estimate (0 = the worst, 1 = the best of each study) below which a configuration is not worth a trial.
_LEAST_MEAN = 0.5


def zero_shot_configs(
    space: SearchSpace, context: StudyContext, trial_history: Sequence[PastTrial], *, mode: str = "max", size: int = 10
) -> list[Configuration]:
    """Configurations worth trying first, the best one first; fewer than `size` if more would add nothing.

    Args:
        space: of the present study.
        context: of the present study.
        trial_history: trials of earlier ones; studies with other parameters are passed over.
        mode: "max" or "min"; studies of the other kind are passed over.
        size: most configurations.
    """
    return portfolio(space, past_studies(space, context, trial_history, mode)[:_NEIGHBOURS], size)


def portfolio(space: SearchSpace, studies: Sequence[PastStudy], size: int) -> list[Configuration]:
    """Configurations that together do best over past studies, of which the nearer ones count more."""
    left = {
        number: (config, [_estimate(study, space, config) for study in studies])
        for number, config in enumerate(_candidates(space, studies))
    }
    reached = [0.0] * len(studies)
    picked: list[Configuration] = []
    while left and len(picked) < size:
        gains = {n: _mean(studies, map(max, estimates, reached)) for n, (_, estimates) in left.items()}
        means = {n: _mean(studies, estimates) for n, (_, estimates) in left.items()}
        if max(gains.values()) - _mean(studies, reached) >= _LEAST_GAIN:
            top = max(gains, key=lambda n: (gains[n], -n))
        else:
            top = max(means, key=lambda n: (means[n], -n))
            if means[top] < _LEAST_MEAN:
                break
        config, estimates = left.pop(top)
        reached = list(map(max, estimates, reached))
        picked.append(config)
    return picked


def _estimate(study: PastStudy, space: SearchSpace, config: Configuration) -> float:
    """What the configuration would reach in the study, from the trials around it."""
    total, weights = _MEAN_WEIGHT * sum(score for _, score in study.trials) / len(study.trials), _MEAN_WEIGHT
    for tried, score in study.trials:
        between = gaps(space, config, tried)
        square = sum(gap * gap for gap in between) / max(1, len(between))
        weight = math.exp(-square / (2 * _KERNEL_WIDTH**2))
        total, weights = total + weight * score, weights + weight
    return total / weights


def _mean(studies: Sequence[PastStudy], values: Iterable[float]) -> float:
    """Over the studies, each weighing the more the nearer it is."""
    weights = [_HALF_DISTANCE / (_HALF_DISTANCE + study.distance) for study in studies]
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


def _candidates(space: SearchSpace, studies: Sequence[PastStudy]) -> list[Configuration]:
    """The best configurations of each study, without those that are nearly the same."""
    found: list[Configuration] = []
    for study in studies:
        for config, score in sorted(study.trials, key=lambda trial: -trial[1])[:_POINTS_EACH]:
            if score > 0 and not is_near(space, config, found):
                found.append(config)
    return found


class ZeroShotSearch(TrackingSearcher):
    """The portfolio's configurations, then random ones; results of the present study change nothing.

    Args:
        space, study: see `TrackingSearcher`.
        configs: what `zero_shot_configs` gave.
        name: see `BaseSearcher`.
    """

    def __init__(
        self, space: SearchSpace, study: StudySettings, *, configs: Sequence[Configuration], name: str = "zero-shot"
    ) -> None:
        super().__init__(space, study, name=name)
        self._configs = [dict(config) for config in configs]

    def _propose(self, trial_id: str) -> tuple[Configuration, str]:
        tried = [attempt.config for attempt in self._attempts.values()]
        for config in self._configs:
            if not is_near(self.space, config, tried):
                return dict(config), self.name
        # The searcher's first name stays in the seed, which belongs to published figures.
        rng = random.Random(f"{self.seed}/prior/{len(tried)}")  # noqa: S311 - draws a configuration, not secrets
        return self.space.sample(rng), f"{self.name}:random"

    def settings(self) -> dict[str, Any]:
        """See `BaseSearcher.settings`."""
        return {**super().settings(), "configs": self._configs}


def zero_shot(
    space: SearchSpace,
    study: StudySettings,
    *,
    context: StudyContext | None = None,
    trial_history: str | None = None,
    size: Annotated[int, Field(ge=1)] = 10,
) -> ZeroShotSearch:
    """`ZeroShotSearch` over a trial history.

    Args:
        space, study: see `TrackingSearcher`.
        context: what the study is about; without it no shipped trials are used, and all studies of a file are equally
            near.
        trial_history: JSONL file, perhaps compressed (.gz); None = AUTOMMLAB_TRIAL_HISTORY, else that of this package.
        size: most configurations before it draws at random.

    Raises:
        SearcherError: the file cannot be used.
    """
    about = context or StudyContext()
    missing = why_not_applied(trial_history, space, about, study.mode)
    known = [] if missing else load_history(history_or_shipped(trial_history))
    configs = zero_shot_configs(space, about, known, mode=study.mode, size=size)
    searcher = ZeroShotSearch(space, study, configs=configs)
    searcher.without_past_trials(missing, "it draws at random")
    return searcher
