"""Trials per hour with reused workers against one process per trial, on the same trials and slots."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from autommlab import settings
from autommlab.cluster import ray_session
from autommlab.common.files import write_text
from autommlab.data.bag import select_bag
from autommlab.models.records import ModelChoice
from autommlab.models.select import select_model
from autommlab.progress.events import Events
from autommlab.tasks import Task
from autommlab.training.records import TrialRecord
from autommlab.training.runner_config import TrialSetup
from autommlab.training.search_space import search_space
from autommlab.training.study import run_study
from autommlab.training.study_options import StudyOptions
from autommlab.understanding.request import DataPart, ModelPart, ModelRequest
from searchers.space import IntParameter, SearchSpace

OBJECTS = ("cat", "dog", "car", "pizza")


class OverheadResult(BaseModel):
    """Figures of one comparison.

    Attributes:
        trials, slots: trials run by each way, and how many ran at once.
        reused_s, processes_s: wall-clock seconds for all trials, start-up included.
        ratio: trials per hour of the first over the second, start-up of both included.
        steady_ratio: the same with the first counted from each slot's second trial on, which is what
            a longer study sees; every trial of the second has its own start-up anyway.
        trial_s: mean seconds that a trial's training and validation took.
        busy_share: fraction of the slots' time spent in training and validation, from each slot's
            second trial on.
    """

    model_config = ConfigDict(frozen=True)

    trials: int
    slots: int
    reused_s: float
    processes_s: float
    ratio: float
    steady_ratio: float
    trial_s: float
    busy_share: float


def measure_overhead(folder: Path, *, trials: int, iterations: int, events: Events, seed: int = 0) -> OverheadResult:
    """Run the same trials both ways, one after the other, on this machine.

    Args:
        folder: for data, checkpoints and logs.
        trials: how many.
        iterations: length of each, optimiser steps.
        events: told of each trial.
        seed: of data and searcher.
    """
    setup = _setup(folder, seed, events)
    slots = os.cpu_count() or 1
    started = time.monotonic()
    with ray_session():
        study = run_study(
            setup,
            _space(iterations),
            StudyOptions(searcher="random", trials=trials, max_concurrent=slots),
            folder=folder / "reused",
            events=events,
        )
        reused_s = time.monotonic() - started
    started = time.monotonic()
    _in_processes(setup, study.trials, folder / "processes", slots)
    processes_s = time.monotonic() - started
    return OverheadResult(
        trials=trials,
        slots=slots,
        reused_s=reused_s,
        processes_s=processes_s,
        ratio=processes_s / reused_s,
        steady_ratio=processes_s * slots / trials / seconds_per_trial(study.trials),
        trial_s=sum(t.train_s + t.val_s for t in study.trials) / trials,
        busy_share=busy_share(study.trials),
    )


def busy_share(trials: tuple[TrialRecord, ...]) -> float:
    """Fraction of the slots' time in training and validation, from each worker's second trial on."""
    pairs = _successive(trials)
    available = sum(after.ended_at - before.ended_at for before, after in pairs)
    busy = sum(after.train_s + after.val_s for _, after in pairs)
    return busy / available if available else 0.0


def seconds_per_trial(trials: tuple[TrialRecord, ...]) -> float:
    """Mean seconds that a slot needs for a trial, from each worker's second trial on."""
    spans = [after.ended_at - before.ended_at for before, after in _successive(trials)]
    return sum(spans) / len(spans) if spans else float("nan")


def _successive(trials: tuple[TrialRecord, ...]) -> list[tuple[TrialRecord, TrialRecord]]:
    """(trial, the next one of the same worker) for all workers."""
    by_worker: dict[str, list[TrialRecord]] = defaultdict(list)
    for trial in sorted(trials, key=lambda t: t.ended_at):
        by_worker[trial.worker].append(trial)
    return [pair for own in by_worker.values() for pair in itertools.pairwise(own)]


def _setup(folder: Path, seed: int, events: Events) -> TrialSetup:
    request = ModelRequest(data=DataPart(object=OBJECTS), model=ModelPart(task=Task.CLASSIFICATION))
    profile = settings.profile("laptop")
    budget = profile.tasks[Task.CLASSIFICATION]
    bag = select_bag(request, budget=budget, folder=folder / "bag", seed=seed)
    choice: ModelChoice = select_model(request, bag, profile=profile, events=events)
    return TrialSetup(bag=bag, choice=choice, reports=budget.reports, seed=seed)


def _space(iterations: int) -> SearchSpace:
    """The laptop's space with the length fixed, so that both ways train the same amount."""
    space = search_space(settings.profile("laptop").tasks[Task.CLASSIFICATION])
    fixed = {"iterations": iterations, "batch_size": 16}
    return SearchSpace(
        parameters=tuple(
            IntParameter(name=p.name, low=fixed[p.name], high=fixed[p.name]) if p.name in fixed else p
            for p in space.parameters
        )
    )


def _in_processes(setup: TrialSetup, trials: tuple[TrialRecord, ...], folder: Path, slots: int) -> None:
    setup_file = write_text(folder / "setup.json", setup.model_dump_json())

    def one(trial: TrialRecord) -> None:
        work_dir = folder / f"trial-{trial.number}"
        config = write_text(work_dir / "configuration.json", trial.hyperparameters.model_dump_json())
        command = [sys.executable, "-m", "autommlab.speed.one_trial", str(setup_file), str(config), str(work_dir)]
        with (work_dir / "log.txt").open("w", encoding="utf-8") as log:
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            subprocess.run(command, stdout=log, stderr=log, check=True, env=environment)  # noqa: S603  our own program

    with ThreadPoolExecutor(slots) as pool:
        list(pool.map(one, trials))
