"""Better answers than a bag's few trials hold: where a surrogate of all bags expects most, inside the asked-for bounds.

Twenty random configurations rarely have the optimum among them, and the best of twenty is partly noise. The surrogate
averages over the trials around a configuration and over like bags, so what all bags agree on (a larger budget, a rate
within a factor of three) shows in every answer. Whether that makes a better adapter is for `bench hpo` to say.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from searchers.distance import is_near
from searchers.llm.answer_schema import grid, snap
from searchers.space import ChoiceParameter, Configuration, Parameter, SearchSpace
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.surrogate import Surrogate

#: Random starts, those of them that are improved, and rounds over all parameters.
_STARTS, _IMPROVED, _SWEEPS = 160, 4, 2
#: Most values of a parameter that are compared.
_VALUES = 24
#: Values within this of the best one are as good: the trees see steps where there are none.
_TIE = 1e-3


class Guide:
    """The best configurations of a bag by a surrogate.

    Args:
        recorded: of all bags that may be learnt from, and of no other.
    """

    def __init__(self, recorded: Sequence[RecordedTrial]) -> None:
        self._surrogate = Surrogate(recorded)

    def values(self, bag: str, configs: Sequence[Configuration]) -> list[float]:
        """What the surrogate expects of configurations in a bag."""
        return self._surrogate.values(bag, configs) if configs else []

    def best(self, bag: str, space: SearchSpace, rng: random.Random) -> list[tuple[Configuration, float]]:
        """Different good configurations with what they are expected to reach, the best first.

        Args:
            bag: its name in the plan.
            space: the bounds, which may be narrower than the bag's own.
            rng: of the starts.
        """
        starts = [snap(space, space.sample(rng)) for _ in range(_STARTS)]
        ranked = sorted(zip(self.values(bag, starts), range(_STARTS), strict=True), reverse=True)
        found: list[tuple[Configuration, float]] = []
        for _, number in ranked[:_IMPROVED]:
            config = self._improved(bag, space, starts[number])
            if not is_near(space, config, [other for other, _ in found]):
                found.append((config, self.values(bag, [config])[0]))
        return sorted(found, key=lambda entry: -entry[1])

    def _improved(self, bag: str, space: SearchSpace, config: Configuration) -> Configuration:
        """One parameter after the other at its best value, the others held."""
        for _ in range(_SWEEPS):
            for parameter in space.parameters:
                options = _options(parameter)
                values = self.values(bag, [{**config, parameter.name: option} for option in options])
                config = {**config, parameter.name: _best_of(parameter, options, values)}
        return config


def _options(parameter: Parameter) -> Sequence[int | float | str]:
    steps = grid(parameter)
    if len(steps) <= _VALUES:
        return steps
    return [steps[round(number * (len(steps) - 1) / (_VALUES - 1))] for number in range(_VALUES)]


def _best_of(parameter: Parameter, options: Sequence[int | float | str], values: Sequence[float]) -> int | float | str:
    """Of equally good neighbours the middle one; the bound where they reach one of the two, and not the other."""
    top = max(values)
    if isinstance(parameter, ChoiceParameter):
        return options[values.index(top)]
    at = values.index(top)
    first = last = at
    while first > 0 and values[first - 1] >= top - _TIE:
        first -= 1
    while last < len(options) - 1 and values[last + 1] >= top - _TIE:
        last += 1
    at_low, at_high = first == 0, last == len(options) - 1
    if at_low != at_high:
        return options[0] if at_low else options[-1]
    return options[(first + last) // 2]
