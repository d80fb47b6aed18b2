"""Configurations that are worth a trial: a grid around the default one, the neighbourhood of the best one so far, and
whatever a searcher adds; the order among them is one acquisition.

Before there is a result the transfer surrogate's expectation decides, afterwards expected improvement under
`ResidualGP`. How it does on the development tasks stands in `docs/results.md`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from searchers.distance import from_unit_value, is_near, unit_value
from searchers.space import ChoiceParameter, Configuration, Parameter, SearchSpace
from searchers.tracking import Attempt
from searchers.transfer.residual_gp import ResidualGP, Result
from searchers.transfer.transfer_surrogate import TransferSurrogate

#: The grid: numbers times these factors, choices one by one, the other parameters as in the default configuration.
GRID_PARAMETERS = ("lr", "lr_schedule")
_FACTORS = tuple(2 ** (k / 2) for k in range(-2, 5))
#: A space without a learning rate of that name has hardly a grid: random configurations stand beside it.
_DRAWS = 128
#: Neighbours of the best configuration: how many; how likely a number and a choice change; by which standard deviation,
#: in fractions of the range.
_NEIGHBOURS, _CHANGE_NUMBER, _CHANGE_CHOICE, _STEP = 64, 0.5, 0.15, 0.15
#: Decimals of an expected improvement that decide; two machines agree as far.
_DECIMALS = 9


def neighbour_draws(seed: int, trials: int) -> random.Random:
    """What the neighbours are drawn by after so many trials: the same for every searcher that has prospects, so that
    one with more candidates differs by these alone.
    """
    return random.Random(f"{seed}/surrogate-grid/{trials}")  # noqa: S311 - draws configurations


class Prospect(NamedTuple):
    """A configuration that is worth a trial.

    Attributes:
        source: "grid", "draw", "neighbour", or what the searcher called those that it added.
        value: what decided, in normalised scores before the first result, in units of the objective afterwards.
    """

    config: Configuration
    source: str
    value: float


class Prospects:
    """Makes and orders them; the same for the same ledger.

    Args:
        space: of the configurations.
        score: the transfer surrogate.
        mode: "max" or "min".
        default: centre of the grid; None = there is no grid.
    """

    def __init__(
        self, space: SearchSpace, score: TransferSurrogate, mode: str, default: Configuration | None = None
    ) -> None:
        self._space, self._score, self._sign = space, score, 1.0 if mode == "max" else -1.0
        self._standing = [(config, "grid") for config in grid_around(space, default)] if default else []
        if default and len(self._standing) < len(_FACTORS):
            rng = random.Random(0)  # noqa: S311 - draws configurations
            self._standing += [(space.sample(rng), "draw") for _ in range(_DRAWS)]

    def best(
        self,
        attempts: Iterable[Attempt],
        rng: random.Random,
        more: Sequence[Configuration] = (),
        source: str = "",
    ) -> Prospect | None:
        """The most promising one that is not near a trial; None if all are.

        Args:
            attempts: all trials of the study.
            rng: draws neighbours.
            more: configurations that the searcher adds.
            source: what they are called.
        """
        ledger = list(attempts)
        tried = [attempt.config for attempt in ledger]
        scored = [attempt for attempt in ledger if attempt.score is not None and not attempt.failed]
        pool = [(config, source) for config in more] + self._standing
        if scored:
            top = max(scored, key=lambda attempt: self._sign * (attempt.score or 0.0))
            pool += [(config, "neighbour") for config in neighbours(self._space, top.config, rng)]
        pool = [(config, name) for config, name in pool if not is_near(self._space, config, tried)]
        if not pool:
            return None
        values = self._values([config for config, _ in pool], ledger)
        number = max(range(len(pool)), key=lambda n: (values[n], -n))
        return Prospect(*pool[number], values[number])

    def _values(self, configs: Sequence[Configuration], ledger: Sequence[Attempt]) -> list[float]:
        done = [attempt for attempt in ledger if attempt.score is not None]
        if not done:
            return self._score.values(configs)
        expected = self._score.values([attempt.config for attempt in done])
        results = [
            Result(attempt.config, self._sign * (attempt.score or 0.0), value)
            for attempt, value in zip(done, expected, strict=True)
        ]
        running = [attempt.config for attempt in ledger if attempt.score is None]
        gains = ResidualGP(self._space, self._score, results, running).improvement(configs)
        return [round(float(gain), _DECIMALS) for gain in gains]


def grid_around(space: SearchSpace, default: Configuration) -> list[Configuration]:
    """28 configurations in a space that has `GRID_PARAMETERS`, else the default one and what it has of them."""
    found = [dict(default)]
    for parameter in space.parameters:
        if parameter.name in GRID_PARAMETERS:
            found = [{**config, parameter.name: value} for config in found for value in _steps(parameter, default)]
    return [space.clip(config) for config in found]


def _steps(parameter: Parameter, default: Configuration) -> Sequence[float | str]:
    if isinstance(parameter, ChoiceParameter):
        return parameter.choices
    return [float(default[parameter.name]) * factor for factor in _FACTORS]


def neighbours(space: SearchSpace, config: Configuration, rng: random.Random) -> list[Configuration]:
    """Random configurations around one."""
    return [space.clip({p.name: _near(p, config[p.name], rng) for p in space.parameters}) for _ in range(_NEIGHBOURS)]


def _near(parameter: Parameter, value: float | str, rng: random.Random) -> float | str:
    if isinstance(parameter, ChoiceParameter):
        return rng.choice(parameter.choices) if rng.random() < _CHANGE_CHOICE else value
    place = unit_value(parameter, value)
    if rng.random() < _CHANGE_NUMBER:
        place = min(1.0, max(0.0, place + rng.gauss(0.0, _STEP)))
    return from_unit_value(parameter, place)
