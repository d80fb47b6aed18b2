"""From a planned bag to what a study takes: data drawn and split, model measured, weights found."""

from __future__ import annotations

from pathlib import Path

from autommlab.common.errors import ResumeError
from autommlab.common.files import write_text
from autommlab.data.bag import read_bag, select_bag
from autommlab.data.records import Bag
from autommlab.models import zoo
from autommlab.models.records import ModelChoice
from autommlab.storage.run_folder import read_record
from autommlab.training.runner_config import TrialSetup
from autommlab.understanding.request import DataPart, ModelPart, ModelRequest
from training_data_gen.trials.planned import PlannedBag

#: Of every bag's split and caps, and of the initialisation where no other seed is asked for.
SEED = 0
PLANNED_FILE, MODEL_FILE, BAG_FOLDER = "planned.json", "model.json", "bag"


def prepare_trials(planned: PlannedBag, folder: Path) -> TrialSetup:
    """Data and model of a bag; read where they are in `folder`, else made and stored there.

    Args:
        planned: the bag.
        folder: of this bag alone.

    Raises:
        ResumeError: the folder holds another bag, or a damaged record.
        AutoMMLabError: the data or the model cannot be had.
    """
    _claim(planned, folder)
    bag_folder, stored = folder / BAG_FOLDER, folder / MODEL_FILE
    if (bag_folder / "bag.json").exists():
        bag = read_bag(bag_folder)
    else:
        request = ModelRequest(data=DataPart(object=planned.classes), model=ModelPart(task=planned.task))
        bag = select_bag(request, budget=planned.budget(), folder=bag_folder, seed=SEED, data=planned.dataset)
    if stored.exists():
        choice = read_record(stored, ModelChoice)
    else:
        choice = _choice(planned, bag)
        write_text(stored, choice.model_dump_json(indent=1))
    return TrialSetup(bag=bag, choice=choice, reports=planned.reports, seed=SEED)


def _choice(planned: PlannedBag, bag: Bag) -> ModelChoice:
    from autommlab.models.measure import measure
    from autommlab.models.weights import resolve

    entry = zoo.entry(planned.model, planned.task)
    return ModelChoice(
        entry=entry,
        input_size=planned.input_size,
        measured=measure(entry, bag, planned.input_size),
        pretrained=resolve(entry, None),
        reasons=("the plan of the trials names it",),
    )


def _claim(planned: PlannedBag, folder: Path) -> None:
    file = folder / PLANNED_FILE
    if file.exists():
        before = read_record(file, PlannedBag)
        if before.content() != planned.content():
            raise ResumeError(
                f"{folder} holds another bag than the plan's {planned.id!r}: the plan has changed since. "
                "Use another --out; trials of both folders can stand in one file, their keys differ"
            )
    write_text(file, planned.model_dump_json(indent=1))
