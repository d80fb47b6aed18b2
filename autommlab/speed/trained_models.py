"""A model of each task, trained in this process on the embedded sets: the input of benchmarks of deployment."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from autommlab.common.files import write_text
from autommlab.common.stored import record_of
from autommlab.data.records import Bag
from autommlab.models.records import ModelChoice
from autommlab.settings import profile
from autommlab.tasks import Task
from autommlab.training.records import Hyperparameters, StudyResult, TrialRecord
from autommlab.understanding.request import DataPart, ModelPart, ModelRequest

#: What is asked for, things that the embedded sets show.
OBJECTS = {
    Task.CLASSIFICATION: ("pizza", "hamburger", "hot dog", "donut"),
    Task.DETECTION: ("car", "bus"),
    Task.SEGMENTATION: ("cat", "dog"),
    Task.KEYPOINT: ("person",),
}
_RECORD = "trained.json"


class TrainedModel(BaseModel):
    """What `deploy` takes.

    Attributes:
        request: of which only task and objects are set.
        study: of one trial, the default configuration.
    """

    model_config = ConfigDict(frozen=True)

    request: ModelRequest
    bag: Bag
    choice: ModelChoice
    study: StudyResult


def trained_model(task: Task, folder: Path, *, iterations: int, seed: int, tell: Callable[[str], None]) -> TrainedModel:
    """The laptop profile's model for the task, trained with its default configuration; read again where it is there
    with as many steps and that seed.

    Args:
        folder: of this model's data, weights and record.
        iterations: optimiser steps.
        seed: of data, initialisation and order.
        tell: told what is done.

    Raises:
        DataError: the pictures cannot be made.
        StorageError: the folder cannot be written.
    """
    record = folder / _RECORD
    if record.is_file():
        with contextlib.suppress(ValueError):  # of an older version
            known = record_of(TrainedModel, record.read_bytes())
            if (known.study.best.hyperparameters.iterations, known.study.best.seed) == (iterations, seed):
                return known
    from autommlab.data.bag import select_bag
    from autommlab.models.recipe import default_configuration
    from autommlab.models.select import select_model
    from autommlab.training.search_space import search_space

    budget = profile("laptop").tasks[task]
    request = ModelRequest(data=DataPart(object=OBJECTS[task]), model=ModelPart(task=task))
    tell(f"{task}: drawing pictures")
    bag = select_bag(request, budget=budget, folder=folder / "bag", seed=seed)
    choice = select_model(request, bag, profile=profile("laptop"))
    point = {**default_configuration(choice.entry, space=search_space(budget)), "iterations": iterations}
    tell(f"{task}: training {choice.entry.title} for {iterations} steps")
    study = _trained(bag, choice, Hyperparameters.model_validate(point), folder, seed)
    made = TrainedModel(request=request, bag=bag, choice=choice, study=study)
    write_text(record, made.model_dump_json(by_alias=True, indent=1))
    return made


def _trained(bag: Bag, choice: ModelChoice, point: Hyperparameters, folder: Path, seed: int) -> StudyResult:
    from autommlab.training.checkpoint import WEIGHTS_FILE
    from autommlab.training.config_file import write_config
    from autommlab.training.runner_config import TrialSetup
    from autommlab.training.trial import Trial

    setup = TrialSetup(bag=bag, choice=choice, reports=1, seed=seed)
    trial = Trial(setup, point, folder / "work")
    val = trial.advance()
    trial.save(folder)
    config = write_config(folder / "config.py", trial.config_text())
    test = trial.test()
    trial.close()
    objective = setup.objective
    name = objective.figure.name
    best = TrialRecord(
        number=1, trial_id="1", hyperparameters=point, score=val[name], metrics=val, status="ok", seed=seed
    )
    return StudyResult(
        task=bag.task,
        objective=name,
        trials=(best,),
        best=best,
        checkpoint=folder / WEIGHTS_FILE,
        config_file=config,
        val_metrics=val,
        test_metrics=test,
        seconds=trial.train_s + trial.val_s,
    )
