"""How the LLM writes a `ModelRequest`: one flat JSON object, short and of fixed order.

Every field is there in every answer, so that each is a question of its own to a small model. What
needs no deciding is left out: nesting, and the three descriptions, which are the person's own words.
Everything else survives the way there and back. (A name with a quotation mark or a backslash can be
read, but the grammar generates none.)
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from autommlab.common.errors import RequestError
from autommlab.tasks import Task
from autommlab.understanding.request import (
    Device,
    Engine,
    Flops,
    FlopsUnit,
    ModelRequest,
    Parameters,
    ParametersUnit,
    Speed,
    SpeedUnit,
)

NONE = "none"

_FIELDS = (
    "task", "object", "scenario", "modality", "specific", "model",
    "speed", "flops", "parameters", "metrics", "gpu", "engine",
)  # fmt: skip

#: Longest lists that are generated; a small model in a loop would never end one.
_MOST_OBJECTS, _MOST_NAMES, _MOST_METRICS = 30, 5, 6
_FRACTION = r"(0\.[0-9]{1,4}|1|0)"
#: Not "(\.[0-9]{1,8})?": xgrammar 0.2.8 then takes the digits of the optional part without its point.
_NUMBER = r"([0-9]{1,12}|[0-9]{1,12}\.[0-9]{1,8})"


class NoTask(RequestError):
    """The text asks for none of the four vision tasks."""


def answer_text(request: ModelRequest) -> str:
    """The answer that the LLM should give for `request`."""
    data, model, deploy = request.data, request.model, request.deploy
    values = (
        model.task.value,
        list(data.object),
        data.scenario,
        data.modality,
        list(data.specific),
        model.specific_model,
        _quantity_text(model.speed),
        _quantity_text(model.flops),
        _quantity_text(model.parameters),
        [f"{metric.name} {_number(metric.value)}" for metric in model.metrics],
        deploy.gpu.value,
        deploy.inference_engine.value,
    )
    return _written(dict(zip(_FIELDS, values, strict=True)))


@functools.cache
def no_task_answer() -> str:
    """The answer that the LLM should give for a text that asks for no vision model."""
    nothing = json.loads(answer_text(ModelRequest.parse({"data": {}, "model": {"task": "detection"}})))
    return _written(nothing | {"task": NONE})


def parse_answer(text: str) -> ModelRequest:
    """The request behind an answer.

    Raises:
        NoTask: the answer says that none of the four tasks is asked for.
        RequestError: not an answer, with every reason.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, a depth without end
        raise RequestError(f"the answer is not valid JSON: {error}") from error
    if not isinstance(given, dict) or set(given) != set(_FIELDS):
        got = sorted(given) if isinstance(given, dict) else type(given).__name__
        raise RequestError(f"the answer must be an object with {', '.join(_FIELDS)}, not {got}")
    if given["task"] == NONE:
        raise NoTask("the text asks for no vision task")
    return ModelRequest.parse(
        {
            "data": {
                "object": given["object"],
                "scenario": given["scenario"],
                "modality": given["modality"],
                "specific": given["specific"],
            },
            "model": {
                "task": given["task"],
                "specific_model": given["model"],
                "speed": _quantity(given["speed"], "speed"),
                "flops": _quantity(given["flops"], "flops"),
                "parameters": _quantity(given["parameters"], "parameters"),
                "metrics": [_metric(each) for each in _items(given["metrics"])],
            },
            "deploy": {"gpu": given["gpu"], "inference engine": given["engine"]},
        }
    )


@functools.lru_cache(maxsize=64)
def answer_schema(things: tuple[str, ...] = (), composed: str = "") -> dict[str, Any]:
    """JSON schema of an answer; whatever fits it, `parse_answer` takes. Not to be changed by the caller.

    Args:
        things: the only objects that may be named; empty = any short text.
        composed: pattern of objects that may be named beside `things`; empty = none.
    """
    short = {"type": "string", "maxLength": 60}
    name = {"type": "string", "minLength": 1, "maxLength": 60}
    copied = (
        {"anyOf": [{"enum": list(things)}, {"type": "string", "pattern": composed}]}
        if composed
        else {"enum": list(things)}
    )
    fields: dict[str, Any] = {
        "task": {"enum": [*(task.value for task in Task), NONE]},
        "object": {"type": "array", "items": copied if things else name, "maxItems": _MOST_OBJECTS},
        "scenario": short,
        "modality": name,
        "specific": {"type": "array", "items": name, "maxItems": _MOST_NAMES},
        "model": name,
        "speed": _quantity_schema(SpeedUnit),
        "flops": _quantity_schema(FlopsUnit),
        "parameters": _quantity_schema(ParametersUnit),
        "metrics": {
            "type": "array",
            "items": {"type": "string", "pattern": rf"^[A-Za-z][A-Za-z0-9@. -]{{0,40}} {_FRACTION}$"},
            "maxItems": _MOST_METRICS,
        },
        "gpu": {"enum": [device.value for device in Device]},
        "engine": {"enum": [engine.value for engine in Engine]},
    }
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _written(values: dict[str, Any]) -> str:
    # No white space, as in constrained decoding: with any, a small model loops on it.
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _quantity_schema(units: Iterable[str]) -> dict[str, str]:
    named = "|".join(unit for unit in units if unit != NONE)
    return {"type": "string", "pattern": rf"^({NONE}|{_NUMBER} ({named}))$"}


def _quantity_text(quantity: Speed | Flops | Parameters) -> str:
    return NONE if quantity.unit == NONE else f"{_number(quantity.value)} {quantity.unit.value}"


def _number(value: float) -> str:
    """All digits that tell `value` from its neighbours, without an exponent."""
    return format(Decimal(repr(value)), "f").removesuffix(".0")


def _quantity(text: Any, field: str) -> dict[str, Any]:
    if text == NONE:
        return {}
    number, _, unit = str(text).rpartition(" ")
    try:
        value = float(number)
    except ValueError as error:
        raise RequestError(f'{field} is {text!r}, must be a number, a space and a unit, or "{NONE}"') from error
    # "0 ms" fits the grammar; as a demand it means nothing, which has its own spelling.
    return {"value": value, "unit": unit} if value else {}


def _metric(text: Any) -> dict[str, Any]:
    name, _, number = str(text).rpartition(" ")
    try:
        return {"name": name, "value": float(number)}
    except ValueError as error:
        raise RequestError(f"metric {text!r} must be a name, a space and a fraction such as 0.8") from error


def _items(given: Any) -> list[Any]:
    if not isinstance(given, list):
        raise RequestError(f"{given!r} must be a list")
    return given
