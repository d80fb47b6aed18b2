"""How fast trainings are beside each other."""

from __future__ import annotations

from autommlab.planning.circumstances import Circumstances
from autommlab.planning.records import Size

#: Seconds to build a trial in a worker that is there.
BUILD_S = 1.5
#: How much slower a training is beside others on the same machine: they share memory and cache.
SIDE_BY_SIDE = 1.2
#: Trainings at the full fidelity side by side, and configurations that are trained there.
MOST_FINALISTS = 3
#: Less gain from all CPUs together is not worth having: on a busy machine threads that wait for each other make a
#: training several times slower (11 steps in the time of 60, at a load of 8 on 2 cores).
_LEAST_SPEEDUP = 1.15


def cpus_each(here: Circumstances, trainings: int) -> float:
    """CPUs of each of so many trainings side by side: all of them where that pays, else those of a trial."""
    of_a_trial = max(1.0, here.cpus // here.slots)
    worthwhile = bool(here.gpus) or here.speedup >= _LEAST_SPEEDUP
    return max(of_a_trial, here.cpus // trainings) if worthwhile else of_a_trial


def gpus_each(here: Circumstances, trainings: int) -> float:
    """GPUs of each of so many trainings side by side."""
    return min(1.0, here.gpus / trainings) if here.gpus else 0.0


def image_seconds(here: Circumstances, size: Size, trainings: int) -> float:
    """Seconds per picture of one of so many trainings side by side."""
    cost = here.cost(size)
    if here.gpus:
        return cost.train_s * max(1.0, trainings / here.gpus)
    more = (cpus_each(here, trainings) - 1) / max(1.0, here.cpus - 1)
    return cost.train_s / (1 + (here.speedup - 1) * more) * (SIDE_BY_SIDE if trainings > 1 else 1.0)
