"""The learned score without an LLM: of many points the one that past trials let one expect most of.

What `hpo-llama` must beat for the LLM, and not the score that ranks its candidates, to be worth its cost.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from searchers.context import StudyContext
from searchers.distance import is_near
from searchers.space import Point, SearchSpace
from searchers.tracking import TrackingSearcher
from searchers.transfer.transfer_surrogate import LearnedScore, score_from
from searchers.transfer.trial_history import experience_or_shipped

#: Random points of which a proposal is the best.
_DRAWS = 512


class ForestSearch(TrackingSearcher):
    """Greedy in the score among new random points; random where there are no earlier studies. Results change nothing.

    Args:
        space: what may be proposed.
        score: of any point; None = there are no earlier studies.
        settings: see `TrackingSearcher`.
    """

    def __init__(self, space: SearchSpace, *, score: LearnedScore | None, **settings: Any) -> None:
        super().__init__(space, name="forest", **settings)
        self._score = score

    def _propose(self, trial_id: str) -> tuple[Point, str]:
        tried = [attempt.point for attempt in self._attempts.values()]
        rng = random.Random(f"{self.seed}/forest/{len(tried)}")
        if self._score is None:
            return self.space.sample(rng), f"{self.name}:random"
        drawn = [self.space.sample(rng) for _ in range(_DRAWS)]
        values = self._score.values(drawn)
        ranked = [drawn[n] for n in sorted(range(_DRAWS), key=lambda n: -values[n])]
        return next((point for point in ranked if not is_near(self.space, point, tried)), ranked[0]), self.name


def forest(
    space: SearchSpace,
    *,
    metric: str | None = None,
    mode: str = "max",
    seed: int,
    first_points: Sequence[Point] = (),
    context: StudyContext | None = None,
    experience: str | None = None,
) -> ForestSearch:
    """`ForestSearch` over an experience file.

    Args:
        space, metric, mode, seed, first_points: see `TrackingSearcher`.
        context: what the study is about; without it all earlier studies count alike.
        experience: JSONL file, perhaps compressed (.gz); None = AUTOMMLAB_EXPERIENCE, else that of this package.

    Raises:
        SearcherError: the file cannot be used.
    """
    score = score_from(experience_or_shipped(experience), space, context or StudyContext(), mode)
    return ForestSearch(space, score=score, metric=metric, mode=mode, seed=seed, first_points=first_points)
