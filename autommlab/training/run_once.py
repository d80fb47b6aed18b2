"""One training from beginning to end in one process, with its figures on VAL and TEST; a Ray task for many of them.

For benchmarks that compare searchers, and for the folds of `training.cross_validation`: they need no scheduler,
checkpoint or winner's weights, and Ray keeps the processes of a task, so that toolboxes are imported once. What is
delivered goes through `training.study`.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from autommlab.training.failures import trial_failure
from autommlab.training.records import Hyperparameters, TrialRecord
from autommlab.training.runner_config import TrialSetup

#: How often Ray begins a training again whose process or node died.
_RETRIES = 2
_TOLD_BY_TRIAL = ("readback", "execution", "skipped", "resampled", "train_s", "val_s", "setup_s")


def train_whole(
    setup: TrialSetup, point: Hyperparameters, threads: int = 1, *, test: bool = True
) -> tuple[TrialRecord, dict[str, float]]:
    """Train, validate at each report, measure TEST at the end.

    Args:
        setup: data, model and seed.
        point: the hyperparameters.
        threads: of torch.
        test: measure TEST; not where something is decided by the figures.

    Returns:
        The record, whose score is that of the objective on VAL, 0 if the trial failed and then with its reason; and the
        figures on TEST, canonical name -> fraction, empty if it failed or was not measured.
    """
    import torch

    from autommlab.training.trial import Trial

    torch.set_num_threads(max(1, threads))
    objective = setup.objective
    trial: Trial | None = None
    told: dict[str, Any] = {}
    tested: dict[str, float] = {}
    curve: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory(prefix="autommlab-training-") as folder:
        try:
            trial = Trial(setup, point, Path(folder), cpus=max(1, threads))
            while not trial.finished:
                metrics = trial.advance()
                curve.append((trial.iteration, objective.score(metrics)))
            told = {"status": "ok", "score": curve[-1][1], "metrics": metrics}
            tested = trial.test() if test else {}
        except Exception as error:  # a trial may fail in any way: that is its result
            failure = trial_failure(error)
            told = {"status": failure.status, "score": 0.0, "reason": f"{failure.reason}\n{failure.trace}".strip()}
        finally:
            if trial is not None:
                told |= {name: getattr(trial, name) for name in _TOLD_BY_TRIAL}
                trial.close()
    record = TrialRecord(
        number=1, trial_id="", hyperparameters=point, curve=tuple(curve), seed=setup.seed, ended_at=time.time(), **told
    )
    return record, tested


def training_task(*, cpus: float, gpus: float, resources: dict[str, float]) -> Any:
    """`train_whole` as a Ray task: `.remote(setup, point)` gives a reference to what it returns.

    Args:
        cpus, gpus: of one training; GPUs may be fractional.
        resources: custom ones that its node must have.
    """
    import ray

    remote = ray.remote(num_cpus=cpus, num_gpus=gpus, resources=resources, max_retries=_RETRIES)
    return remote(lambda setup, point: train_whole(setup, point, int(cpus)))
