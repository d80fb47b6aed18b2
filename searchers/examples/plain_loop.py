"""Ask for a configuration, try it, tell what came of it."""

from ray import tune

import searchers

space = {
    "optimizer": {"name": tune.choice(["sgd", "adam"]), "lr": tune.loguniform(1e-4, 1.0)},
    "batch": tune.choice([16, 32, 64]),
    "nesterov": tune.choice([True, False]),
    "epochs": 10,
}
searcher = searchers.create("tpe", space, metric="loss", mode="min", seed=0)
best: tuple[float, object] = (float("inf"), None)
for number in range(30):
    config = searcher.suggest(f"trial-{number}")
    if not isinstance(config, dict):  # "later", or no more
        break
    lr = config["optimizer"]["lr"]
    if lr > 0.5:  # it diverged
        searcher.on_trial_complete(f"trial-{number}", error=True)
        continue
    loss = 5 + (lr - 0.1) ** 2 + config["batch"] / 1000
    searcher.on_trial_complete(f"trial-{number}", {"loss": loss})
    best = min(best, (loss, config), key=lambda found: found[0])
print(best)
