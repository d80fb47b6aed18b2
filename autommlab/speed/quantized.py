"""INT8 against float on the embedded sets of all tasks: loss, latency in turns, size, by engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from autommlab.common.errors import DeploymentError
from autommlab.deployment.quantization.records import Quantization
from autommlab.settings import Quantize, QuantizePolicy
from autommlab.speed.trained_models import TrainedModel, trained_model
from autommlab.tasks import Task
from autommlab.understanding.request import Engine


class QuantizedLine(BaseModel):
    """A model in an engine.

    Attributes:
        iterations: that it was trained for.
        agrees: whether the bundle that would be delivered passed its check.
        problem: why there is no INT8 model, "" if there is.
    """

    model_config = ConfigDict(frozen=True)

    task: Task
    engine: Engine
    model: str
    input_size: tuple[int, int]
    iterations: int
    quantization: Quantization | None
    agrees: bool = False
    problem: str = ""


class QuantizedResult(BaseModel):
    """All lines, and where they come from (`common.provenance.circumstances`)."""

    model_config = ConfigDict(frozen=True)

    command: str
    date: str
    machine: dict[str, str]
    seed: int
    lines: tuple[QuantizedLine, ...] = ()


def measure_quantized(
    folder: Path,
    *,
    tasks: Sequence[Task],
    engines: Sequence[Engine],
    iterations: int,
    seed: int,
    most_loss: float,
    tell: Callable[[str], None],
) -> Iterator[QuantizedLine]:
    """Train a model of each task, deploy it for each engine with `--quantize always`.

    Args:
        folder: for models and bundles; models that are there are not trained again.
        iterations: optimiser steps of each model.
        seed: of data, initialisation and order.
        most_loss: as of `--quantize-loss`.
        tell: told what is done.

    Raises:
        DataError: the pictures cannot be made.
        StorageError: the folder cannot be written.
    """
    for task in tasks:
        model = trained_model(task, folder / task.value, iterations=iterations, seed=seed, tell=tell)
        for engine in engines:
            tell(f"{task}: {engine}")
            yield _line(model, engine, folder / task.value / engine.value, most_loss)


def _line(model: TrainedModel, engine: Engine, folder: Path, most_loss: float) -> QuantizedLine:
    from autommlab.deployment.stage import deploy

    asked = model.request.model_copy(
        update={"deploy": model.request.deploy.model_copy(update={"inference_engine": engine})}
    )
    known = {
        "task": model.bag.task,
        "engine": engine,
        "model": model.choice.entry.title,
        "input_size": model.choice.input_size,
        "iterations": model.study.best.hyperparameters.iterations,
    }
    policy = QuantizePolicy(when=Quantize.ALWAYS, most_loss=most_loss)
    try:
        done = deploy(asked, model.bag, model.choice, model.study, folder=folder, policy=policy)
    except DeploymentError as error:
        return QuantizedLine.model_validate({**known, "quantization": None, "problem": str(error)})
    problem = "" if done.quantization and done.engine == engine else " ".join(done.notes)
    return QuantizedLine.model_validate(
        {**known, "quantization": done.quantization, "agrees": done.verification.agrees, "problem": problem}
    )
