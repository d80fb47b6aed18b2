"""Sentence skeletons: a handwritten text whose label-carrying spans have become slots."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise

from training_data_gen.requests.corpus import Written
from training_data_gen.requests.names import ENGINE
from training_data_gen.requests.objects import object_spans
from training_data_gen.requests.slots import Part, Span, fields_of, split_parts
from training_data_gen.requests.spans import fact_spans

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(\d])|(?<=[.!?])\s+(?=[a-z])|\n+")
#: Any sign of where the model is to run; a field is only touched where all of its signs are known.
_DEVICE = re.compile(
    r"\b(?:GPUs?|CPUs?|CUDA|graphics?|RTX|GTX|Jetson|Xavier|Orin|processors?|nvidia|ti|quadro|tesla|titan|DGX|laptop|"
    r"notebook|rasp?berry|pi|PCs?|celeron|atom|cortex|video card|computer|machine|server|A\d{2,4}|T4|V100|L40?|"
    r"notebook|chromebook|NUC|SoC|ARM|xeon|i\d|workstation|rig|card|chip|FPGA)\b",
    re.IGNORECASE,
)
_TASK = re.compile(
    r"classif|sort|label|recogni|detect|box|find|locat|locali|where|count|segment|mask|pixel|outline|area|keypoint|"
    r"landmark|joint|pose|skeleton|points?\b|tell|which|decid|identif|mark|grade|verdict|whether|class|track",
    re.IGNORECASE,
)
#: Fields that no sentence can take with it.
_SUBJECT = frozenset({"object", "scenario", "modality"})
_LEANING = re.compile(
    r"^(?:They|It|That|This|These|Those|He|She|Its|Their|Then|But|And|So|Or|One|Each|Missing|First|At first|Original|"
    r"Chance|Yet|Else|Otherwise|The latter|Both)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a skeleton.

    Attributes:
        parts: text and slots in turn.
        states: fields of the parse whose every sign is in this sentence.
        droppable: it may be left out, if the fields it states are unset.
        portable: it can be said in another request just as well.
    """

    parts: tuple[Part, ...]
    states: frozenset[str] = frozenset()
    droppable: bool = False
    portable: bool = False


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A request to be filled anew.

    Attributes:
        written: the handwritten request that it comes from.
        sentences: in order.
        free: fields of the parse that may be drawn anew, because each of their mentions is a slot.
    """

    written: Written
    sentences: tuple[Sentence, ...]
    free: frozenset[str] = field(default_factory=frozenset)


def skeleton(written: Written) -> Skeleton:
    """The skeleton of a handwritten request."""
    spans = fact_spans(written)
    spans += object_spans(written, spans)
    spans.sort(key=lambda span: span.start)
    bounds = _bounds(written.text)
    free = fields_of(span.slot for span in spans if not span.slot.decoy)
    signs = _signs(written, spans, bounds)
    sentences = []
    for number, (start, end) in enumerate(bounds):
        inside = [span for span in spans if start <= span.start < end]
        text = written.text[start:end]
        states = frozenset(name for name, where in signs.items() if where == {number})
        held = {name for name, where in signs.items() if number in where}
        kept = bool(held - states or held & _SUBJECT) or _TASK.search(text) is not None or number == 0
        sentences.append(
            Sentence(
                parts=split_parts(text, start, inside),
                states=states,
                droppable=not kept and not _says_more(written, text, held),
                portable=not kept
                and bool(states)
                and states <= free | {"device"}
                and len(text) < 130
                and not _LEANING.search(text)
                and not any(span.slot.decoy for span in inside),
            )
        )
    return Skeleton(written, tuple(sentences), free)


def _bounds(text: str) -> list[tuple[int, int]]:
    cuts = [0, *(match.end() for match in _SENTENCE.finditer(text)), len(text)]
    return [(start, end) for start, end in pairwise(cuts) if end > start]


def _signs(written: Written, spans: list[Span], bounds: list[tuple[int, int]]) -> dict[str, set[int]]:
    """Sentences in which each stated field shows; a field that was not found shows everywhere."""

    def at(place: int) -> int:
        return next(number for number, (start, end) in enumerate(bounds) if start <= place < end)

    everywhere = set(range(len(bounds)))
    signs: dict[str, set[int]] = {}
    for span in spans:
        for stating in fields_of([span.slot]):
            signs.setdefault(stating, set()).add(at(span.start))
    parse = written.parse
    stated = {
        "speed": parse.model.speed.value > 0, "flops": parse.model.flops.value > 0,
        "parameters": parse.model.parameters.value > 0, "metrics": bool(parse.model.metrics),
        "model": parse.model.specific_model != "none", "data": bool(parse.data.specific),
        "modality": parse.data.modality != "rgb",
    }  # fmt: skip
    for name, is_stated in stated.items():
        if is_stated and name not in signs:
            signs[name] = everywhere
    if parse.deploy.gpu != "none":
        found = {at(match.start()) for match in _DEVICE.finditer(written.text)}
        signs["device"] = found | signs.get("device", set()) or everywhere
    if parse.deploy.inference_engine != "none":
        signs["engine"] = {at(match.start()) for match in ENGINE.finditer(written.text)} or everywhere
    signs["object"] = {
        number
        for number, (start, end) in enumerate(bounds)
        if any(
            word[:5].lower() in written.text[start:end].lower()
            for name in (*written.parse.data.object, written.parse.data.scenario, written.parse.data.modality)
            for word in name.split()
            if len(word) > 2
        )
    }
    return signs


def _says_more(written: Written, text: str, held: set[str]) -> bool:
    """Whether a sentence without stated fields may still matter: numbers, devices and names do."""
    if held:
        return "object" in held or "modality" in held
    return bool(re.search(r"\d", text) or _DEVICE.search(text) or len(text) < 25)
