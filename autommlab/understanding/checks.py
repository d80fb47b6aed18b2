"""Does a parse follow from its text? Checks that hold for every request, whatever made the parse.

A model may only repeat here: things, names and numbers that a text does not hold cannot have been
asked for. What a text means is not judged.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from rapidfuzz import fuzz

from autommlab.common.quick_imports import inflect_engine
from autommlab.tasks import Task
from autommlab.understanding.request import Engine, Flops, ModelRequest, Parameters, Speed, SpeedUnit
from autommlab.understanding.text import is_refused, made_for, names_number, names_share

_NONE = "none"
_USUAL_MODALITY = "rgb"
#: Often meant where a text has only what people do, or "facial".
_MEANT_WITH_KEYPOINTS = frozenset({"person", "human", "face"})
_ENGINE_WORDS = {Engine.ONNXRUNTIME: "onnx", Engine.NCNN: "ncnn", Engine.OPENVINO: "openvino"}
_ORT = "ort"
#: Figures that exist for one task only; the others are reported for several.
_METRIC_OF_ONE_TASK = {
    "mIoU": Task.SEGMENTATION,
    "pixel accuracy": Task.SEGMENTATION,
    "Dice coefficient": Task.SEGMENTATION,
    "PCK": Task.KEYPOINT,
    "NME": Task.KEYPOINT,
}
#: Words for pictures, which no request is about.
_PICTURES = frozenset({"picture", "image", "photo", "photograph", "frame", "video", "camera"})
#: What a text with such a demand on inference must hold; of 440 handwritten ones every one does.
_SPEED_WORDS = {
    SpeedUnit.MS: r"\bms\b|\dms\b|mill?i|msec",
    SpeedUnit.S: r"\bs\b|\ds\b|\bsec|second|sek|segund",
    SpeedUnit.MIN: r"min",
    SpeedUnit.H: r"\bh\b|\dh\b|hour|hr\b",
    SpeedUnit.FPS: r"fps|hz|hertz|f/s|/ ?s|(?:per|a|each|every) s\b|sec|sek|segund|times",
}
#: Limits that a small model takes for figures of quality, because a number follows them.
_NO_METRICS = frozenset({"flops", "gflops", "mflops", "parameters", "params", "speed", "latency", "fps", "time"})
#: Shares in percent of equal letters of words that are one, misspelt; short ones have more neighbours ("boat", "goat").
_ALIKE_SHORT, _ALIKE_LONG, _ALIKE_NAME = 80, 75, 85
_LONG = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """Something of a parse that its text does not bear out.

    Attributes:
        field: of the parse: object, specific, modality, model, speed, flops, parameters, metrics, engine or task.
        value: the part of the field at fault, as a person reads it.
        says: one sentence, for the model as well as for a person.
        plain: leaving it out is surely right, so that the model need not be asked again.
    """

    field: str
    value: str
    says: str
    plain: bool = False


def findings(text: str, request: ModelRequest) -> list[Finding]:
    """Everything in `request` that does not follow from `text`, in the order of the schema."""
    data, model = request.data, request.model
    found = [
        Finding("object", name, f'the object "{name}" is not in the text')
        for name in data.object
        if not (model.task is Task.KEYPOINT and name.casefold() in _MEANT_WITH_KEYPOINTS)
        and not names_thing(text, name)
    ]
    found += [
        Finding("object", name, f'"{name}" is what the model looks at, not a thing to look for')
        for name in data.object
        if name.casefold() in _PICTURES and len(data.object) > 1
    ]
    found += [
        Finding("specific", name, f'the data set "{name}" is not in the text')
        for name in data.specific
        if not _names_product(text, name)
    ]
    # Small models fill other fields with the objects. (A kind of picture need not be in the text: "radiograph".)
    things = {_joined(name) for name in data.object}
    found += [
        Finding("specific", name, f'"{name}" is an object, not a data set', plain=True)
        for name in data.specific
        if _joined(name) in things
    ]
    if _joined(data.modality) in things:
        said = f'"{data.modality}" is an object, not a kind of picture'
        found.append(Finding("modality", data.modality, said, plain=True))
    if model.specific_model != _NONE and not _names_product(text, model.specific_model):
        found.append(Finding("model", model.specific_model, f'the model "{model.specific_model}" is not in the text'))
    elif _joined(model.specific_model) in things:
        said = f'"{model.specific_model}" is an object, not a model'
        found.append(Finding("model", model.specific_model, said))
    elif model.specific_model != _NONE and is_refused(text, model.specific_model):
        said = f'the model "{model.specific_model}" is mentioned, but not asked for'
        found.append(Finding("model", model.specific_model, said))
    limits: tuple[tuple[str, Speed | Flops | Parameters], ...] = (
        ("speed", model.speed), ("flops", model.flops), ("parameters", model.parameters),
    )  # fmt: skip
    for field, limit in limits:
        said = f"{limit.value:g} {limit.unit}"
        if limit.unit == _NONE:
            continue
        if not names_number(text, limit.value):
            found.append(Finding(field, said, f"the number {limit.value:g} ({field} {said}) is not in the text"))
        elif isinstance(limit, Speed) and not re.search(_SPEED_WORDS[limit.unit], text.casefold()):
            found.append(Finding(field, said, f'"{limit.unit}" (speed {said}) is not in the text'))
    names = {_joined(name) for name in (*data.specific, model.specific_model)} | _NO_METRICS
    for metric in model.metrics:
        said = f"{metric.name} {metric.value:g}"
        if _joined(metric.name) in names or any(map(_is_data_set, metric.name.split())):
            found.append(Finding("metrics", said, f'"{metric.name}" is no figure of quality (metric {said})'))
        if not names_share(text, metric.value):
            found.append(Finding("metrics", said, f"the number {metric.value:g} (metric {said}) is not in the text"))
    engine = request.deploy.inference_engine
    if engine is not Engine.NONE and not _names_engine(text, engine):
        found.append(Finding("engine", engine.value, f'the engine "{engine}" is not in the text'))
    return found + _of_another_task(request)


def repaired(request: ModelRequest, problems: list[Finding]) -> ModelRequest:
    """The request without what the findings are about; a task stays, as there is no request without one."""
    wrong = {(problem.field, problem.value) for problem in problems}
    fields = {field for field, _ in wrong}
    data, model, deploy = request.data, request.model, request.deploy
    left = {
        "object": tuple(name for name in data.object if ("object", name) not in wrong),
        "specific": tuple(name for name in data.specific if ("specific", name) not in wrong),
        "modality": _USUAL_MODALITY if "modality" in fields else data.modality,
    }
    reset = {
        "specific_model": _NONE if "model" in fields else model.specific_model,
        "speed": Speed() if "speed" in fields else model.speed,
        "flops": Flops() if "flops" in fields else model.flops,
        "parameters": Parameters() if "parameters" in fields else model.parameters,
        "metrics": tuple(m for m in model.metrics if ("metrics", f"{m.name} {m.value:g}") not in wrong),
    }
    engine = Engine.NONE if "engine" in fields else deploy.inference_engine
    return request.model_copy(
        update={
            "data": data.model_copy(update=left),
            "model": model.model_copy(update=reset),
            "deploy": deploy.model_copy(update={"inference_engine": engine}),
        }
    )


def names_thing(text: str, name: str) -> bool:
    """Whether the text has the thing in some form: plural, compound, split or slightly misspelt."""
    joined = _joined(name)
    # A short word is part of many others ("ant" of "want"), unless its script sets no spaces.
    if joined in _joined(text) and (len(joined) >= _LONG or not joined.isascii()):
        return bool(joined)
    words = _words(text)
    parts = [part for part in _words(name) if len(part) > 2] or _words(name)
    known = sum(any(_same_word(part, word) for word in words) for part in parts)
    return bool(parts) and 2 * known >= len(parts)


def _of_another_task(request: ModelRequest) -> list[Finding]:
    """The task is one, and every decisive figure asked for, or the model asked for, belongs to one other."""
    model = request.model
    asked = {_METRIC_OF_ONE_TASK.get(metric.name) for metric in model.metrics} - {None}
    if len(asked) == 1 and model.task not in asked:
        (other,) = asked
        figures = " and ".join(m.name for m in model.metrics if _METRIC_OF_ONE_TASK.get(m.name) is other)
        return [Finding("task", model.task.value, f"the task is {model.task}, but {figures} is a figure of {other}")]
    other = made_for(model.specific_model)
    if other is not None and other is not model.task:
        said = f"the task is {model.task}, but {model.specific_model} is a model for {other}"
        return [Finding("task", model.task.value, said)]
    return []


def _is_data_set(name: str) -> bool:
    """Whether a name with a hyphen and a number is one of a data set ("AP-10K"), as no figure has."""
    return re.fullmatch(r"[A-Za-z]+-\d+[KM]", name) is not None


def _names_product(text: str, name: str) -> bool:
    """Whether the text has a name of a model or data set, however it is punctuated ("ResNet50", "resnet-50")."""
    wanted, have = _joined(name), _joined(text)
    return wanted in have or (len(wanted) >= _LONG and fuzz.partial_ratio(wanted, have) >= _ALIKE_NAME)


def _names_engine(text: str, engine: Engine) -> bool:
    return _ENGINE_WORDS[engine] in _joined(text) or (engine is Engine.ONNXRUNTIME and _ORT in _words(text))


def _same_word(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    if longer in (shorter, shorter + "s", shorter + "es") or (len(shorter) >= 4 and longer.startswith(shorter)):
        return True
    if len(shorter) >= 4 and fuzz.ratio(one, other) >= (_ALIKE_LONG if len(shorter) > _LONG else _ALIKE_SHORT):
        return True
    return one[0] == other[0] and (other in _in_both_numbers(one) or one in _in_both_numbers(other))


@functools.cache
def _in_both_numbers(word: str) -> frozenset[str]:
    """The word's singular and plural ("mouse", "mice")."""
    if not word.isalpha():
        return frozenset()
    engine = inflect_engine()
    return frozenset({str(engine.plural_noun(word)), str(engine.singular_noun(word) or word)})


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _joined(text: str) -> str:
    return "".join(_words(text)).replace("_", "")
