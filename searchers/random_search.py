"""Random search: every trial drawn on its own, (log-)uniformly in each parameter; `default` tries a given one first."""

from __future__ import annotations

import random

from autommlab.common.errors import SearcherError
from searchers.context import StudySettings
from searchers.space import Configuration, SearchSpace
from searchers.tracking import TrackingSearcher


class RandomSearch(TrackingSearcher):
    """Independent draws; the n-th one depends on the seed and n alone.

    So the state holds no generator, and two studies with the same seed see the
    same draws whatever their first configurations or results were.
    """

    def __init__(self, space: SearchSpace, study: StudySettings) -> None:
        super().__init__(space, study, name="random")

    def _propose(self, trial_id: str) -> tuple[Configuration, str]:
        number = len(self._attempts) - len(self._first_configs)
        return self.space.sample(random.Random(f"{self.seed}/{number}")), "random"


class DefaultSearch(RandomSearch):
    """Tries the first configurations of the study, then draws what `RandomSearch` of the same seed draws.

    Raises:
        SearcherError: the study has no first configuration, or one leaves the space.
    """

    def __init__(self, space: SearchSpace, study: StudySettings) -> None:
        if not study.first_configs:
            raise SearcherError("the searcher 'default' needs first_configs: the default configuration of the study")
        super().__init__(space, study)
        self.name = self._first_origin = "default"
