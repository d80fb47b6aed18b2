"""Circumstances of plans, as they could have been measured."""

from __future__ import annotations

from typing import Any

from autommlab import settings
from autommlab.models.records import Measured
from autommlab.planning.circumstances import Circumstances
from autommlab.planning.records import SizeCost, TimeBudget
from autommlab.tasks import Task

BUDGET = settings.profile("laptop").tasks[Task.CLASSIFICATION]
SIZES = ((64, 64), (96, 96), (128, 128), (192, 192))
RESERVED = {"TEST": 5.0, "export and verification": 25.0}


def cost(side: int, train_s: float) -> SizeCost:
    return SizeCost(input_size=(side, side), train_s=train_s, load_s=train_s / 4, val_s=train_s / 3)


def circumstances(minutes: float, **changes: Any) -> Circumstances:
    """420 pictures of which one costs 8 ms at 64 px and 32 ms at 128 px, on two cores; 40 s are over."""
    values: dict[str, Any] = {
        "task": Task.CLASSIFICATION,
        "images": (420, 90, 90),
        "pretrained": True,
        "budget": BUDGET,
        "sizes": SIZES,
        "costs": (cost(64, 0.008), cost(128, 0.032)),
        "iterations_fixed": False,
        "trials": 6,
        "trials_fixed": False,
        "slots": 2,
        "cpus": 2.0,
        "gpus": 0.0,
        "speedup": 1.6,
        "measured": Measured(params_m=3, flops_g=0.1, ms_per_image=5, input_size=(64, 64), device="a test"),
        "time": TimeBudget(asked_s=60 * minutes, spent_s=40, reserved_s=RESERVED),
    }
    return Circumstances(**values | changes)
