"""A request said back in one sentence, so that a person hears what will be built before it is trained."""

from __future__ import annotations

from collections.abc import Sequence

from autommlab.tasks import Task, measured_metric
from autommlab.understanding.request import Device, Engine, Metric, ModelRequest, SpeedUnit

_KINDS = {
    Task.CLASSIFICATION: "a classifier of",
    Task.DETECTION: "a detector of",
    Task.SEGMENTATION: "a segmentation model of",
    Task.KEYPOINT: "a keypoint model of",
}
_DEVICES = {Device.CPU: "on a CPU", Device.GPU: "on a GPU"}
_ENGINES = {Engine.ONNXRUNTIME: "ONNX Runtime", Engine.NCNN: "ncnn", Engine.OPENVINO: "OpenVINO"}


def said_back(request: ModelRequest) -> str:
    """What will be built and for what limits: each field of the request that asks for something is in it."""
    data, model, deploy = request.data, request.model, request.deploy
    kind = _KINDS[model.task]
    things = _listed(data.object) or "all classes of the data"
    clauses = [f"I will train {kind} {things}{_where(request)}"]
    if model.specific_model != "none":
        clauses.append(f"with the model {model.specific_model}")
    if data.specific:
        clauses.append(f"on the data of {_listed(data.specific)}")
    if model.metrics:
        clauses.append(f"aiming for {_listed([_bound(model.task, metric) for metric in model.metrics])}")
    for limit, what in ((model.parameters, " parameters"), (model.flops, "")):
        if limit.unit != "none":
            clauses.append(f"with at most {limit.value:g} {limit.unit}{what}")
    if model.speed.unit is SpeedUnit.FPS:
        clauses.append(f"for at least {model.speed.value:g} fps")
    elif model.speed.unit is not SpeedUnit.NONE:
        clauses.append(f"in at most {model.speed.value:g} {model.speed.unit} an image")
    if deploy.gpu is not Device.NONE or deploy.inference_engine is not Engine.NONE:
        with_engine = f"with {_ENGINES[deploy.inference_engine]}" if deploy.inference_engine in _ENGINES else ""
        clauses.append(" ".join(filter(None, ("to run", _DEVICES.get(deploy.gpu, ""), with_engine))))
    return ", ".join(clauses) + "."


def _where(request: ModelRequest) -> str:
    pictures = "" if request.data.modality in ("rgb", "") else f" in {request.data.modality} pictures"
    scene = f" (scene: {request.data.scenario})" if request.data.scenario else ""
    return pictures + scene


def _bound(task: Task, metric: Metric) -> str:
    figure = measured_metric(task, metric.name)
    return f"{metric.name} {'>=' if figure is None or figure.higher_is_better else '<='} {metric.value:g}"


def _listed(names: Sequence[str]) -> str:
    """With commas, and "and" before the last."""
    *first, last = names or ("",)
    return f"{', '.join(first)} and {last}" if first else last
