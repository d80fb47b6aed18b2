"""What a zoo model's own config says of its training beyond the six hyperparameters, scaled to a trial's length.

A DETR is clipped at 0.1 and its backbone learns ten times slower than its head; a Swin decays no position embedding; an
RTMDet keeps its rate for half of the training. Such settings are part of the architecture as it was published, and
every trial of that model keeps them: the multipliers and the clipping whatever is searched, the optimiser's and the
schedule's options where the trial uses the config's own optimiser and schedule.

What a trial cannot keep: the augmentation (the bundle's preprocessing is fixed), averages of weights, hooks, and
settings of several optimisers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autommlab.models.config_tree import bare
from autommlab.models.records import ModelEntry
from autommlab.models.toolbox_config import toolbox_config

Config = dict[str, Any]

WARM_UPS = {"LinearLR", "ConstantLR", "QuadraticWarmupLR"}
#: A warm-up's longest part of a training: the own one was made for one that is many times longer.
WARM_UP_MOST = 0.1
#: Options of schedules that count iterations or epochs, and those that are learning rates.
_LENGTHS, _RATES = ("begin", "end", "T_max", "milestones", "step_size"), ("eta_min",)
_OF_SEARCH = ("type", "lr", "weight_decay")


@dataclass(frozen=True, slots=True)
class OwnTraining:
    """The settings of one config.

    Attributes:
        optimizer: its type, "" if there is none.
        optimizer_options: its options without learning rate and weight decay.
        lr: that the config's options of schedules belong to.
        paramwise: `paramwise_cfg` of its wrapper: multipliers of rate and decay by part of the model.
        constructor: of groups of parameters, "" for mmengine's.
        clip_grad: None for no clipping.
        warm_up: options of its warm-up with lengths as fractions of the training; None if there is none.
        warm_up_iterations: its length where the config counts iterations, else 0.
        schedule: as `warm_up`, of the schedule behind it.
        hooks: names of its hooks, which a trial does not have.
    """

    optimizer: str = ""
    optimizer_options: Config = field(default_factory=dict)
    lr: float = 0.0
    paramwise: Config = field(default_factory=dict)
    constructor: str = ""
    clip_grad: Config | None = None
    warm_up: Config | None = None
    warm_up_iterations: int = 0
    schedule: Config | None = None
    hooks: tuple[str, ...] = ()

    def in_words(self) -> str:
        """What a trial keeps of them and what it does not."""
        kept = [
            "multipliers of rate and decay" if self.paramwise else "",
            f"clipping at {self.clip_grad['max_norm']}" if self.clip_grad and "max_norm" in self.clip_grad else "",
            "warm-up" if self.warm_up else "",
        ]
        left = ["its augmentation", *self.hooks]
        return f"kept of its config: {', '.join(filter(None, kept)) or 'nothing more'}; not: {', '.join(left)}"


def own_training(entry: ModelEntry) -> OwnTraining | None:
    """The settings of an entry's config, None for a packaged backbone, which has none.

    Raises:
        ModelError: its config cannot be read.
    """
    return None if entry.packaged else own_settings_of(toolbox_config(entry))


def own_settings_of(config: Mapping[str, Any]) -> OwnTraining:
    """The settings of a whole config."""
    wrapper = config.get("optim_wrapper") or {}
    optimizer: Config = optimizer_of(config)
    epochs, steps = _length(config)
    warm_ups = [one for one in schedulers_of(config) if is_warm_up(one)]
    main = main_schedule(config)
    warm_up = _as_fractions(warm_ups[0], epochs, steps) if warm_ups else None
    counted = warm_ups[0].get("end", 0) if warm_ups and not warm_ups[0].get("by_epoch", True) else 0
    return OwnTraining(
        optimizer=bare(optimizer.get("type", "")),
        optimizer_options={name: value for name, value in optimizer.items() if name not in _OF_SEARCH},
        lr=float(optimizer.get("lr", 0.0)),
        paramwise=wrapper.get("paramwise_cfg") or {},
        constructor=str(wrapper.get("constructor") or ""),
        clip_grad=wrapper.get("clip_grad") or None,
        warm_up=warm_up,
        warm_up_iterations=int(counted),
        schedule=None if main is None else _as_fractions(main, epochs, steps),
        hooks=tuple(bare(hook.get("type")) for hook in config.get("custom_hooks") or []),
    )


def optimizer_of(config: Mapping[str, Any]) -> Config:
    """The `optimizer` of a whole config, empty if there is none."""
    wrapper = config.get("optim_wrapper") or {}
    return wrapper.get("optimizer") or config.get("optimizer") or {}


def schedulers_of(config: Mapping[str, Any]) -> Sequence[Config]:
    """The schedules of a whole config, in their order."""
    found = config.get("param_scheduler") or []
    return [found] if isinstance(found, dict) else found


def main_schedule(config: Mapping[str, Any]) -> Config | None:
    """The schedule after warm-up; of several in a row the last, None if there is none."""
    rates = (one for one in schedulers_of(config) if bare(one.get("type")).endswith("LR"))  # not of weight decay
    main = [one for one in rates if not is_warm_up(one)]
    return main[-1] if main else None


def is_warm_up(scheduler: Mapping[str, Any]) -> bool:
    """Whether a schedule lets the rate rise, or holds it."""
    falls = scheduler.get("end_factor", 1.0) < scheduler.get("start_factor", 1 / 3)
    return bare(scheduler.get("type")) in WARM_UPS and not (bare(scheduler.get("type")) == "LinearLR" and falls)


def warm_up_config(own: OwnTraining, iterations: int) -> Config | None:
    """The own warm-up for a training of so many iterations, None if there is none or no iteration is left for it."""
    if own.warm_up is None:
        return None
    longest = round(WARM_UP_MOST * iterations)
    wanted = own.warm_up_iterations or round(own.warm_up.get("end", WARM_UP_MOST) * iterations)
    end = min(wanted, longest)
    options = {name: value for name, value in own.warm_up.items() if name not in _LENGTHS}
    return {**options, "by_epoch": False, "begin": 0, "end": end} if end else None


def schedule_config(own: OwnTraining, lr_schedule: str, iterations: int, lr: float, warm_up: int) -> Config | None:
    """The own schedule for a trial, None where the trial uses another kind.

    Args:
        lr_schedule: of the trial.
        iterations: of the trial.
        lr: of the trial; rates among the options follow it.
        warm_up: iterations of warm-up.
    """
    told = own.schedule
    if told is None or told["type"] != lr_schedule:
        return None
    options = {name: value for name, value in told.items() if name not in (*_LENGTHS, *_RATES)}
    for name in _RATES:
        if name in told and own.lr:
            options[name] = told[name] * lr / own.lr
    begin = round(told["begin"] * iterations) if "begin" in told else 0
    # Where the own schedule follows on the warm-up, this one does; it has been shortened in another proportion.
    follows = own.warm_up is not None and told.get("begin", 0) <= own.warm_up.get("end", 0) and begin > 0
    begin = warm_up if follows else min(begin, iterations - 1)
    end = max(begin + 1, round(told.get("end", 1.0) * iterations))
    options |= {"by_epoch": False, "begin": begin, "end": end}
    if "milestones" in told:
        options["milestones"] = sorted({max(1, round(part * iterations)) for part in told["milestones"]})
    if "step_size" in told:
        options["step_size"] = max(1, round(told["step_size"] * iterations))
    if lr_schedule == "CosineAnnealingLR":
        options["T_max"] = end - begin
    return options


def _length(config: Mapping[str, Any]) -> tuple[float, float]:
    """(epochs, iterations) of the config's training, 0 for the one that it does not count."""
    loop = config.get("train_cfg") or {}
    return float(loop.get("max_epochs") or 0), float(loop.get("max_iters") or 0)


def _as_fractions(scheduler: Mapping[str, Any], epochs: float, steps: float) -> Config:
    """A schedule with every length as a fraction of the training; lengths of unknown measure are left out."""
    whole = epochs if scheduler.get("by_epoch", True) else steps
    told: Config = {"type": bare(scheduler["type"])}
    for name, value in scheduler.items():
        if name in ("type", "by_epoch", "convert_to_iter_based", "_scope_"):
            continue
        if name not in _LENGTHS:
            told[name] = value
        elif whole and isinstance(value, int | float):
            told[name] = min(1.0, value / whole)
        elif whole and isinstance(value, list | tuple):
            told[name] = [part / whole for part in value]
    return told
