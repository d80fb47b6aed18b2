"""Random search: every trial drawn on its own, (log-)uniformly in each parameter."""

from __future__ import annotations

import random
from collections.abc import Sequence

from searchers.errors import SearcherError
from searchers.space import Configuration, SearchSpace
from searchers.tracking import TrackingSearcher


class RandomSearch(TrackingSearcher):
    """Independent draws; the n-th one depends on the seed and n alone.

    So the state holds no generator, and two studies with the same seed see the
    same draws whatever their first configurations or results were.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        metric: str | None = None,
        mode: str = "max",
        seed: int,
        first_configs: Sequence[Configuration] = (),
    ) -> None:
        super().__init__(space, metric=metric, mode=mode, seed=seed, first_configs=first_configs, name="random")

    def _propose(self, trial_id: str) -> tuple[Configuration, str]:
        number = len(self._attempts) - len(self._first_configs)
        return self.space.sample(random.Random(f"{self.seed}/{number}")), "random"


class DefaultSearch(RandomSearch):
    """Tries the given default configuration(s), then draws what `RandomSearch` of the same seed draws.

    Args:
        space: what may be proposed.
        metric: key of the objective in a result.
        mode: "max" or "min".
        seed: whole number from which all randomness comes.
        first_configs: the default configuration, translated into the space by the caller; at least one.

    Raises:
        SearcherError: `first_configs` is empty or leaves the space.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        metric: str | None = None,
        mode: str = "max",
        seed: int,
        first_configs: Sequence[Configuration] = (),
    ) -> None:
        if not first_configs:
            raise SearcherError(
                "the searcher 'default' needs first_configs: the default configuration as a configuration of the space"
            )
        super().__init__(space, metric=metric, mode=mode, seed=seed, first_configs=first_configs)
        self.name = "default"
        self._first_origin = "default"
