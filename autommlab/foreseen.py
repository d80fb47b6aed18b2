"""What was asked for and will not be done: said before hours are spent, not after."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

from autommlab.common.errors import DataError
from autommlab.data import registry
from autommlab.settings import NO_INT8, Quantize
from autommlab.tasks import TASK_METRICS, Task, measured_metric
from autommlab.understanding.request import Device, Engine, ModelRequest


def foreseen(request: ModelRequest, *, data: str | None, quantize: str = Quantize.NEVER) -> list[str]:
    """A sentence for each wish that cannot be met here, whatever the training brings.

    Args:
        request: what will be done, overrides included.
        data: the set that `--data` names; those of the request are then not looked at.
        quantize: of the run's options.
    """
    from autommlab.deployment.stage import gpu_note

    sets = [] if data is not None else list(_data_sets(request))
    return [
        *sets,
        *_metrics(request),
        *_engine(request.deploy.inference_engine, request.deploy.gpu),
        *gpu_note(request.deploy.gpu),
        *_int8(request.deploy.inference_engine, quantize),
    ]


def _data_sets(request: ModelRequest) -> Iterator[str]:
    task = request.model.task
    for name in request.data.specific:
        try:
            spec = registry.find_dataset(name)
        except DataError as error:
            yield f"The data set {name!r} that the request names is not here, others take its place: {error}"
            continue
        if spec.task is not task:
            yield f"The data set {name!r} that the request names is for {spec.task}, not {task}; others take its place."


def _metrics(request: ModelRequest) -> Iterator[str]:
    task = request.model.task
    for metric in request.model.metrics:
        if measured_metric(task, metric.name) is not None:
            continue
        others = [other.value for other in Task if measured_metric(other, metric.name) is not None]
        what = f"is a figure of {' and '.join(others)}, not of {task}" if others else "is no figure that is known here"
        measured = ", ".join(each.name for each in TASK_METRICS[task])
        yield f"{metric.name!r} {what}, so it will not be measured. Measured for {task}: {measured}."


def _engine(engine: Engine, device: Device) -> Iterator[str]:
    from autommlab.deployment.engines import ENGINE_PACKAGES

    package = ENGINE_PACKAGES.get(engine)
    if package is not None and importlib.util.find_spec(package) is None:
        yield f"The engine {engine} is not installed here (pip install {package}): ONNX Runtime takes its place."
    if engine is Engine.NCNN and device is Device.GPU:
        yield "ncnn runs on the CPU here: the GPU that was asked for will not be used."


def _int8(engine: Engine, quantize: str) -> Iterator[str]:
    if quantize == Quantize.ALWAYS and engine in NO_INT8:
        yield f"No INT8 model will be made, although --quantize always asks for one: {NO_INT8[engine]}."
