"""The studies that a plan comes down to, what is stored of a finished one, and how long the rest will take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from autommlab.storage.run_folder import read_record
from autommlab.tasks import Task
from autommlab.training.search_space import search_space
from training_data_gen.trials.planned import PlannedBag
from training_data_gen.trials.prepare import SEED
from training_data_gen.trials.records import RecordedTrial

#: First configurations of a bag that are trained under other seeds as well.
NOISE_CONFIGS = 4
DONE_FILE, _BAGS_FOLDER = "done.json", "bags"


class TrialsOptions(BaseModel):
    """How a plan is worked off. Another call on the same folder may raise `per_bag`; none of it is in the keys.

    Attributes:
        per_bag: quasi-random configurations of each bag.
        default_configuration: also train the default configuration, as the first trial of a bag.
        near: configurations around the default configuration, of each bag.
        noise: also train the first configurations of some bags under other seeds.
        test_all: measure every trial on TEST once its study is over, not the winner alone; of use from the start only.
        hours: no study is begun that would probably end later; None = no limit.
        concurrent: trials at once, 0 = as many as fit.
        cpus_per_trial, gpus_per_trial: Ray resources; GPUs may be fractional.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_bag: int = Field(default=20, ge=1)
    default_configuration: bool = True
    near: int = Field(default=8, ge=0)
    noise: bool = True
    test_all: bool = False
    hours: float | None = Field(default=None, gt=0)
    concurrent: int = Field(default=0, ge=0)
    cpus_per_trial: float = Field(default=1, ge=0)
    gpus_per_trial: float = Field(default=0, ge=0)


class Job(NamedTuple):
    """One study: a bag under one seed.

    Attributes:
        configs: so many configurations.
        default: the default configuration is the first trial.
        near: the configurations lie around that default configuration.
    """

    planned: PlannedBag
    seed: int
    configs: int
    default: bool
    near: bool = False

    @property
    def trials(self) -> int:
        """The study's budget."""
        return self.configs + self.default

    def bag_folder(self, out: Path) -> Path:
        """Shared by the studies of a bag."""
        return out / _BAGS_FOLDER / self.planned.id

    def folder(self, out: Path) -> Path:
        """Of this study."""
        return self.bag_folder(out) / ("near" if self.near else f"seed-{self.seed}")

    def __str__(self) -> str:
        if self.near:
            return f"{self.planned.id}, around the default configuration"
        return f"{self.planned.id}, seed {self.seed}" if self.seed != SEED else self.planned.id


class JobDone(BaseModel):
    """Written when all trials of a study are stored.

    Attributes:
        trials: its budget, the default configuration included.
        trained: how many of them the last call trained, in `seconds` of wall time.
    """

    model_config = ConfigDict(frozen=True)

    trials: int
    trained: int
    seconds: float


def jobs(bags: Iterable[PlannedBag], options: TrialsOptions) -> list[Job]:
    """All studies of a plan in order, the smaller ones of a bag right after its own."""
    found = []
    for bag in bags:
        found.append(Job(bag, SEED, options.per_bag, options.default_configuration))
        if options.near:
            found.append(Job(bag, SEED, options.near, default=False, near=True))
        if options.noise:
            repeated = min(NOISE_CONFIGS, options.per_bag)
            found += [Job(bag, seed, repeated, default=False) for seed in bag.noise_seeds]
    return found


def done(job: Job, out: Path) -> JobDone | None:
    """What is stored of a study, None if it is not finished or now has a larger budget.

    Raises:
        ResumeError: it is damaged.
    """
    file = job.folder(out) / DONE_FILE
    if not file.exists():
        return None
    stored = read_record(file, JobDone)
    return stored if stored.trials >= job.trials else None


def trained_elsewhere(job: Job, known: Iterable[RecordedTrial]) -> list[RecordedTrial]:
    """The trainings of a study among those of another folder; none if it lacks one of them or had other bounds.

    Args:
        job: the study.
        known: of the study's bag, in any order.
    """
    planned, space = job.planned, search_space(job.planned.budget())
    own = [
        t
        for t in known
        if (t.planned, t.seed, t.near) == (planned.id, job.seed, job.near)
        and (t.bag.dataset, t.model.name) == (planned.dataset, planned.model)
        and set(planned.classes) <= set(t.bag.classes)  # which may hold the background as well
        and t.parameters == space.parameters
    ]
    if job.near:
        return own if len(own) >= job.configs else []
    wanted: set[int | None] = {*range(job.configs), *([None] if job.default else [])}
    return own if wanted <= {t.sobol_number for t in own} else []


class Pace:
    """Seconds of wall time per trial, measured on finished studies."""

    def __init__(self) -> None:
        self._spent: dict[Task, tuple[float, int]] = {}

    def add(self, task: Task, result: JobDone) -> None:
        """Count a finished study."""
        seconds, trials = self._spent.get(task, (0.0, 0))
        self._spent[task] = (seconds + result.seconds, trials + result.trained)

    def seconds(self, work: Sequence[Job]) -> float | None:
        """How long these studies will take; None while nothing is known. An unknown task takes the others' mean."""
        trained = sum(trials for _, trials in self._spent.values())
        if not trained:
            return None
        mean = sum(seconds for seconds, _ in self._spent.values()) / trained
        return sum(job.trials * self._per_trial(job.planned.task, mean) for job in work)

    def _per_trial(self, task: Task, otherwise: float) -> float:
        seconds, trials = self._spent.get(task, (0.0, 0))
        return seconds / trials if trials else otherwise
