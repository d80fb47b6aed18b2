"""When a field of a parse is right: the same meaning counts, not the same spelling."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from autommlab.data.names import plain_name, plural_of, same
from autommlab.understanding.request import Flops, Metric, ModelRequest, Parameters, Speed

ITEM_FIELDS = ("task", "specific model", "speed", "flops", "parameters", "gpu", "engine")
LIST_FIELDS = ("objects", "metrics")
KEY_FIELDS = ITEM_FIELDS + LIST_FIELDS
#: Later stages use these too; LAMP scores neither, so they count at no level.
BESIDE_FIELDS = ("data sets", "modality")

_NONE = "none"
_RELATIVE_TOLERANCE = 1e-6
_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Field:
    """How one field is read, compared and shown.

    Attributes:
        value: takes it out of a parse.
        same: whether two of its values mean the same.
        shown: a value as a person reads it.
        unstated: what `shown` gives where the person said nothing.
    """

    value: Callable[[ModelRequest], Any]
    same: Callable[[Any, Any], bool]
    shown: Callable[[Any], str] = str
    unstated: str = _NONE

    def is_stated(self, request: ModelRequest) -> bool:
        """Whether the parse says anything here."""
        return self.shown(self.value(request)) != self.unstated


def same_name(one: str, other: str) -> bool:
    """Names whatever their case and punctuation: "yolox s" is "YOLOX-s"; "DeepLabV3" is not "DeepLabV3+"."""
    return _squeezed(one) == _squeezed(other)


def same_names(one: Collection[str], other: Collection[str]) -> bool:
    """Sets of names."""
    return {_squeezed(name) for name in one} == {_squeezed(name) for name in other}


def same_things(one: Collection[str], other: Collection[str]) -> bool:
    """Sets of things, in singular or plural: {"Cats", "dog"} is {"dog", "cat"}."""
    return _holds(one, other) and _holds(other, one)


def same_metrics(one: Iterable[Metric], other: Iterable[Metric]) -> bool:
    """Sets of canonical name and value."""
    left, right = (
        {(metric.name.casefold(), round(metric.value, _DECIMALS)) for metric in part} for part in (one, other)
    )
    return left == right


def same_quantity(one: Speed | Flops | Parameters, other: Speed | Flops | Parameters) -> bool:
    """Amounts in one common unit: 2500 K is 2.5 M, 1 fps is 1 s."""
    left, right = one.normalised(), other.normalised()
    return left.unit == right.unit and math.isclose(left.value, right.value, rel_tol=_RELATIVE_TOLERANCE)


def _holds(ones: Collection[str], others: Collection[str]) -> bool:
    return all(any(_same_thing(plain_name(one), plain_name(other)) for one in ones) for other in others)


def _same_thing(one: str, other: str) -> bool:
    return same(one, other) or plural_of(one, other)


def _squeezed(name: str) -> str:
    spelt = unicodedata.normalize("NFKC", name).casefold().replace("+", "plus")
    return "".join(char for char in spelt if char.isalnum())


def _shown_quantity(quantity: Speed | Flops | Parameters) -> str:
    return _NONE if quantity.unit == _NONE else f"{quantity.value:g} {quantity.unit}"


def _shown_metrics(metrics: Iterable[Metric]) -> str:
    return ", ".join(f"{metric.name} {metric.value:g}" for metric in metrics) or _NONE


def _shown_names(names: Iterable[str]) -> str:
    return ", ".join(names) or _NONE


def _identical(one: object, other: object) -> bool:
    return one == other


FIELDS = {
    "task": Field(lambda request: request.model.task, _identical),
    "specific model": Field(lambda request: request.model.specific_model, same_name),
    "speed": Field(lambda request: request.model.speed, same_quantity, _shown_quantity),
    "flops": Field(lambda request: request.model.flops, same_quantity, _shown_quantity),
    "parameters": Field(lambda request: request.model.parameters, same_quantity, _shown_quantity),
    "gpu": Field(lambda request: request.deploy.gpu, _identical),
    "engine": Field(lambda request: request.deploy.inference_engine, _identical),
    "objects": Field(lambda request: request.data.object, same_things, _shown_names),
    "metrics": Field(lambda request: request.model.metrics, same_metrics, _shown_metrics),
    "data sets": Field(lambda request: request.data.specific, same_names, _shown_names),
    "modality": Field(lambda request: request.data.modality, same_name, unstated="rgb"),
}
