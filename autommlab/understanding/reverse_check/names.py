"""Devices, engines, models and data sets that a text names against those of its parse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from autommlab.understanding.outcome import Doubt
from autommlab.understanding.request import Device, Engine, ModelRequest
from autommlab.understanding.reverse_check.contexts import around, is_lacking, is_other_device, is_turned_down
from autommlab.understanding.reverse_check.mentions import Mention, is_like_model

#: Cards by their number alone, and other words for one.
_CARD = re.compile(
    r"\b(?:[1-5]0[5-9]0(?:\s?ti|\s?super)?|[ablt]\d{1,2}|a\d{3,4}|mx\d{3}|quadro|radeon|geforce|titan|rtx|gtx|"
    r"accelerator|graphics|orin|xavier|video ?card|card)\b",
    re.IGNORECASE,
)
#: Machines that are taken to have no GPU, and ways to say so.
_SMALL_MACHINE = re.compile(
    r"laptop|notebook|raspberry|\bpi\b|\bnuc\b|processor|\bpc\b|desktop|computer|board|celeron|atom|intel|xeon|ryzen|"
    r"amd|core i\d|\bi[3579]\b|tablet|phone|android|machine|server|cpu|netbook|chromebook|macbook|workstation|"
    r"thin client|till|kiosk|\barm\b|cortex|esp32|microcontroller|mcu|card|accelerator|graphics|box|gateway|hub|rpi|"
    r"rock ?pi|orange pi|beaglebone|\bn100\b|\bj\d{4}\b",
    re.IGNORECASE,
)
#: Boards and PCs without a GPU by their names.
_BOARD = re.compile(r"\b(?:raspberry pi|rpi|pi [345]|(?:intel )?nuc|celeron)\b", re.IGNORECASE)
#: Field of a mention -> of a correction.
_CORRECTED_AS = {"model": "model", "specific": "data set"}


def doubts(text: str, request: ModelRequest, found: Sequence[Mention]) -> Iterator[Doubt]:
    """Names that are not used, or used against what is said of them."""
    held = {"model": request.model.specific_model != "none", "specific": bool(request.data.specific)}
    for field, is_held in held.items():
        if not is_held:
            yield from _named(text, [mention for mention in found if mention.field == field])
    if held["model"] and not is_like_model(request.model.specific_model):
        named = request.model.specific_model
        says = f'"{named}" was taken for the model asked for; it does not look like one'
        yield Doubt(field="model", about=named, says=says, choices=("none",))
    yield from _device(text, request.deploy.gpu, [mention for mention in found if mention.field == "device"])
    if request.deploy.inference_engine is Engine.NONE:
        yield from _engine(text, [mention for mention in found if mention.field == "engine"])


def is_used(mention: Mention, request: ModelRequest) -> bool:
    """Whether the request holds the name; a GPU that is named as missing is held by the device cpu."""
    if mention.field == "engine":
        return mention.unit == request.deploy.inference_engine
    if mention.field == "device":
        return mention.unit == request.deploy.gpu or request.deploy.gpu is Device.CPU
    names = {"specific": request.data.specific, "model": (request.model.specific_model,)}.get(mention.field, ())
    said = _joined(mention.words)
    return any(said in _joined(name) or _joined(name) in said for name in names)


def _named(text: str, own: list[Mention]) -> Iterator[Doubt]:
    wanted = [mention for mention in own if not is_turned_down(mention, text)]
    for mention in wanted[-1:]:
        said = f'"{mention.words}" is not used'
        yield Doubt(field=_CORRECTED_AS[mention.field], about=mention.words, says=said, choices=(mention.words,))


def _engine(text: str, own: list[Mention]) -> Iterator[Doubt]:
    wanted = [mention for mention in own if not is_turned_down(mention, text)]
    for mention in wanted[-1:]:
        known = tuple(engine.value for engine in Engine if engine is not Engine.NONE)
        said = f'"{mention.words}" is not used' + ("" if mention.unit else f": engines here are {', '.join(known)}")
        yield Doubt(field="engine", about=mention.words, says=said, choices=(mention.unit,) if mention.unit else known)


def _device(text: str, device: Device, own: list[Mention]) -> Iterator[Doubt]:
    lacking = [mention for mention in own if mention.unit == "gpu" and is_lacking(mention, text)]
    wanted = [mention for mention in own if mention not in lacking and not is_other_device(mention, text)]
    kinds = {mention.unit for mention in wanted}
    if lacking and "gpu" not in kinds and device is not Device.CPU:
        quoted = f'"... {around(lacking[-1], text)} ..."'
        became = "is not used" if device is Device.NONE else "became device gpu"
        yield Doubt(field="device", about=lacking[-1].words, says=f"{quoted} {became}", choices=("cpu",))
    elif not lacking and len(kinds) == 1 and device not in kinds:
        (kind,) = kinds
        became = "is not used" if device is Device.NONE else f"is named, and the device is {device}"
        yield Doubt(field="device", about=wanted[-1].words, says=f'"{wanted[-1].words}" {became}', choices=(kind,))
    elif device is Device.NONE and not own and (board := _BOARD.search(text)):
        says = f'"{board.group()}" is named, and the device is none'
        yield Doubt(field="device", about=board.group(), says=says, choices=("cpu", "gpu"))
    elif _is_invented(text, device, own):
        said = f"the device became {device}, and the text names none"
        yield Doubt(field="device", says=said, choices=("none", "cpu" if device is Device.GPU else "gpu"))


def _is_invented(text: str, device: Device, own: list[Mention]) -> bool:
    if device is Device.GPU:
        return not any(mention.unit == "gpu" for mention in own) and not _CARD.search(text)
    return device is Device.CPU and not own and not _SMALL_MACHINE.search(text)


def _joined(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())
