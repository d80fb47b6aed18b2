"""Quasi-random search: the configurations of a scrambled Sobol sequence, which fill a space more evenly than random
ones.

The n-th configuration depends on the seed and n alone, so a longer study begins with the configurations of a shorter
one, and studies with other bounds try the same places within their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from searchers.context import StudySettings
from searchers.distance import from_unit_value
from searchers.space import ChoiceParameter, Configuration, IntParameter, Parameter, SearchSpace
from searchers.tracking import TrackingSearcher

#: Fewest configurations drawn at once; a power of two, as Sobol's sequence is balanced over such blocks.
_BLOCK = 64


def unit_point(dimensions: int, number: int, seed: int) -> tuple[float, ...]:
    """The `number`-th configuration (from 0) of the sequence in the unit cube, each coordinate in [0, 1)."""
    size = _BLOCK
    while size <= number:
        size *= 2
    return _unit_points(dimensions, size, seed)[number]


def at_unit(space: SearchSpace, unit: Sequence[float]) -> Configuration:
    """The configuration of a space at these coordinates of the unit cube, one for each parameter."""
    pairs = zip(space.parameters, unit, strict=True)
    return space.clip({parameter.name: _value(parameter, fraction) for parameter, fraction in pairs})


def sobol_config(space: SearchSpace, number: int, seed: int) -> Configuration:
    """The `number`-th configuration (from 0) of the sequence in a space."""
    return at_unit(space, unit_point(len(space.parameters), number, seed))


class SobolSearch(TrackingSearcher):
    """Owen-scrambled Sobol configurations, one after the other; results change nothing.

    Two studies with the same seed see the same configurations whatever their first configurations or results were.
    """

    def __init__(self, space: SearchSpace, study: StudySettings) -> None:
        super().__init__(space, study, name="sobol")

    def _propose(self, trial_id: str) -> tuple[Configuration, str]:
        return sobol_config(self.space, len(self._attempts) - len(self._first_configs), self.seed), "sobol"


@lru_cache(maxsize=16)
def _unit_points(dimensions: int, count: int, seed: int) -> list[tuple[float, ...]]:
    from scipy.stats import qmc

    drawn = qmc.Sobol(dimensions, scramble=True, rng=seed).random(count)
    return [tuple(map(float, row)) for row in drawn]


def _value(parameter: Parameter, fraction: float) -> float | str:
    if isinstance(parameter, ChoiceParameter):
        return parameter.choices[min(int(fraction * len(parameter.choices)), len(parameter.choices) - 1)]
    if not isinstance(parameter, IntParameter):
        return from_unit_value(parameter, fraction)
    # Half a step beyond both ends, so that the bounds are as likely as what lies between.
    low, high = parameter.low - 0.5, parameter.high + 0.5
    if not parameter.log:
        return round(low + fraction * (high - low))
    return round(math.exp(math.log(low) + fraction * (math.log(high) - math.log(low))))
