"""One line of a person that corrects one field of a parse: "object: horse", "metric: mAP 0.6"."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from autommlab.common.errors import RequestError, unknown
from autommlab.tasks import Task, canonical_metric
from autommlab.understanding.answer import NONE
from autommlab.understanding.request import Device, Engine, Flops, ModelRequest, Parameters, Speed
from autommlab.understanding.reverse_check.mentions import quantity

#: What a person may write for a field -> how the field is called here.
_ALIASES = {
    "objects": "object", "thing": "object", "things": "object", "class": "object", "classes": "object",
    "scenario": "scene", "place": "scene", "picture": "modality", "pictures": "modality",
    "kind of picture": "modality", "dataset": "data set", "datasets": "data set", "data sets": "data set",
    "data": "data set", "params": "parameters", "parameter": "parameters", "computation": "flops",
    "latency": "speed", "metrics": "metric", "quality": "metric", "gpu": "device", "inference engine": "engine",
}  # fmt: skip
FIELDS = (
    "task", "object", "scene", "modality", "data set", "model",
    "speed", "flops", "parameters", "metric", "device", "engine",
)  # fmt: skip
#: Field -> what it is called in tables and forms, as in `ModelRequest.rows`.
TITLES = {
    "task": "Task", "object": "Objects", "scene": "Scene", "modality": "Kind of picture", "data set": "Data sets named",
    "model": "Model named", "metric": "Quality", "parameters": "Parameters", "flops": "Computation", "speed": "Speed",
    "device": "Device", "engine": "Inference engine",
}  # fmt: skip
_ENGINES = {"onnx": Engine.ONNXRUNTIME.value, "ort": Engine.ONNXRUNTIME.value}
_METRIC = re.compile(
    r"(?P<name>.*?[^\s.,:=<>])(?:\s|[:=<>\u2264\u2265]|\bof\b|\bat (?:least|most)\b)+"
    r"(?P<value>\d*[.,]?\d+)\s*(?:%|percent)?"
)
_EXAMPLES = 'such as "object: horse" or "metric: mAP 0.6"'


def field_named(line: str) -> str:
    """The field that a line such as "objects: horse" corrects, as in `FIELDS`; "" where the line is no correction."""
    name, colon, _ = line.partition(":")
    known = " ".join(name.casefold().split())
    known = _ALIASES.get(known, known)
    return known if colon and known in FIELDS else ""


def value_of(request: ModelRequest, field: str) -> str:
    """The value of a field as a correction writes it; "none" where nothing is asked."""
    data, model, deploy = request.data, request.model, request.deploy
    values: dict[str, str] = {
        "task": model.task.value,
        "object": ", ".join(data.object),
        "scene": data.scenario,
        "modality": data.modality,
        "data set": ", ".join(data.specific),
        "model": model.specific_model,
        "speed": _written(model.speed),
        "flops": _written(model.flops),
        "parameters": _written(model.parameters),
        "metric": ", ".join(f"{metric.name} {metric.value:g}" for metric in model.metrics),
        "device": deploy.gpu.value,
        "engine": deploy.inference_engine.value,
    }
    return values[field] or NONE


def corrected(request: ModelRequest, line: str) -> ModelRequest:
    """The request with one field as the line says.

    Args:
        request: to correct.
        line: field, colon, value. Lists have commas; the field then holds what the line says and nothing else. "none"
            empties it.

    Raises:
        RequestError: no such field, or the field takes no such value; says what it takes.
    """
    field = field_named(line)
    name, _, value = (part.strip() for part in line.partition(":"))
    if not field:
        raise RequestError(f"{unknown('field', name, FIELDS)} A correction is one line, {_EXAMPLES}")
    if not value:
        raise RequestError(f"{line.strip()!r} says no value; a correction is one line, {_EXAMPLES}, or {field}: none")
    parts = request.to_dict()
    _SETTERS[field](parts, value)
    return ModelRequest.parse(parts)


def _set_task(parts: dict[str, Any], value: str) -> None:
    parts["model"]["task"] = _one_of("task", value, [task.value for task in Task])


def _set_list(key: str) -> Callable[[dict[str, Any], str], None]:
    def change(parts: dict[str, Any], value: str) -> None:
        names = [" ".join(name.split()) for name in re.split(r",|;|\band\b", value)]
        parts["data"][key] = [] if value.casefold() == NONE else list(dict.fromkeys(name for name in names if name))

    return change


def _set_text(part: str, key: str, empty: str) -> Callable[[dict[str, Any], str], None]:
    def change(parts: dict[str, Any], value: str) -> None:
        parts[part][key] = empty if value.casefold() == NONE else value

    return change


def _set_quantity(field: str) -> Callable[[dict[str, Any], str], None]:
    def change(parts: dict[str, Any], value: str) -> None:
        examples = {"speed": '"20 ms" or "30 fps"', "flops": '"5 GFLOPs"', "parameters": '"10 M"'}
        amount = (0.0, NONE) if value.casefold() == NONE else quantity(field, value)
        if amount is None:
            raise RequestError(f'{field} {value!r} is no amount with a unit; write {examples[field]}, or "none"')
        parts["model"][field] = {"value": amount[0], "unit": amount[1]}

    return change


def _set_metric(parts: dict[str, Any], value: str) -> None:
    metrics = []
    for one in [] if value.casefold() == NONE else re.split(r"[;,]\s+|\band\b", value):
        found = _METRIC.fullmatch(one.strip())
        if found is None:
            raise RequestError(f'metric {one.strip()!r} must be a name and a figure, such as "mAP 0.6"')
        figure = float(found["value"].replace(",", "."))
        metrics.append({"name": canonical_metric(found["name"]), "value": figure / 100 if figure > 1 else figure})
    parts["model"]["metrics"] = metrics


def _set_device(parts: dict[str, Any], value: str) -> None:
    parts["deploy"]["gpu"] = _one_of("device", value, [device.value for device in Device])


def _set_engine(parts: dict[str, Any], value: str) -> None:
    joined = re.sub(r"[\W_]", "", value.casefold())
    known = {engine.value: engine.value for engine in Engine} | _ENGINES
    parts["deploy"]["inference engine"] = known.get(joined) or _one_of(
        "engine", value, [engine.value for engine in Engine]
    )


_SETTERS: dict[str, Callable[[dict[str, Any], str], None]] = {
    "task": _set_task,
    "object": _set_list("object"),
    "scene": _set_text("data", "scenario", ""),
    "modality": _set_text("data", "modality", "rgb"),
    "data set": _set_list("specific"),
    "model": _set_text("model", "specific_model", NONE),
    "speed": _set_quantity("speed"),
    "flops": _set_quantity("flops"),
    "parameters": _set_quantity("parameters"),
    "metric": _set_metric,
    "device": _set_device,
    "engine": _set_engine,
}


def _one_of(what: str, value: str, known: list[str]) -> str:
    if value.casefold() not in known:
        raise RequestError(unknown(what, value, known))
    return value.casefold()


def _written(limit: Speed | Flops | Parameters) -> str:
    return "" if limit.unit == NONE else f"{limit.value:g} {limit.unit}"
