"""The configurations that every bag tries: the same points of the unit cube, within each bag's bounds."""

from __future__ import annotations

from collections.abc import Sequence

import searchers
from searchers.sobol import SobolSearch, sobol_point
from searchers.space import Point, SearchSpace

#: Name under which the plan's points are known as a searcher, in this process.
SEARCHER = "triplets"
#: Of the sequence; a study's own seed decides the initialisation only, so that a repeated point is the same point.
POINTS_SEED = 0


def plan_points(space: SearchSpace, count: int) -> list[Point]:
    """The first `count` configurations in a bag's space; more of them begin with the same ones."""
    return [sobol_point(space, number, POINTS_SEED) for number in range(count)]


def register_searcher() -> str:
    """Make the plan's points known to `searchers.create` and give their name, also with "+default"."""
    if SEARCHER not in searchers.names():
        searchers.register(SEARCHER, _same_points)
    return SEARCHER


def _same_points(
    space: SearchSpace, *, metric: str | None, mode: str, seed: int, first_points: Sequence[Point]
) -> SobolSearch:
    return SobolSearch(space, metric=metric, mode=mode, seed=POINTS_SEED, first_points=first_points)
