"""The transfer surrogate without an LLM: what `hpo-llama` must beat for the LLM, and not the score that ranks its
candidates, to be worth its cost.
"""

from __future__ import annotations

import random

from searchers.context import StudyContext, StudySettings
from searchers.distance import is_near
from searchers.space import Configuration, SearchSpace
from searchers.tracking import TrackingSearcher
from searchers.transfer.prospects import Prospects, neighbour_draws
from searchers.transfer.transfer_surrogate import TransferSurrogate, surrogate_for

#: Random configurations of which a proposal is the best.
_DRAWS = 512


class SurrogateSearch(TrackingSearcher):
    """Greedy in the score among new random configurations; random where there are no earlier studies. Results change
    nothing.

    Args:
        space, study: see `TrackingSearcher`.
        score: of any configuration; None = there are no earlier studies.
    """

    def __init__(self, space: SearchSpace, study: StudySettings, *, score: TransferSurrogate | None) -> None:
        super().__init__(space, study, name="surrogate")
        self._score = score

    def _propose(self, trial_id: str) -> tuple[Configuration, str]:
        tried = [attempt.config for attempt in self._attempts.values()]
        # The searcher's first name stays in the seed, which belongs to published figures.
        rng = random.Random(f"{self.seed}/forest/{len(tried)}")  # noqa: S311 - draws configurations, not secrets
        if self._score is None:
            return self.space.sample(rng), f"{self.name}:random"
        drawn = [self.space.sample(rng) for _ in range(_DRAWS)]
        values = self._score.values(drawn)
        ranked = [drawn[n] for n in sorted(range(_DRAWS), key=lambda n: -values[n])]
        return next((config for config in ranked if not is_near(self.space, config, tried)), ranked[0]), self.name


class SurrogateGridSearch(TrackingSearcher):
    """The best of a grid around the default configuration and of the neighbourhood of the best trial (`Prospects`).

    Random where there are no earlier studies, and where all of these have been tried.

    Args:
        space, study: see `TrackingSearcher`.
        prospects: None = there are no earlier studies.
    """

    def __init__(self, space: SearchSpace, study: StudySettings, *, prospects: Prospects | None) -> None:
        super().__init__(space, study, name="surrogate-grid")
        self._prospects = prospects

    def _propose(self, trial_id: str) -> tuple[Configuration, str]:
        rng = neighbour_draws(self.seed, len(self._attempts))
        found = self._prospects.best(self._attempts.values(), rng) if self._prospects else None
        if found is None:
            return self.space.sample(rng), f"{self.name}:random"
        return found.config, self.name


def surrogate(
    space: SearchSpace, study: StudySettings, *, context: StudyContext | None = None, trial_history: str | None = None
) -> SurrogateSearch:
    """`SurrogateSearch` over a trial history.

    Args:
        space, study: see `TrackingSearcher`.
        context: what the study is about; without it no shipped trials are used, and all studies of a file count alike.
        trial_history: JSONL file, perhaps compressed (.gz); None = AUTOMMLAB_TRIAL_HISTORY, else that of this package.

    Raises:
        SearcherError: the file cannot be used.
    """
    score, missing = surrogate_for(trial_history, space, context or StudyContext(), study.mode)
    searcher = SurrogateSearch(space, study, score=score)
    searcher.without_past_trials(missing, "it draws at random")
    return searcher


def surrogate_grid(
    space: SearchSpace, study: StudySettings, *, context: StudyContext | None = None, trial_history: str | None = None
) -> SurrogateGridSearch:
    """`SurrogateGridSearch` over a trial history; arguments as in `surrogate`.

    Without a default configuration in the context there is no grid, and the first trial is random.
    """
    known = context or StudyContext()
    score, missing = surrogate_for(trial_history, space, known, study.mode)
    prospects = Prospects(space, score, study.mode, known.default) if score else None
    searcher = SurrogateGridSearch(space, study, prospects=prospects)
    searcher.without_past_trials(missing, "it draws at random")
    return searcher
