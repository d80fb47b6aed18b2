"""One proposal as text: a JSON schema under which every answer is a configuration of the space.

Numbers stand on a grid, so that a grammar can list them: logarithmic reals in the E24 steps (24 a
decade, two digits: 1, 1.1, 1.2, 1.3, 1.5, ...), everything else in at most about 60 even steps.
Reals are written as strings ("3.3e-4"): the grammar engine prints numbers of an enum with 17
digits ("1.0000000000000001e-05", seen with xgrammar 0.2), which costs tokens and teaches nonsense.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

from autommlab.common.errors import SearcherError
from autommlab.common.wording import number_text
from searchers.space import (
    ChoiceParameter,
    Configuration,
    FloatParameter,
    IntParameter,
    Parameter,
    SearchSpace,
    nth_step,
    steps,
)

#: IEC 60063: 24 values a decade, each about a tenth above the one before.
_E24 = (10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30, 33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91)
_MOST_VALUES = 60
_MOST_LOG_VALUES = 240
#: JSON numbers beyond this are not exact everywhere.
_EXACT = 2**53


class AnswerError(SearcherError):
    """A text that is no proposal; says what is wrong with it."""


def grid(parameter: Parameter) -> tuple[int | float | str, ...]:
    """Every value that an answer may give, ascending; the bounds are among them."""
    if isinstance(parameter, ChoiceParameter):
        return parameter.choices
    last = steps(parameter)
    if last is None:
        return _grid_of_range(parameter)
    if last < _MOST_VALUES + 4:
        return tuple(nth_step(parameter, number) for number in range(last + 1))
    # The space's own grid is finer than an answer's.
    range_only = parameter.model_copy(update={"step": None})
    on_both = SearchSpace(parameters=(parameter,))
    return tuple(sorted({on_both.clip({parameter.name: v})[parameter.name] for v in _grid_of_range(range_only)}))


def _grid_of_range(parameter: IntParameter | FloatParameter) -> tuple[int | float, ...]:
    low, high = parameter.low, parameter.high
    if isinstance(parameter, IntParameter) and high - low < _MOST_VALUES + 4:
        return tuple(range(int(low), int(high) + 1))
    if isinstance(parameter, IntParameter):
        whole = {round(value) for value in _values(parameter, _MOST_VALUES)}
        if parameter.log:  # batch sizes of 32, 64, 128
            whole |= {2**power for power in range(int(low).bit_length() - 1, int(high).bit_length())}
        return tuple(sorted({value for value in whole if low <= value <= high} | {int(low), int(high)}))
    inside = {float(value) for value in _values(parameter, _MOST_LOG_VALUES)}
    return tuple(sorted({value for value in inside if low <= value <= high} | {float(low), float(high)}))


def grid_size(space: SearchSpace) -> int:
    """How many configurations answers can tell apart."""
    return math.prod(len(grid(parameter)) for parameter in space.parameters)


def proposal_schema(space: SearchSpace) -> dict[str, Any]:
    """The JSON schema of one proposal: every parameter, in the space's order, and nothing else."""
    return {
        "type": "object",
        "properties": {p.name: {"enum": [_written(value) for value in grid(p)]} for p in space.parameters},
        "required": list(space.names()),
        "additionalProperties": False,
    }


def longest_answer(space: SearchSpace) -> int:
    """Characters of the longest answer, which bound its tokens."""
    return sum(
        len(json.dumps(p.name)) + max(len(json.dumps(_written(value))) for value in grid(p)) + 4
        for p in space.parameters
    )


def snap(space: SearchSpace, config: Configuration) -> Configuration:
    """The configuration of the grid next to `config`, which must lie in the space."""
    return {p.name: _nearest(p, config[p.name]) for p in space.parameters}


def format_answer(space: SearchSpace, config: Configuration) -> str:
    """The answer that proposes `config`, moved onto the grid; without blanks, as the service's grammar has
    it.
    """
    answer = {name: _written(value) for name, value in snap(space, config).items()}
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def parse_proposal(space: SearchSpace, text: str) -> Configuration:
    """The configuration that an answer proposes, inside the space.

    Raises:
        AnswerError: no JSON object, a parameter missing or unknown, or a value outside the space.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"not JSON ({error}): {text[:80]!r}") from error
    if not isinstance(given, dict):
        raise AnswerError(f"expected a JSON object, got {text[:80]!r}")
    by_name = {p.name: p for p in space.parameters}
    config = {name: _read(by_name[name], value) if name in by_name else value for name, value in given.items()}
    if problems := space.violations(config):
        raise AnswerError("; ".join(problems)[:300])
    return {name: config[name] for name in space.names()}


def _written(value: float | str) -> int | str:
    if isinstance(value, float) or (isinstance(value, int) and abs(value) >= _EXACT):
        return number_text(value)
    return value


def _read(parameter: Parameter, value: Any) -> Any:
    """Numbers may come as text or as a number of the other type; all else is left to the space's check."""
    if isinstance(parameter, ChoiceParameter) or isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    try:
        if isinstance(parameter, FloatParameter):
            return float(value)
        return int(value) if isinstance(value, str | int) or value == int(value) else value
    except (ValueError, OverflowError):
        return value


def _nearest(parameter: Parameter, value: Any) -> int | float | str:
    if isinstance(parameter, ChoiceParameter):
        return str(value)
    steps = grid(parameter)
    if value in steps:  # neighbours one bit apart have the same logarithm
        return steps[steps.index(value)]
    scale = math.log if parameter.log else float
    return min(steps, key=lambda step: abs(scale(float(step)) - scale(float(value))))


def _values(parameter: IntParameter | FloatParameter, most: int) -> list[Decimal]:
    if parameter.log:
        return _log_values(parameter.low, parameter.high, most)
    return _even_values(parameter.low, parameter.high)


def _log_values(low: float, high: float, most: int) -> list[Decimal]:
    """E24 values of all decades that the range touches; every second, third ... if they are too many."""
    decades = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    steps = (Decimal(digits).scaleb(decade - 1) for decade in decades for digits in _E24)
    inside = [step for step in steps if low <= float(step) <= high]
    return inside[:: max(1, math.ceil(len(inside) / most))]


def _even_values(low: float, high: float) -> list[Decimal]:
    """Multiples of the smallest step of 1, 2 or 5 times a power of ten that keeps them few."""
    if low == high:
        return []
    first, last = Decimal(low), Decimal(high)
    power = ((last - first) / _MOST_VALUES).adjusted()
    for digit, shift in ((1, 0), (2, 0), (5, 0), (1, 1)):
        step = Decimal(digit).scaleb(power + shift)
        if (last - first) / step <= _MOST_VALUES:
            break
    start = (first / step).to_integral_value(rounding="ROUND_CEILING")
    count = int(((last - start * step) / step).to_integral_value(rounding="ROUND_FLOOR"))
    return [(start + number) * step for number in range(count + 1)]
