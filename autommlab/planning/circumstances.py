"""All that a plan depends on, as one record."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autommlab.models.records import Measured
from autommlab.planning.records import SearchFidelity, Size, SizeCost, TimeBudget
from autommlab.planning.sizes import cost_at
from autommlab.settings import TaskBudget
from autommlab.tasks import Task

#: Fewest seconds of steps that make a final training.
SHORTEST_FINAL_S = 10.0
#: Seconds until the first step of a trial: a worker's process and the import of a toolbox.
WORKER_START_S = 20.0
#: Pictures that a final training sees before a larger input size pays: (times each picture, at least, at most).
#: A fine-grained set of 209 photos at 32 pictures a step: accuracy 0.71 after 364 steps of 64 px, 0.76 after 64 of
#: 128 px, 0.78 after 24 of 192 px. Necks and heads of the other tasks start without pretrained weights.
_ENOUGH: dict[Task, tuple[float, int, int]] = {
    Task.CLASSIFICATION: (4, 800, 20_000),
    Task.DETECTION: (25, 4_000, 60_000),
    Task.SEGMENTATION: (10, 1_500, 30_000),
    Task.KEYPOINT: (25, 4_000, 60_000),
}
#: A training without pretrained weights sees so many times more.
_FROM_SCRATCH = 3


@dataclass(frozen=True, slots=True)
class Circumstances:
    """All that a plan depends on.

    Attributes:
        task: of the request.
        images: of train, val and test.
        pretrained: the model does not train from scratch.
        budget: bounds of the profile, or of the person.
        sizes: input sizes in question, ascending.
        costs: measured, one thread.
        iterations_fixed: a person named the bounds of a training's iterations.
        trials: of the search: the profile's, or those asked for.
        trials_fixed: a person asked for just so many trials; 0 = for no search.
        slots: trials that run at once.
        cpus, gpus: of the machine that trains.
        speedup: of a training with all CPUs over one with those of a trial.
        measured: the model at the profile's size.
        time: of the run.
        default_batch: of the default configuration, around which searchers propose; None = not known.
        kept: the search of an earlier plan, whose trials count.
        done: such trials.
        no_refit: why val stays out of the final training whatever the data, a sentence, "" where nobody wants it in;
            None = it need not.
    """

    task: Task
    images: tuple[int, int, int]
    pretrained: bool
    budget: TaskBudget
    sizes: tuple[Size, ...]
    costs: tuple[SizeCost, ...]
    iterations_fixed: bool
    trials: int
    trials_fixed: bool
    slots: int
    cpus: float
    gpus: float
    speedup: float
    measured: Measured
    time: TimeBudget
    default_batch: int | None = None
    kept: SearchFidelity | None = None
    done: int = 0
    no_refit: str | None = None

    @property
    def no_search(self) -> bool:
        """Whether a person wants the default configuration trained alone."""
        return self.trials_fixed and self.trials == 0

    @property
    def batch(self) -> int:
        """That of a usual trial: the default configuration's, or the middle of those that are searched."""
        low, high = self.budget.batch_size
        usual = self.default_batch or round(math.sqrt(low * high))
        return min(max(low, usual, 1), high)

    @property
    def start_s(self) -> float:
        """Seconds until the first step of a study."""
        return WORKER_START_S * self.time.slowdown

    @property
    def enough(self) -> int:
        """Pictures that the final training should see."""
        epochs, least, most = _ENOUGH[self.task]
        seen = min(max(epochs * self.images[0], least), most)
        return int(seen if self.pretrained else _FROM_SCRATCH * seen)

    @property
    def usual_steps(self) -> int:
        """Steps that see enough pictures."""
        return max(1, math.ceil(self.enough / self.batch))

    def cost(self, size: Size) -> SizeCost:
        """Of a picture."""
        return cost_at(size, self.costs)
