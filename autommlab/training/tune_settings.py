"""How Ray Tune runs a study: quietly, with our Trainable, with the resources of a trial."""

from __future__ import annotations

import importlib
import logging
import os
import threading
from typing import Any

from autommlab import settings
from autommlab.common.placement import resource_request
from autommlab.training.records import TrialRecord
from autommlab.training.study_at_work import StudyAtWork
from autommlab.training.study_options import StudyOptions

#: Ray Tune's switches; its loggers write files that nobody reads.
_TUNE_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",  # prints a box whatever `verbose` says
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # it would end the study at a signal as if it were finished
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}


def quiet_tune() -> None:
    """Ray Tune prints nothing of its own and leaves signals to us; failures are told by our own records."""
    for name, value in _TUNE_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # At SIGUSR1, for which there is no switch, it would end a study as if it were finished, too.
    vars(importlib.import_module("ray.tune.tune"))["_setup_signal_catching"] = threading.Event
    # To report the use of its callbacks, it would import MLflow and W&B wherever they are installed.
    vars(importlib.import_module("ray.air._internal.usage"))["tag_callbacks"] = lambda callbacks: False
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)


def trainable_of(study: StudyAtWork, finished: dict[str, TrialRecord]) -> Any:
    """What Ray Tune runs: a trial in one process, or one that drives a group of them."""
    from ray import tune

    options = study.options
    shared = {"setup": study.setup, "finished": finished, "place": study.state.place}
    if options.workers_per_trial == 1:
        from autommlab.training.trainable import TrialTrainable

        return tune.with_parameters(TrialTrainable, **shared)
    from autommlab.training.distributed.trainable import GroupTrainable
    from autommlab.training.records import GroupShape

    shape = GroupShape(
        options.workers_per_trial,
        options.cpus_per_trial,
        options.gpus_per_trial,
        resource_request(options.node_resource),
    )
    return tune.with_parameters(GroupTrainable, **shared, shape=shape)


def resources_of(options: StudyOptions) -> dict[str, float]:
    """Ray Tune's own part of a trial; a group of workers gets its resources from Ray Train."""
    if options.workers_per_trial > 1:
        return {"cpu": 0, "memory": settings.GROUP_DRIVER_BYTES}  # Tune refuses a trial without any resource
    return {"cpu": options.cpus_per_trial, "gpu": options.gpus_per_trial, **resource_request(options.node_resource)}
