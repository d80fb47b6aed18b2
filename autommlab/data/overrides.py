"""What the command line knows better than the text: the data set, and what is named by an option of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autommlab.common.errors import DataError
from autommlab.tasks import Task
from autommlab.understanding.llm import with_task
from autommlab.understanding.outcome import Understood
from autommlab.understanding.request import Device, Engine, ModelRequest
from autommlab.understanding.text import made_for

if TYPE_CHECKING:
    from autommlab.data.records import DatasetSpec
    from autommlab.options import RunOptions


@dataclass(frozen=True, slots=True)
class Known:
    """What is known before a text is read: the task and the data set, if they are."""

    task: Task | None = None
    spec: DatasetSpec | None = None


def known_set(options: RunOptions) -> Known:
    """What `--task` and `--data` say. A set constrains how a sentence is read; a finished parse speaks for itself.

    Raises:
        DataError: there is no such set.
    """
    task = Task(options.task) if options.task else None
    if options.data is None or options.parse is not None:
        return Known(task)
    from autommlab.data.bag_choice import set_given

    try:
        spec = set_given(options.data, task)
    except DataError:
        if task is not None:
            raise
        return Known()  # a folder that can be read in several ways: the text may say which
    return Known(task or spec.task, spec)


def with_overrides(outcome: Understood, options: RunOptions, known: Known) -> Understood:
    """The outcome with what the options say in the place of what the text was understood to say."""
    request, notes = outcome.request, list(outcome.notes)
    if known.task is not None:
        request = with_task(request, known.task)
    if options.classes:
        request = _with_objects(request, options.classes)
    elif known.spec is not None:
        request = _narrowed(request, known.spec, notes)
    other = made_for(request.model.specific_model)
    if known.task is not None and other not in (None, known.task):
        named = request.model.specific_model
        notes.append(f"left out of the parse: {named} is a model for {other}, the task is {known.task}")
        request = _with_model(request, "none")
    if options.engine or options.device:
        deploy = request.deploy.model_copy(
            update={
                "inference_engine": Engine(options.engine) if options.engine else request.deploy.inference_engine,
                "gpu": Device(options.device) if options.device else request.deploy.gpu,
            }
        )
        request = request.model_copy(update={"deploy": deploy})
    decided = {name for name, is_known in _decided(options, known).items() if is_known}
    return outcome.without_doubts(decided).model_copy(update={"request": request, "notes": tuple(notes)})


def _decided(options: RunOptions, known: Known) -> dict[str, bool]:
    """Fields of a correction -> whether the command line says them."""
    return {
        "task": known.task is not None,
        "object": bool(options.classes) or known.spec is not None,
        "data set": options.data is not None,
        "model": options.model is not None,
        "device": options.device is not None,
        "engine": options.engine is not None,
    }


def _narrowed(request: ModelRequest, spec: DatasetSpec, notes: list[str]) -> ModelRequest:
    """Only those objects that the set has; all of its classes where it has none of them."""
    from autommlab.data.bag_choice import narrowed

    kept, missing = narrowed(request.data.object, spec)
    if missing:
        named = ", ".join(map(repr, missing))
        rest = f"{', '.join(kept)} alone" if kept else "all of its classes"
        notes.append(f"the data set {spec.name!r} has no {named}: the model learns {rest}")
    return _with_objects(request, tuple(kept))


def _with_objects(request: ModelRequest, names: tuple[str, ...]) -> ModelRequest:
    return request.model_copy(update={"data": request.data.model_copy(update={"object": names})})


def _with_model(request: ModelRequest, name: str) -> ModelRequest:
    return request.model_copy(update={"model": request.model.model_copy(update={"specific_model": name})})
