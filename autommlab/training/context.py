"""What a searcher that reads is told about a study: facts on data and model, none of them a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from searchers.context import StudyContext

if TYPE_CHECKING:
    from autommlab.training.runner_config import TrialSetup


def study_context(setup: TrialSetup) -> StudyContext:
    """The facts that the paper's first round gives (arXiv 2402.15351, section 3.4), most telling first."""
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
        }
    )
