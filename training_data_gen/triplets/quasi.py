"""The configurations that a bag tries: points of a Sobol sequence, in another scrambling for each bag of a task.

The same points in every bag would leave most of the space unseen, however many bags there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import searchers
from searchers.sobol import SobolSearch, sobol_point
from searchers.space import Point, SearchSpace

#: Name under which the plan's points are known as a searcher, in this process; a sequence's number comes behind it.
SEARCHER = "triplets"


def plan_points(space: SearchSpace, count: int, sequence: int = 0) -> list[Point]:
    """The first `count` configurations of a sequence in a bag's space; more of them begin with the same ones."""
    return [sobol_point(space, number, sequence) for number in range(count)]


def register_searcher(sequence: int = 0) -> str:
    """Make a sequence known to `searchers.create` and give its name, also with "+default".

    A study's own seed decides the initialisation only, so that a point repeated under other seeds is the same one.
    """
    name = f"{SEARCHER}-{sequence}"
    if name not in searchers.names():
        searchers.register(name, partial(_points, sequence))
    return name


def _points(
    sequence: int, space: SearchSpace, *, metric: str | None, mode: str, seed: int, first_points: Sequence[Point]
) -> SobolSearch:
    return SobolSearch(space, metric=metric, mode=mode, seed=sequence, first_points=first_points)
