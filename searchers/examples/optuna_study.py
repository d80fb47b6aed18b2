"""As the sampler of an Optuna study."""

import optuna

import searchers


def objective(trial: optuna.Trial) -> float:
    """Stands for a training."""
    lr = trial.suggest_float("lr", 1e-4, 1.0, log=True)
    batch = trial.suggest_categorical("batch", [16, 32, 64])
    if lr > 0.5:  # it diverged
        raise optuna.TrialPruned
    return 5 + (lr - 0.1) ** 2 + batch / 1000


study = optuna.create_study(sampler=searchers.OptunaSampler("tpe-few", seed=0), direction="minimize")
study.optimize(objective, n_trials=30)
print(study.best_params)
