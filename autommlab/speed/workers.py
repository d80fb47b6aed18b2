"""The same trial in one process and over several, paired by seed: does data parallelism change what it learns?"""

from __future__ import annotations

import statistics
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from autommlab.cluster import ray_session
from autommlab.compare.curves import Estimate, estimate
from autommlab.compare.records import StudySummary
from autommlab.compare.run_compare import run_one
from autommlab.options import RunOptions
from autommlab.pipeline.selection import plan_in, study_inputs
from autommlab.planning.studies import StudyInputs
from autommlab.progress.events import EventLog, Events
from autommlab.storage.run_folder import RunFolder
from autommlab.tasks import objective

#: Proposes the default configuration first, so that a study of one trial is that configuration.
_RECIPE_FIRST = "default"


class WorkersResult(BaseModel):
    """Figures of one comparison.

    Attributes:
        metric: the score's name, the task's objective.
        workers: of each trial of the second kind; the first kind has one.
        cpus: of each process.
        alone, together: val score of each seed, the weights of the best report.
        alone_test, together_test: the same weights on test.
        difference, test_difference: mean of `together - alone` over the seeds.
        noise: standard deviation of `alone` between seeds, 0 with one seed.
        seconds: of a study's trial, set-up included, by each kind, mean.
    """

    model_config = ConfigDict(frozen=True)

    task: str
    model: str
    metric: str
    workers: int
    cpus: float
    images: dict[str, int]
    seeds: int
    alone: tuple[float, ...]
    together: tuple[float, ...]
    alone_test: tuple[float, ...]
    together_test: tuple[float, ...]
    difference: Estimate
    test_difference: Estimate
    noise: float
    seconds: tuple[float, float]


def measure_workers(options: RunOptions, folder: Path, *, seeds: int, events: Events) -> WorkersResult:
    """Train the default configuration once for each seed and kind; what `folder` holds is not trained again.

    Args:
        options: the request, and in `workers_per_trial` how many processes the second kind has.
        folder: for data, studies and figures.
        seeds: paired ones, 0 to `seeds - 1`; they decide initialisation, order and augmentation.
        events: told of each trial.

    Raises:
        AutoMMLabError: as `pipeline.run_pipeline` and `run_study` do; finished trials stay.
    """
    run_folder = RunFolder(folder)
    run_folder.open(options)
    events.add(EventLog(run_folder.events))
    try:
        plan = plan_in(run_folder, options, events)
        inputs = study_inputs(options.model_copy(update={"trials": 1, "searcher": _RECIPE_FIRST}), plan)
        kinds = (1, options.workers_per_trial)
        with ray_session():
            studies = {
                workers: [
                    run_one(
                        _with_workers(inputs, workers), _RECIPE_FIRST, seed, folder / f"workers-{workers}", events,
                        service=None, title=f"seed {seed} of {seeds}, {workers} to a trial",
                    )
                    for seed in range(seeds)
                ]
                for workers in kinds
            }  # fmt: skip
    finally:
        run_folder.close()
    val = [tuple(study.scores[0] for study in studies[workers]) for workers in kinds]
    test = [tuple(study.test for study in studies[workers] if study.test is not None) for workers in kinds]
    return WorkersResult(
        task=plan.bag.task.value,
        model=plan.choice.entry.name,
        metric=objective(plan.bag.task).name,
        workers=kinds[1],
        cpus=inputs.options.cpus_per_trial,
        images={name: split.images for name, split in plan.bag.splits.items()},
        seeds=seeds,
        alone=val[0],
        together=val[1],
        alone_test=test[0],
        together_test=test[1],
        difference=_paired(val[0], val[1]),
        test_difference=_paired(test[0], test[1]),
        noise=statistics.stdev(val[0]) if seeds > 1 else 0.0,
        seconds=(_mean_seconds(studies[1]), _mean_seconds(studies[kinds[1]])),
    )


def _with_workers(inputs: StudyInputs, workers: int) -> StudyInputs:
    return inputs._replace(options=inputs.options.model_copy(update={"workers_per_trial": workers}))


def _mean_seconds(studies: list[StudySummary]) -> float:
    return statistics.mean(study.seconds for study in studies)


def _paired(before: tuple[float, ...], after: tuple[float, ...]) -> Estimate:
    return estimate([b - a for a, b in zip(before, after, strict=True)])
