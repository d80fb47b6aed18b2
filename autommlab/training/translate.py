"""Hyperparameters in, the optimiser half of an OpenMMLab config out; and the way back.

`readback` reads from the built Runner what will really be trained, so that a
trial's record never only repeats what was proposed.
"""

from __future__ import annotations

from typing import Any

from autommlab.models.own_training import WARM_UPS, OwnTraining, schedule_config, warm_up_config
from autommlab.tasks import Task
from autommlab.training.records import Hyperparameters

Config = dict[str, Any]

#: Tasks whose toolbox warms the learning rate up in its standard recipes (mmdet, mmpose), as the paper does.
WARM_UP_TASKS = (Task.DETECTION, Task.KEYPOINT)
#: Warm-up: a tenth of the training, at most as long as the toolboxes' own 500 iterations.
WARM_UP_SHARE, WARM_UP_MOST, WARM_UP_START = 0.1, 500, 0.001
#: mmdet's own gradient clipping for anchor-free detectors.
CLIP = {Task.DETECTION: {"max_norm": 35, "norm_type": 2}}
MOMENTUM = 0.9
POLY_POWER = 0.9
#: MultiStepLR drops where mmdet's 1x schedule does (epochs 8 and 11 of 12); StepLR after each third.
MULTI_STEPS, STEP_SHARE, DROP = (8 / 12, 11 / 12), 1 / 3, 0.1


def optimisation_config(task: Task, point: Hyperparameters, own: OwnTraining | None = None) -> Config:
    """`optim_wrapper` and `param_scheduler` for one trial.

    Args:
        task: gives warm-up and clipping to a model without a config of its own.
        point: the trial's hyperparameters.
        own: what the config of a zoo model says beyond them.
    """
    if own is not None:
        return _own_config(point, own)
    optimizer: Config = {"type": point.optimizer, "lr": point.lr, "weight_decay": point.weight_decay}
    if point.optimizer == "SGD":
        optimizer["momentum"] = MOMENTUM
    wrapper: Config = {"type": "OptimWrapper", "optimizer": optimizer}
    if task in CLIP:
        wrapper["clip_grad"] = CLIP[task]
    warm_up = warm_up_iterations(task, point.iterations)
    schedulers = [_schedule(point, begin=warm_up)]
    if warm_up:
        ramp = {
            "type": "LinearLR",
            "start_factor": WARM_UP_START,
            "by_epoch": False,
            "begin": 0,
            "end": warm_up,
        }
        schedulers.insert(0, ramp)
    return {"optim_wrapper": wrapper, "param_scheduler": schedulers}


def _own_config(point: Hyperparameters, own: OwnTraining) -> Config:
    """The trial of a model of the zoo: its config's own settings around the six hyperparameters."""
    optimizer: Config = {"type": point.optimizer, "lr": point.lr, "weight_decay": point.weight_decay}
    if point.optimizer == own.optimizer:
        optimizer |= own.optimizer_options
    elif point.optimizer == "SGD":
        optimizer["momentum"] = MOMENTUM
    wrapper: Config = {"type": "OptimWrapper", "optimizer": optimizer}
    if own.clip_grad:
        wrapper["clip_grad"] = own.clip_grad
    if own.paramwise:
        wrapper["paramwise_cfg"] = own.paramwise
    if own.constructor:
        wrapper["constructor"] = own.constructor
    ramp = warm_up_config(own, point.iterations)
    warm_up = ramp["end"] if ramp else 0
    main = schedule_config(own, point.lr_schedule, point.iterations, point.lr, warm_up)
    schedulers = [main or _schedule(point, begin=warm_up)]
    return {"optim_wrapper": wrapper, "param_scheduler": [ramp, *schedulers] if ramp else schedulers}


def warm_up_iterations(task: Task, iterations: int) -> int:
    """Iterations of linear warm-up; 0 for tasks without."""
    return min(WARM_UP_MOST, round(WARM_UP_SHARE * iterations)) if task in WARM_UP_TASKS else 0


def _schedule(point: Hyperparameters, begin: int) -> Config:
    end = point.iterations
    shared: Config = {"type": point.lr_schedule, "by_epoch": False, "begin": begin, "end": end}
    match point.lr_schedule:
        case "MultiStepLR":
            # mmengine counts them from the schedule's begin.
            milestones = sorted({max(1, round(share * end) - begin) for share in MULTI_STEPS})
            return {**shared, "milestones": milestones, "gamma": DROP}
        case "CosineAnnealingLR":
            return {**shared, "T_max": max(1, end - begin), "eta_min": 0.0}
        case "StepLR":
            return {**shared, "step_size": max(1, round(STEP_SHARE * end)), "gamma": DROP}
        case "PolyLR":
            return {**shared, "power": POLY_POWER, "eta_min": 0.0}


def readback(runner: Any) -> Config:
    """What a built `Runner` is going to train with, under the names of `Hyperparameters`."""
    optimizer = runner.optim_wrapper.optimizer
    schedules = [type(s).__name__ for s in runner.param_schedulers if type(s).__name__ not in WARM_UPS]
    return {
        "iterations": int(runner.train_loop.max_iters),
        "batch_size": int(runner.train_dataloader.batch_size) * runner.world_size,
        "optimizer": type(optimizer).__name__,
        "lr": float(optimizer.defaults["lr"]),
        "weight_decay": float(optimizer.defaults["weight_decay"]),
        "lr_schedule": schedules[0] if schedules else "",
        **_groups(runner),
    }


def _groups(runner: Any) -> Config:
    """What differs between the model's parameters, clipping and warm-up; nothing where there is none of it."""
    wrapper = runner.optim_wrapper
    groups, defaults = wrapper.optimizer.param_groups, wrapper.optimizer.defaults
    told: Config = {}
    for name in ("lr", "weight_decay"):
        values = [float(group.get(f"initial_{name}", group[name])) for group in groups]
        if defaults[name] and {*values} != {defaults[name]}:
            told[f"{name}_multiplier_least"] = min(values) / defaults[name]
            told[f"{name}_multiplier_most"] = max(values) / defaults[name]
    if told:
        told["parameter_groups"] = len(groups)
    clip: Config = getattr(wrapper, "clip_grad_kwargs", None) or {}
    if "max_norm" in clip:
        told["clip_norm"] = float(clip["max_norm"])
    warm_ups = [one for one in runner.param_schedulers if type(one).__name__ in WARM_UPS]
    if warm_ups:
        told["warm_up_iterations"] = int(warm_ups[0].end - warm_ups[0].begin)
    return told
