"""What a searcher is told of a study: the paper's six hyperparameters with a profile's bounds, and the facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from autommlab.settings import TaskBudget
from autommlab.training.records import Hyperparameters
from searchers.context import StudyContext
from searchers.space import ChoiceParameter, Configuration, FloatParameter, IntParameter, SearchSpace

if TYPE_CHECKING:
    from autommlab.training.runner_config import TrialSetup

#: Bounds that no profile changes: they span from "hardly learns" to "diverges" for all four optimisers.
LEARNING_RATE = (1e-5, 1e-1)
WEIGHT_DECAY = (1e-6, 1e-1)


def choices(field: str) -> tuple[str, ...]:
    """The allowed names of a categorical hyperparameter."""
    return get_args(Hyperparameters.model_fields[field].annotation)


def search_space(budget: TaskBudget) -> SearchSpace:
    """The six hyperparameters (arXiv 2402.15351, section 3.4) within a task's budget."""
    return SearchSpace(
        parameters=(
            IntParameter(name="iterations", low=budget.iterations[0], high=budget.iterations[1]),
            IntParameter(name="batch_size", low=budget.batch_size[0], high=budget.batch_size[1], log=True),
            ChoiceParameter(name="optimizer", choices=choices("optimizer")),
            FloatParameter(name="lr", low=LEARNING_RATE[0], high=LEARNING_RATE[1], log=True),
            FloatParameter(name="weight_decay", low=WEIGHT_DECAY[0], high=WEIGHT_DECAY[1], log=True),
            ChoiceParameter(name="lr_schedule", choices=choices("lr_schedule")),
        )
    )


def study_context(setup: TrialSetup, default: Configuration | None = None) -> StudyContext:
    """The facts that the paper's first round gives (arXiv 2402.15351, section 3.4), most telling first, and the default
    configuration.
    """
    bag, choice = setup.bag, setup.choice
    width, height = choice.input_size
    return StudyContext(
        facts={
            "task": bag.task.value,
            "model": choice.entry.title,
            "params M": round(choice.measured.params_m, 2),
            "GFLOPs": round(choice.measured.flops_g, 3),
            "weights": "pretrained" if choice.pretrained.kind != "none" else "from scratch",
            "input": f"{width}x{height}",
            "classes": len(bag.classes),
            "train images": bag.splits["train"].images,
            "val images": bag.splits["val"].images,
            "dataset": ", ".join(bag.datasets),
        },
        default=default,
    )
