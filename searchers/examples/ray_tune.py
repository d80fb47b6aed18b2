"""As Ray Tune's search algorithm: space, metric and mode come from the Tuner."""

from typing import Any

from ray import tune

import searchers


def train(config: dict[str, Any]) -> dict[str, float]:
    """Stands for a training; the last report of a trial counts."""
    return {"loss": 5 + (config["optimizer"]["lr"] - 0.1) ** 2 + config["batch"] / 1000}


tuner = tune.Tuner(
    train,
    param_space={
        "optimizer": {"name": tune.choice(["sgd", "adam"]), "lr": tune.loguniform(1e-4, 1.0)},
        "batch": tune.choice([16, 32, 64]),
        "epochs": 10,
    },
    tune_config=tune.TuneConfig(search_alg=searchers.create("tpe-few"), metric="loss", mode="min", num_samples=6),
)
print(tuner.fit().get_best_result().config)
