"""Searchers whom results tell nothing: random draws, `default`, and quasi-random ones.

The configurations of a scrambled Sobol sequence fill a space more evenly than random ones. The n-th depends on the seed
and n alone, so a longer study begins with those of a shorter one, and studies with other bounds try the same places
within their own.
"""

from __future__ import annotations

import math
import random
from functools import lru_cache

from autommlab.common.errors import SearcherError
from searchers.context import StudySettings
from searchers.distance import from_unit_value
from searchers.space import ChoiceParameter, Configuration, IntParameter, Parameter, SearchSpace, nth_step, steps
from searchers.tracking import TrackingSearcher

#: Fewest configurations drawn at once; a power of two, as Sobol's sequence is balanced over such blocks.
_BLOCK = 64


class RandomSearch(TrackingSearcher):
    """Independent draws; the n-th one depends on the seed and n alone.

    So the state holds no generator, and two studies with the same seed see the
    same draws whatever their first configurations or results were.
    """

    def __init__(self, space: SearchSpace, study: StudySettings) -> None:
        super().__init__(space, study, name="random")

    def _propose(self, trial_id: str) -> tuple[Configuration, str]:
        number = len(self._attempts) - len(self._first_configs)
        rng = random.Random(f"{self.seed}/{number}")  # noqa: S311 - draws a configuration, not secrets
        return self.space.sample(rng), "random"


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


def unit_point(dimensions: int, number: int, seed: int) -> tuple[float, ...]:
    """The `number`-th point (from 0) of the sequence in the unit cube, each coordinate in [0, 1)."""
    return _unit_points(dimensions, max(_BLOCK, 1 << number.bit_length()), seed)[number]


def sobol_config(space: SearchSpace, number: int, seed: int) -> Configuration:
    """The `number`-th configuration (from 0) of the sequence in a space."""
    pairs = zip(space.parameters, unit_point(len(space.parameters), number, seed), strict=True)
    return space.clip({parameter.name: _value(parameter, fraction) for parameter, fraction in pairs})


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
    if (last := steps(parameter)) is not None and not parameter.log:
        return nth_step(parameter, min(int(fraction * (last + 1)), last))
    if not isinstance(parameter, IntParameter):
        return from_unit_value(parameter, fraction)
    # Half a step beyond both ends, so that the bounds are as likely as what lies between.
    low, high = parameter.low - 0.5, parameter.high + 0.5
    if not parameter.log:
        return round(low + fraction * (high - low))
    return round(math.exp(math.log(low) + fraction * (math.log(high) - math.log(low))))
