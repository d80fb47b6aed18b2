"""The search space as searchers see it: a few bounded parameters, nothing of vision.

Suggestions are plain Python values inside the bounds and on the grid of their step. Spaces written
for Ray Tune or Optuna come and go through `searchers.conversion`.
"""

from __future__ import annotations

import math
import random
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: A proposed configuration: parameter name -> plain int, float or str.
Configuration = dict[str, int | float | str]

#: How far a value may lie beside its grid, in steps: rounding.
_OFF_GRID = 1e-6


class _Parameter(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str


def _is_none(value: object) -> bool:
    return value is None


class IntParameter(_Parameter):
    """Whole numbers from `low` to `high`, both included; `log` draws evenly in the logarithm.

    With a `step` only `low`, `low + step`, ... up to `high`, which is one of them.
    """

    kind: Literal["int"] = "int"
    low: int
    high: int
    log: bool = False
    # Left out of what is stored where there is none, as in all older records.
    step: int | None = Field(default=None, gt=0, exclude_if=_is_none)

    @model_validator(mode="after")
    def _bounds(self) -> IntParameter:
        _check_bounds(self)
        return self


class FloatParameter(_Parameter):
    """Real numbers from `low` to `high`; `log` draws evenly in the logarithm, `step` is as in `IntParameter`."""

    kind: Literal["float"] = "float"
    low: float
    high: float
    log: bool = False
    step: float | None = Field(default=None, gt=0, exclude_if=_is_none)

    @model_validator(mode="after")
    def _bounds(self) -> FloatParameter:
        _check_bounds(self)
        return self


class ChoiceParameter(_Parameter):
    """One of a few names without order."""

    kind: Literal["choice"] = "choice"
    choices: tuple[str, ...] = Field(min_length=1)


Parameter = Annotated[IntParameter | FloatParameter | ChoiceParameter, Field(discriminator="kind")]


class SearchSpace(BaseModel):
    """Independent parameters, each with its bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parameters: tuple[Parameter, ...]

    def names(self) -> tuple[str, ...]:
        """Parameter names in order."""
        return tuple(parameter.name for parameter in self.parameters)

    def violations(self, config: Configuration) -> list[str]:
        """Everything that is wrong with `config`, each as one sentence; empty if it lies inside."""
        problems = [f"unknown parameter {name!r}" for name in config if name not in self.names()]
        for parameter in self.parameters:
            if parameter.name not in config:
                problems.append(f"{parameter.name} is missing")
            else:
                problems += _violation(parameter, config[parameter.name])
        return problems

    def __contains__(self, config: object) -> bool:
        return isinstance(config, dict) and not self.violations(config)

    def clip(self, config: Configuration) -> Configuration:
        """The nearest configuration inside the space; a choice that does not exist becomes the first one."""
        return {p.name: _clip(p, config[p.name]) for p in self.parameters}

    def sample(self, rng: random.Random) -> Configuration:
        """One uniformly (or log-uniformly) random configuration."""
        return {p.name: _sample(p, rng) for p in self.parameters}


def steps(parameter: IntParameter | FloatParameter) -> int | None:
    """How many steps lead from `low` to `high`; None if there is no grid."""
    return None if parameter.step is None else round((parameter.high - parameter.low) / parameter.step)


def nth_step(parameter: IntParameter | FloatParameter, number: int) -> int | float:
    """The value after `number` steps; 0.1 three times is 0.3, not 0.30000000000000004."""
    if isinstance(parameter, IntParameter):
        return parameter.low + number * (parameter.step or 1)
    return float(Decimal(repr(parameter.low)) + number * Decimal(repr(parameter.step or 0.0)))


def _check_bounds(parameter: IntParameter | FloatParameter) -> None:
    name, low, high, step = parameter.name, parameter.low, parameter.high, parameter.step
    if not low <= high:
        raise ValueError(f"{name}: low must not exceed high, got low={low}, high={high}")
    if parameter.log and low <= 0:
        raise ValueError(f"{name}: a logarithmic range must be above 0, got low={low}")
    if step is not None and not math.isclose(round((high - low) / step) * step, high - low, abs_tol=_OFF_GRID * step):
        raise ValueError(f"{name}: high must be low plus whole steps, got low={low}, high={high}, step={step}")


def _violation(parameter: Parameter, value: object) -> list[str]:
    if isinstance(parameter, ChoiceParameter):
        if value in parameter.choices:
            return []
        return [f"{parameter.name}={value!r} is not one of {', '.join(parameter.choices)}"]
    number = int if isinstance(parameter, IntParameter) else (int, float)
    if isinstance(value, bool) or not isinstance(value, number) or not math.isfinite(value):
        return [f"{parameter.name}={value!r} is not a {parameter.kind}"]
    if not parameter.low <= value <= parameter.high:
        return [f"{parameter.name}={value!r} is outside {parameter.low}..{parameter.high}"]
    if parameter.step is not None and abs(_on_grid(parameter, value) - value) > _OFF_GRID * parameter.step:
        return [f"{parameter.name}={value!r} is not {parameter.low} plus whole steps of {parameter.step}"]
    return []


def _on_grid(parameter: IntParameter | FloatParameter, value: float) -> int | float:
    return nth_step(parameter, round((value - parameter.low) / (parameter.step or 1)))


def _clip(parameter: Parameter, value: Any) -> int | float | str:
    if isinstance(parameter, ChoiceParameter):
        return value if value in parameter.choices else parameter.choices[0]
    bounded = min(max(value, parameter.low), parameter.high)
    if parameter.step is not None:
        bounded = min(max(_on_grid(parameter, bounded), parameter.low), parameter.high)
    return round(bounded) if isinstance(parameter, IntParameter) else float(bounded)


def _sample(parameter: Parameter, rng: random.Random) -> int | float | str:
    if isinstance(parameter, ChoiceParameter):
        return rng.choice(parameter.choices)
    if (last := steps(parameter)) is not None and not parameter.log:
        return nth_step(parameter, rng.randint(0, last))
    if isinstance(parameter, IntParameter):
        if not parameter.log:
            return rng.randint(parameter.low, parameter.high)
        low, high = math.log(parameter.low - 0.5), math.log(parameter.high + 0.5)
        return int(_clip(parameter, round(math.exp(rng.uniform(low, high)))))
    if not parameter.log:
        return float(_clip(parameter, rng.uniform(parameter.low, parameter.high)))
    drawn = math.exp(rng.uniform(math.log(parameter.low), math.log(parameter.high)))
    return float(_clip(parameter, drawn))
