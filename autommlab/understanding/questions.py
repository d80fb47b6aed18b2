"""What a parse must have before anything can be built, and how a person is asked for it."""

from __future__ import annotations

from autommlab.tasks import Task
from autommlab.understanding.checks import Finding
from autommlab.understanding.request import ModelRequest

_TASKS = (
    "one label for the whole picture (classification), where things are (detection), their exact outlines "
    "(segmentation), or their joints or landmarks (keypoint)"
)
_EXAMPLE = 'For instance: "detect cats and dogs, mAP over 0.5, on a CPU".'
_DOES = {
    Task.CLASSIFICATION: "tell apart",
    Task.DETECTION: "find",
    Task.SEGMENTATION: "outline",
    Task.KEYPOINT: "find the points of",
}


def no_task() -> tuple[tuple[str, ...], str]:
    """(what is missing, question) where no task was understood; then nothing else of a parse counts either."""
    return ("task", "object"), f"What should the model tell of a picture, and of which things: {_TASKS}? {_EXAMPLE}"


def essentials(
    request: ModelRequest, problems: list[Finding], *, needs_object: bool = True
) -> tuple[tuple[str, ...], str] | None:
    """(what is missing, question), None where nothing is.

    Args:
        request: without what its text does not bear out.
        problems: what was found in the parse.
        needs_object: False where a data set was named elsewhere, whose classes then are the objects.
    """
    contradiction = next((problem for problem in problems if problem.field == "task"), None)
    if contradiction is not None:
        return ("task or metric",), f"Two things do not go together: {contradiction.says}. Which task is it: {_TASKS}?"
    if needs_object and not request.data.object and not request.data.specific:
        return ("object",), (
            f"Which things should the model {_DOES[request.model.task]} ({request.model.task})? Name them, "
            'for instance "cats and dogs", or name a data set.'
        )
    return None
