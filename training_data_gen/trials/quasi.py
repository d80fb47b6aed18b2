"""The configurations that a bag tries: configurations of a Sobol sequence and configurations around the default
configuration.

Each bag of a task has another scrambling: the same configurations in every bag would leave most of the space unseen,
    however
many bags there are. In 46 of 60 bags none of 20 Sobol configurations beat the default configuration: what does is to
be learnt near it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import searchers
from searchers import StudySettings
from searchers.distance import from_unit_value, is_near, unit_value
from searchers.random_search import SobolSearch, sobol_config
from searchers.space import ChoiceParameter, Configuration, Parameter, SearchSpace

#: Name under which the plan's configurations are known as a searcher, in this process; a sequence's number comes
#: behind it.
SEARCHER = "sobol-plan"
#: How often a value is the default configuration's own, and how far another number
#: lies, as a fraction of the range.
_KEPT, _REACH = 0.4, 0.15
_TRIES = 50


def plan_configs(space: SearchSpace, count: int, sequence: int = 0) -> list[Configuration]:
    """The first `count` configurations of a sequence in a bag's space; more of them begin with the same ones."""
    return [sobol_config(space, number, sequence) for number in range(count)]


def near_configs(space: SearchSpace, default: Configuration, count: int, sequence: int = 0) -> list[Configuration]:
    """So many different configurations around the default one, which is none of them; more begin with the
    same ones.

    Fewer where the space has not so many.
    """
    rng = random.Random(f"near/{sequence}")  # noqa: S311 - draws configurations, not secrets
    found: list[Configuration] = []
    for _ in range(_TRIES * count):
        if len(found) == count:
            break
        config = space.clip({p.name: _moved(p, default[p.name], rng) for p in space.parameters})
        if not is_near(space, config, [default, *found]):
            found.append(config)
    return found


def _moved(parameter: Parameter, value: float | str, rng: random.Random) -> float | str:
    if rng.random() < _KEPT:
        return value
    if isinstance(parameter, ChoiceParameter) or isinstance(value, str):
        return rng.choice(parameter.choices) if isinstance(parameter, ChoiceParameter) else value
    return from_unit_value(parameter, min(1.0, max(0.0, unit_value(parameter, value) + rng.gauss(0, _REACH))))


def register_near(configs: Sequence[Configuration], bag: str) -> str:
    """Make a searcher known that proposes these configurations, and give its name."""
    return _registered(f"{SEARCHER}-near-{bag}", lambda study: replace(study, first_configs=configs))


def register_searcher(sequence: int = 0) -> str:
    """Make a sequence known to `searchers.create` and give its name, also with "+default".

    A study's own seed decides the initialisation only, so that a configuration repeated under other seeds is the same
    one.
    """
    return _registered(f"{SEARCHER}-{sequence}", lambda study: replace(study, seed=sequence))


def _registered(name: str, settings: Callable[[StudySettings], StudySettings]) -> str:
    if name not in searchers.names():
        searchers.register(name, lambda space, study: SobolSearch(space, settings(study)))
    return name
