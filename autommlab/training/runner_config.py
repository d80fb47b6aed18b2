"""One trial's complete OpenMMLab config: model, data, optimiser and a quiet runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from autommlab.acceleration import Acceleration
from autommlab.cfg_options import merged, read_option
from autommlab.data.records import Bag
from autommlab.models.records import ModelChoice
from autommlab.tasks import Task
from autommlab.training.class_balance import weigh_classes
from autommlab.training.data_config import data_config
from autommlab.training.objective import Objective
from autommlab.training.pace import Deadline
from autommlab.training.records import Hyperparameters
from autommlab.training.translate import optimisation_config
from autommlab.understanding.request import Metric

Config = dict[str, Any]


class TrialSetup(BaseModel):
    """What all trials of a study share.

    Attributes:
        reports: validations per trial, evenly spaced.
        seed: of initialisation and data order, the same for every trial.
        deadline: when all trials have to be over, None = no limit. Trials of several workers do not know it.
        requirements: of the request, on figures; they decide what the study searches for.
        acceleration: how trials use their device.
        cfg_options: overrides of the config, "KEY=VALUE" each (`autommlab.cfg_options`).
        val_figures: where the trainings see VAL: what their configuration reached in cross-validation, canonical name
            -> fraction, which stands for what a validation would find. None = they are validated.
    """

    model_config = ConfigDict(frozen=True)

    bag: Bag
    choice: ModelChoice
    reports: int
    seed: int
    deadline: Deadline | None = None
    requirements: tuple[Metric, ...] = ()
    acceleration: Acceleration = Acceleration()
    cfg_options: tuple[str, ...] = ()
    val_figures: dict[str, float] | None = None

    @property
    def objective(self) -> Objective:
        """What the study searches for."""
        return Objective(self.bag.task, self.requirements, len(self.bag.classes))


def runner_config(setup: TrialSetup, point: Hyperparameters, *, work_dir: Path, name: str) -> Config:
    """The config from which `mmengine.Runner.from_cfg` builds one trial.

    Args:
        setup: data, model and seed of the study.
        point: the trial's hyperparameters.
        work_dir: where the toolbox may write its log.
        name: unique in the process; the toolbox keys its global objects by it.
    """
    from autommlab.models.config import model_config
    from autommlab.models.own_training import own_training

    choice, bag = setup.choice, setup.bag
    parts = model_config(
        choice.entry,
        classes=bag.classes,
        keypoints=bag.keypoints,
        input_size=choice.input_size,
        pretrained=choice.pretrained,
    )
    if bag.task is Task.SEGMENTATION:
        weigh_classes(parts.model, bag)
    data = data_config(
        bag, input_size=choice.input_size, batch_size=point.batch_size, seed=setup.seed, codec=parts.codec
    )
    config = {
        "model": parts.model,
        "load_from": parts.load_from or None,
        **data,
        **optimisation_config(bag.task, point, own_training(choice.entry)),
        "train_cfg": {
            "type": "SteppedTrainLoop",
            "max_iters": point.iterations,
            "val_interval": point.iterations,
        },
        "val_cfg": {"type": "ValLoop"},
        "test_cfg": {"type": "TestLoop"},
        **_quiet_runtime(parts.default_scope, setup, work_dir, name),
    }
    return merged(config, [read_option(text) for text in setup.cfg_options])


def _quiet_runtime(scope: str, setup: TrialSetup, work_dir: Path, name: str) -> Config:
    hooks = {
        "runtime_info": {"type": "RuntimeInfoHook"},
        "param_scheduler": {"type": "ParamSchedulerHook"},
        **dict.fromkeys(("timer", "logger", "checkpoint", "sampler_seed")),
    }
    return {
        "default_scope": scope,
        "work_dir": str(work_dir),
        "experiment_name": name,
        "default_hooks": hooks,
        "custom_hooks": [{"type": "StopOnNonFiniteLoss", "priority": "VERY_HIGH"}],
        "visualizer": {"type": "mmengine.Visualizer", "vis_backends": [], "name": name},
        "log_level": "ERROR",
        "randomness": {"seed": setup.seed, "deterministic": False},
        "env_cfg": {"cudnn_benchmark": False, "mp_cfg": {"mp_start_method": "fork", "opencv_num_threads": 0}},
        "launcher": "none",
    }
