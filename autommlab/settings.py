"""The one place of defaults: folders, budget profiles, timeouts.

Environment: `AUTOMMLAB_HOME` moves the folder that holds caches and the
registry of user data sets (default: the user's cache folder).
`AUTOMMLAB_TRIAL_RESOURCE` names the custom resource of the cluster's nodes that run trials (default: any node).
`AUTOMMLAB_TRIALS_AT_ONCE` is how many trials an autoscaled cluster can run once it has grown (default: what is there).
"""

import os
import sys
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from autommlab.acceleration import Acceleration
from autommlab.common.errors import RequestError, unknown
from autommlab.tasks import Task

#: Images of a data set whose layout names no split: shares of train, val and test.
SPLIT_SHARES = (0.7, 0.15, 0.15)
DEFAULT_SEED = 0
#: Of NumPy, which all toolboxes seed.
LARGEST_SEED = 2**32 - 1
#: Largest weight of a run against others on the same cluster.
MOST_PRIORITY = 1000
#: Most failures of one trial's worker before the trial is given up.
MAX_WORKER_FAILURES = 2
#: Seconds after which a worker of a trial's group stops waiting for the others: the longest validation, or a lost node.
GROUP_TIMEOUT_S = 600
#: Seconds that a group waits for room for all its workers before it counts as failed to start.
GROUP_START_S = 600.0
#: Seconds between Ray Train's looks at its workers; a report or a failure is noticed that much later at most.
GROUP_POLL_S = 0.25
#: Memory of the process that drives a trial's group.
GROUP_DRIVER_BYTES = 500_000_000
#: Seconds for a group's processes to end in order.
GROUP_END_S = 20.0

#: See the module's docstring.
TRIAL_RESOURCE_VARIABLE, TRIALS_AT_ONCE_VARIABLE = "AUTOMMLAB_TRIAL_RESOURCE", "AUTOMMLAB_TRIALS_AT_ONCE"

#: Longest text that is read as a request; with the prompt it has to fit the LLM's context.
MAX_REQUEST_CHARACTERS = 4000
#: Longest answer of the LLM to a request; usual ones have about 100 tokens.
UNDERSTANDING_MAX_TOKENS = 400
#: Other answers that are drawn at once where the first one does not follow from the text.
UNDERSTANDING_SAMPLES = 8
#: Seconds for one answer while others are generated beside it on a busy CPU.
UNDERSTANDING_TIMEOUT_S = 180.0
#: Requests of a file that are asked for at once.
UNDERSTANDING_CONCURRENT = 16
#: Seconds for a question that a healthy LLM service answers at once.
SERVICE_PROBE_TIMEOUT_S = 10.0
#: Seconds for the job server of a cluster that has just started to take its first job.
JOB_AGENT_TIMEOUT_S = 120.0
#: Seconds without an answer after which a watched job is left alone; it goes on.
RECONNECT_TIMEOUT_S = 600.0
#: Longest description that a request carries, of the person's first sentence.
DESCRIPTION_CHARACTERS = 200


def trial_resource() -> str | None:
    """The custom resource that a node must carry to run trials; None = any node."""
    return os.environ.get(TRIAL_RESOURCE_VARIABLE) or None


def trials_at_once() -> int:
    """Trials that an autoscaled cluster can run when it has grown; 0 = it does not grow.

    Raises:
        RequestError: the variable holds no such number.
    """
    text = os.environ.get(TRIALS_AT_ONCE_VARIABLE) or "0"
    if not text.isdecimal():
        raise RequestError(f"{TRIALS_AT_ONCE_VARIABLE} is {text!r}; it takes a whole number of trials, 0 or more")
    return int(text)


#: Most images of train, val and test; None = every one.
Images = tuple[int | None, int | None, int | None]


class Quantize(StrEnum):
    """When an INT8 model is made; auto: where the float model misses the request's limit on speed."""

    NEVER = "never"
    AUTO = "auto"
    ALWAYS = "always"


class Refit(StrEnum):
    """Whether the delivered model is trained on train and val; auto: where val is small and there is time for it."""

    NEVER = "never"
    AUTO = "auto"


#: Engine -> why there is no INT8 model for it.
NO_INT8 = {
    "ncnn": (
        "ncnn quantises with its programs ncnn2table and ncnn2int8, which its Python package does not carry, "
        "and cannot read the INT8 model that is made for the other engines"
    )
}


class QuantizePolicy(BaseModel):
    """What a run asks of INT8; the default is that of records of older versions, too.

    Attributes:
        when: see `Quantize`.
        most_loss: most of the study's figure, a fraction, that INT8 may lose on VAL.
    """

    model_config = ConfigDict(frozen=True)

    when: Quantize = Quantize.AUTO
    most_loss: float = 0.02


class TaskBudget(BaseModel):
    """Bounds of one task under a profile.

    Attributes:
        input_size: (width, height) in pixels of training and inference.
        images: most images of (train, val, test), None = every one.
        iterations: (fewest, most) optimiser steps of a trial.
        batch_size: (smallest, largest) images a step.
        reports: validations per trial, evenly spaced, the last at its end.
    """

    model_config = ConfigDict(frozen=True)

    input_size: tuple[int, int]
    images: Images
    iterations: tuple[int, int]
    batch_size: tuple[int, int]
    reports: int = 3

    @property
    def caps(self) -> tuple[int, int, int]:
        """Most images of train, val and test as numbers."""
        train, val, test = (sys.maxsize if most is None else most for most in self.images)
        return train, val, test


class Profile(BaseModel):
    """A budget: how much compute a run may use.

    Attributes:
        max_params_m, max_flops_g: heaviest model considered, millions of parameters and GFLOPs at
            the profile's input size; a model named in the request is not bound by them.
        trials: trials of a study unless `--trials` or a plan says otherwise.
        minutes: of a whole run unless `--time` or `--trials` says otherwise; None = no limit, and no plan.
        cpus_per_trial, gpus_per_trial: Ray resources; GPUs may be fractional.
        acceleration: how trials use their device, unless `--acceleration` says otherwise.
        prefer_light: among pretrained candidates take the lightest instead of the best score.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    max_params_m: float
    max_flops_g: float
    trials: int
    cpus_per_trial: float
    gpus_per_trial: float
    prefer_light: bool
    minutes: float | None = None
    acceleration: Acceleration = Acceleration()
    tasks: dict[Task, TaskBudget]


_LAPTOP = Profile(
    name="laptop",
    max_params_m=30,
    max_flops_g=4,
    trials=6,
    cpus_per_trial=1,
    gpus_per_trial=0,
    prefer_light=True,
    minutes=5,
    tasks={
        Task.CLASSIFICATION: TaskBudget(
            input_size=(64, 64), images=(640, 200, 200), iterations=(20, 80), batch_size=(4, 32)
        ),
        Task.DETECTION: TaskBudget(
            input_size=(192, 192), images=(400, 100, 100), iterations=(40, 160), batch_size=(2, 8)
        ),
        Task.SEGMENTATION: TaskBudget(
            input_size=(128, 128), images=(400, 100, 100), iterations=(40, 160), batch_size=(2, 8)
        ),
        Task.KEYPOINT: TaskBudget(
            input_size=(96, 128), images=(600, 150, 150), iterations=(60, 240), batch_size=(4, 16)
        ),
    },
)

_GPU = Profile(
    name="gpu",
    max_params_m=120,
    max_flops_g=120,
    trials=20,
    cpus_per_trial=4,
    gpus_per_trial=1,
    prefer_light=False,
    tasks={
        Task.CLASSIFICATION: TaskBudget(
            input_size=(224, 224), images=(100_000, 5_000, 5_000), iterations=(2000, 7000), batch_size=(1, 64)
        ),
        Task.DETECTION: TaskBudget(
            input_size=(640, 640), images=(50_000, 2_000, 2_000), iterations=(2000, 7000), batch_size=(1, 64)
        ),
        Task.SEGMENTATION: TaskBudget(
            input_size=(512, 512), images=(50_000, 1_000, 1_000), iterations=(2000, 7000), batch_size=(1, 64)
        ),
        Task.KEYPOINT: TaskBudget(
            input_size=(192, 256), images=(100_000, 5_000, 5_000), iterations=(2000, 7000), batch_size=(1, 64)
        ),
    },
)

_CLUSTER = _GPU.model_copy(update={"name": "cluster", "trials": 50, "max_params_m": 400, "max_flops_g": 500})

PROFILES = {profile.name: profile for profile in (_LAPTOP, _GPU, _CLUSTER)}


def profile(name: str) -> Profile:
    """The budget profile of that name.

    Raises:
        RequestError: no such profile.
    """
    if name not in PROFILES:
        raise RequestError(unknown("profile", name, list(PROFILES)))
    return PROFILES[name]
