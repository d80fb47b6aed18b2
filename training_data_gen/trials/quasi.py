"""The configurations that a bag tries: points of a Sobol sequence and points around the toolbox's own recipe.

Each bag of a task has another scrambling: the same points in every bag would leave most of the space unseen, however
many bags there are. In 46 of 60 bags none of 20 Sobol points beat the recipe: what does is to be learnt near it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial

import searchers
from searchers.distance import at_place, is_near, place
from searchers.sobol import SobolSearch, sobol_point
from searchers.space import ChoiceParameter, Parameter, Point, SearchSpace

#: Name under which the plan's points are known as a searcher, in this process; a sequence's number comes behind it.
SEARCHER = "triplets"
#: How often a value around the recipe is the recipe's own, and how far another number lies, as a share of the range.
_KEPT, _REACH = 0.4, 0.15
_TRIES = 50


def plan_points(space: SearchSpace, count: int, sequence: int = 0) -> list[Point]:
    """The first `count` configurations of a sequence in a bag's space; more of them begin with the same ones."""
    return [sobol_point(space, number, sequence) for number in range(count)]


def near_points(space: SearchSpace, recipe: Point, count: int, sequence: int = 0) -> list[Point]:
    """So many different configurations around a recipe, which is none of them; more begin with the same ones.

    Fewer where the space has not so many.
    """
    rng = random.Random(f"near/{sequence}")
    found: list[Point] = []
    for _ in range(_TRIES * count):
        if len(found) == count:
            break
        point = space.clip({p.name: _moved(p, recipe[p.name], rng) for p in space.parameters})
        if not is_near(space, point, [recipe, *found]):
            found.append(point)
    return found


def _moved(parameter: Parameter, value: float | str, rng: random.Random) -> float | str:
    if rng.random() < _KEPT:
        return value
    if isinstance(parameter, ChoiceParameter) or isinstance(value, str):
        return rng.choice(parameter.choices) if isinstance(parameter, ChoiceParameter) else value
    return at_place(parameter, min(1.0, max(0.0, place(parameter, value) + rng.gauss(0, _REACH))))


def register_near(points: Sequence[Point], bag: str) -> str:
    """Make a searcher known that proposes these points, and give its name."""
    name = f"{SEARCHER}-near-{bag}"
    if name not in searchers.names():
        searchers.register(name, partial(_given, tuple(points)))
    return name


def _given(
    points: Sequence[Point], space: SearchSpace, *, metric: str | None, mode: str, seed: int,
    first_points: Sequence[Point],
) -> SobolSearch:  # fmt: skip
    return SobolSearch(space, metric=metric, mode=mode, seed=seed, first_points=points)


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
