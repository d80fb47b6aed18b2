"""How far apart two configurations of a space are, in fractions of each parameter's range."""

from __future__ import annotations

import math
from collections.abc import Iterable

from searchers.settings import NEAR
from searchers.space import ChoiceParameter, Configuration, Parameter, SearchSpace


def unit_value(parameter: Parameter, value: float | str) -> float:
    """Where a number lies in its range: 0 at the lower bound, 1 at the upper one (logarithmic if it is)."""
    if isinstance(parameter, ChoiceParameter) or parameter.low == parameter.high:
        return 0.0
    scale = math.log if parameter.log else float
    low, high = scale(parameter.low), scale(parameter.high)
    return (scale(float(value)) - low) / (high - low)


def from_unit_value(parameter: Parameter, fraction: float) -> float:
    """The number at that fraction of the range; the reverse of `unit_value`, not yet rounded."""
    if isinstance(parameter, ChoiceParameter):
        raise TypeError(f"{parameter.name} has no range")
    if not parameter.log:
        return parameter.low + fraction * (parameter.high - parameter.low)
    return math.exp(math.log(parameter.low) + fraction * (math.log(parameter.high) - math.log(parameter.low)))


def coordinates(space: SearchSpace, config: Configuration) -> list[float]:
    """Numbers by their place, choices one by one: two that differ are one whole range apart, whichever they are."""
    found: list[float] = []
    for parameter in space.parameters:
        value = config[parameter.name]
        if isinstance(parameter, ChoiceParameter):
            found += [(value == choice) / math.sqrt(2) for choice in parameter.choices]
        else:
            found.append(unit_value(parameter, value))
    return found


def gaps(space: SearchSpace, one: Configuration, other: Configuration) -> list[float]:
    """For each parameter 0 (equal) to 1 (other choice, or the whole range between them)."""
    return [
        float(one[p.name] != other[p.name])
        if isinstance(p, ChoiceParameter)
        else abs(unit_value(p, one[p.name]) - unit_value(p, other[p.name]))
        for p in space.parameters
    ]


def is_near(
    space: SearchSpace, config: Configuration, others: Iterable[Configuration], tolerance: float = NEAR
) -> bool:
    """Whether one of `others` is so close in every parameter that a trial would tell nothing new."""
    return any(max(gaps(space, config, other), default=0.0) < tolerance for other in others)
