"""Spaces of other people's problems, in Ray Tune's terms."""

from __future__ import annotations

from typing import Any

from ray import tune

from searchers.space import ChoiceParameter, IntParameter, SearchSpace


def foreign_space() -> dict[str, Any]:
    """Every kind of domain, nested, with choices of other values than names, and constants."""
    return {
        "optimizer": {"name": tune.choice(["sgd", "adam"]), "lr": tune.loguniform(1e-5, 1e-1), "momentum": 0.9},
        "batch": tune.choice([16, 32, 64]),
        "nesterov": tune.choice([True, False]),
        "mixed": tune.choice([1, "1", None, 2.5, (3, 4)]),
        "dropout": tune.uniform(0.0, 0.5),
        "warmup": tune.quniform(0.1, 0.9, 0.1),
        "decay": tune.qloguniform(0.01, 1.0, 0.01),
        "layers": tune.randint(1, 5),
        "hidden": tune.lograndint(1, 1000),
        "width": tune.qrandint(8, 64, 8),
        "epochs": 10,
    }


def as_domains(space: SearchSpace) -> dict[str, Any]:
    """A space of ours as somebody would write it for Ray Tune."""
    found: dict[str, Any] = {}
    for one in space.parameters:
        if isinstance(one, ChoiceParameter):
            found[one.name] = tune.choice(list(one.choices))
        elif isinstance(one, IntParameter):
            found[one.name] = (tune.lograndint if one.log else tune.randint)(one.low, one.high + 1)
        else:
            found[one.name] = (tune.loguniform if one.log else tune.uniform)(one.low, one.high)
    return found
