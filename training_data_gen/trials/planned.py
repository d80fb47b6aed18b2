"""What is planned for one bag: data, model and bounds, before anything is drawn or built."""

from __future__ import annotations

import hashlib

from pydantic import BaseModel, ConfigDict

from autommlab.settings import TaskBudget
from autommlab.tasks import Task


class PlannedBag(BaseModel):
    """A bag, the model that is trained on it, and the bounds of its search space.

    Attributes:
        id: short and unique in a plan ("detection-03", "detection-held-out-1").
        dataset: registered name.
        classes: asked-for classes; empty = all of the data set.
        model: the zoo entry's name.
        input_size: (width, height) in pixels.
        images: most images of (train, val, test).
        iterations, batch_size: bounds of the search space.
        reports: validations per trial.
        held_out: kept away from everything that learns from trials.
        left_out: its data set is the one that the leave-one-dataset-out split keeps away.
        sequence: which quasi-random sequence its configurations are taken from.
        noise_seeds: seeds beside the plan's under which its first configurations are trained again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    task: Task
    dataset: str
    classes: tuple[str, ...]
    model: str
    input_size: tuple[int, int]
    images: tuple[int, int, int]
    iterations: tuple[int, int]
    batch_size: tuple[int, int]
    reports: int
    held_out: bool = False
    left_out: bool = False
    sequence: int = 0
    noise_seeds: tuple[int, ...] = ()

    def budget(self) -> TaskBudget:
        """The bounds in the form that the data stage and the search space take."""
        return TaskBudget(
            input_size=self.input_size,
            images=self.images,
            iterations=self.iterations,
            batch_size=self.batch_size,
            reports=self.reports,
        )

    def content(self) -> str:
        """A digest of all that decides a trial's outcome; the name and the marks do not."""
        deciding = self.model_dump_json(exclude={"id", "held_out", "left_out", "sequence", "noise_seeds"})
        return hashlib.sha256(deciding.encode()).hexdigest()[:16]
