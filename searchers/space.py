"""The search space as searchers see it: a few bounded parameters, nothing of vision.

One conversion into Ray Tune's domains serves every searcher. Suggestions are
plain Python values inside the bounds.
"""

from __future__ import annotations

import math
import random
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: A proposed configuration: parameter name -> plain int, float or str.
Configuration = dict[str, int | float | str]


class _Parameter(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str


class IntParameter(_Parameter):
    """Whole numbers from `low` to `high`, both included; `log` draws evenly in the logarithm."""

    kind: Literal["int"] = "int"
    low: int
    high: int
    log: bool = False

    @model_validator(mode="after")
    def _bounds(self) -> IntParameter:
        _check_bounds(self.name, self.low, self.high, self.log)
        return self


class FloatParameter(_Parameter):
    """Real numbers from `low` to `high`; `log` draws evenly in the logarithm."""

    kind: Literal["float"] = "float"
    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _bounds(self) -> FloatParameter:
        _check_bounds(self.name, self.low, self.high, self.log)
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

    def to_tune(self) -> dict[str, Any]:
        """The same space as Ray Tune domains (imports Ray)."""
        return {p.name: _to_tune(p) for p in self.parameters}


def _check_bounds(name: str, low: float, high: float, log: bool) -> None:
    if not low <= high:
        raise ValueError(f"{name}: low must not exceed high, got low={low}, high={high}")
    if log and low <= 0:
        raise ValueError(f"{name}: a logarithmic range must be above 0, got low={low}")


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
    return []


def _clip(parameter: Parameter, value: Any) -> int | float | str:
    if isinstance(parameter, ChoiceParameter):
        return value if value in parameter.choices else parameter.choices[0]
    bounded = min(max(value, parameter.low), parameter.high)
    return round(bounded) if isinstance(parameter, IntParameter) else float(bounded)


def _sample(parameter: Parameter, rng: random.Random) -> int | float | str:
    if isinstance(parameter, ChoiceParameter):
        return rng.choice(parameter.choices)
    if isinstance(parameter, IntParameter):
        if not parameter.log:
            return rng.randint(parameter.low, parameter.high)
        low, high = math.log(parameter.low - 0.5), math.log(parameter.high + 0.5)
        return int(_clip(parameter, round(math.exp(rng.uniform(low, high)))))
    if not parameter.log:
        return float(_clip(parameter, rng.uniform(parameter.low, parameter.high)))
    drawn = math.exp(rng.uniform(math.log(parameter.low), math.log(parameter.high)))
    return float(_clip(parameter, drawn))


def _to_tune(parameter: Parameter) -> Any:
    from ray import tune

    if isinstance(parameter, ChoiceParameter):
        return tune.choice(list(parameter.choices))
    if isinstance(parameter, IntParameter):  # Ray excludes the upper bound of integers
        draw = tune.lograndint if parameter.log else tune.randint
        return draw(parameter.low, parameter.high + 1)
    return (tune.loguniform if parameter.log else tune.uniform)(parameter.low, parameter.high)
