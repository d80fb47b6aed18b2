"""Random search: every trial drawn on its own, (log-)uniformly in each parameter."""

from __future__ import annotations

import random
from collections.abc import Sequence

from searchers.errors import SearcherError
from searchers.space import Point, SearchSpace
from searchers.tracking import TrackingSearcher


class RandomSearch(TrackingSearcher):
    """Independent draws; the n-th one depends on the seed and n alone.

    So the state holds no generator, and two studies with the same seed see the
    same draws whatever their first points or results were.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        metric: str | None = None,
        mode: str = "max",
        seed: int,
        first_points: Sequence[Point] = (),
    ) -> None:
        super().__init__(space, metric=metric, mode=mode, seed=seed, first_points=first_points, name="random")

    def _propose(self, trial_id: str) -> tuple[Point, str]:
        number = len(self._attempts) - len(self._first_points)
        return self.space.sample(random.Random(f"{self.seed}/{number}")), "random"


class DefaultRecipe(RandomSearch):
    """Tries the given recipe(s), then draws what `RandomSearch` of the same seed draws.

    Args:
        space: what may be proposed.
        metric: key of the objective in a result.
        mode: "max" or "min".
        seed: whole number from which all randomness comes.
        first_points: the recipe, translated into the space by the caller; at least one.

    Raises:
        SearcherError: `first_points` is empty or leaves the space.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        metric: str | None = None,
        mode: str = "max",
        seed: int,
        first_points: Sequence[Point] = (),
    ) -> None:
        if not first_points:
            raise SearcherError(
                "the searcher 'default' needs first_points: the toolbox's recipe as a point of the space"
            )
        super().__init__(space, metric=metric, mode=mode, seed=seed, first_points=first_points)
        self.name = "default"
        self._first_origin = "default"
